//! `scontrol help`: options from the option table, and the keywords.

use crate::slurm::options::{self, Command::Scontrol};

const COMMANDS: &str = "\
Commands:
  all, hide                 make no difference: no partition is hidden
  completing                display jobs that are on their way out
  details                   show more of a job from now on
  errnumstr <ERRNO>         the words of an error
  exit, quit                end the session
  help                      print this description of use
  hold <job_list>           prevent jobs from starting: ids, or jobname=NAME
  listpids [<job_id>[.<step>]] [<node>]
                            list the processes of running steps
  oneliner                  one line a record from now on
  ping                      print the status of the controller
  quiet, verbose            no more messages, and messages again
  release <job_list>        permit jobs to start
  requeue <job_list>        put batch jobs back into the queue
  requeuehold <job_list>    put batch jobs back into the queue and hold them
  show <ENTITY> [<ID>]      display state of identified entity, default is all records
  top <job_list>            put jobs before all others that wait
  uhold <job_list>          as hold
  update <SPECIFICATIONS>   update jobs: JobId=ID and one or more of Account, ArrayTaskThrottle,
                            Comment, CPUsPerTask, EligibleTime, ExcNodeList, JobName,
                            MinMemoryNode, Nice, NumNodes, NumTasks, Partition, Priority, QOS,
                            ReqNodeList, Requeue, StartTime, TimeLimit (= += -=)
  version                   display the version
  wait_job <job_id>         wait until a job's nodes are ready
  write batch_script <job_id> [<file>]
                            write a job's script to a file, slurm-<job_id>.sh if none is named,
                            or to the standard output for -

  Without a command they are read from the standard input, one a line; !! stands for the last one.

  <ENTITY> is \"config\", \"hostlist\", \"hostlistsorted\", \"hostnames\", \"job\", \"node\",
  \"partition\" or \"step\"; keywords and entities may be shortened.
";

/// What `scontrol help` and `scontrol --help` print.
pub fn text() -> String {
    format!("{}\n\n{COMMANDS}", options::help(Scontrol).trim_end_matches('\n'))
}
