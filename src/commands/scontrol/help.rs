//! `scontrol help`: options from the option table, and the keywords.

use crate::slurm::options::{self, Command::Scontrol};

const COMMANDS: &str = "\
Commands:
  help                      print this description of use
  hold <job_list>           prevent jobs from starting: ids, or jobname=NAME
  ping                      print the status of the controller
  release <job_list>        permit jobs to start
  requeue <job_list>        put batch jobs back into the queue
  requeuehold <job_list>    put batch jobs back into the queue and hold them
  show <ENTITY> [<ID>]      display state of identified entity, default is all records
  uhold <job_list>          as hold
  update <SPECIFICATIONS>   update jobs: JobId=ID and one or more of Account, ArrayTaskThrottle,
                            Comment, CPUsPerTask, EligibleTime, ExcNodeList, JobName,
                            MinMemoryNode, Nice, NumNodes, NumTasks, Partition, Priority, QOS,
                            ReqNodeList, Requeue, StartTime, TimeLimit (= += -=)
  version                   display the version
  write batch_script <job_id> [<file>]
                            write a job's script to a file, slurm-<job_id>.sh if none is named,
                            or to the standard output for -

  <ENTITY> is \"config\", \"hostlist\", \"hostlistsorted\", \"hostnames\", \"job\", \"node\",
  \"partition\" or \"step\"; keywords and entities may be shortened.
";

/// What `scontrol help` and `scontrol --help` print.
pub fn text() -> String {
    format!("{}\n\n{COMMANDS}", options::help(Scontrol).trim_end_matches('\n'))
}
