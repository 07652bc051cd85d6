//! Every option that is honoured has a test that would fail if it were dropped.

use crate::harness::{Lab, ONE};
use skyslurm::slurm::options::{Class, Command, table};
use std::collections::BTreeSet;

/// Options of sbatch and what fails without them: a test of this suite, or a capture.
const SBATCH: &[(&str, &[&str])] = &[
    (
        "batch::what_is_asked_for_is_what_the_job_says",
        &[
            "account",
            "comment",
            "cpus-per-task",
            "extra",
            "hold",
            "ignore-pbs",
            "job-name",
            "nice",
            "no-requeue",
            "nodes",
            "ntasks",
            "partition",
            "qos",
            "time",
            "time-min",
            "tres-per-task",
            "wrap",
        ],
    ),
    ("batch::the_output_can_be_appended_split_and_read_from_a_file", &["error", "input", "open-mode", "output"]),
    ("batch::export_chooses_what_travels", &["export", "export-file", "get-user-env"]),
    ("batch::the_script_runs_where_it_should_with_the_submitter_s_limits", &["chdir", "propagate"]),
    ("batch::the_ways_to_answer", &["clusters", "help", "parsable", "quiet", "test-only", "usage", "version"]),
    ("batch::wait_gives_the_job_s_exit_code", &["array", "wait"]),
    ("queue::a_job_begins_when_it_may", &["begin"]),
    ("job_dependencies::a_chain_goes_on_by_itself", &["dependency"]),
    ("notify::mail_tells_what_was_asked_for", &["mail-type", "mail-user"]),
    ("together::licenses_are_counted", &["licenses"]),
    ("together::a_job_that_cannot_end_before_its_deadline_is_ended", &["deadline"]),
    ("job_dependencies::a_job_that_can_never_start_is_cancelled_where_that_is_wanted", &["kill-on-invalid-dep"]),
    ("queue::features_choose_nodes", &["constraint"]),
    (
        "queue::memory_and_processors_are_shared_out",
        &[
            "cpus-per-gpu",
            "mem",
            "mem-per-cpu",
            "mem-per-gpu",
            "mincpus",
            "ntasks-per-gpu",
            "overcommit",
            "oversubscribe",
        ],
    ),
    ("step_options::tasks_see_the_gpus_they_are_bound_to", &["gpu-bind"]),
    ("queue::gpus_are_given_once", &["gpus", "gpus-per-node", "gpus-per-task", "gres"]),
    (
        "queue::nodes_are_chosen_and_left_out",
        &["exclude", "nodefile", "nodelist", "ntasks-per-node", "spread-job", "use-min-nodes", "wait-all-nodes"],
    ),
    ("reservations::reserved_nodes_are_for_those_who_ask_for_them", &["reservation"]),
    ("queue::an_exclusive_job_has_its_node_alone", &["exclusive"]),
    ("queue::nice_and_priority_change_the_order", &["priority"]),
    ("limits::a_requeued_job_runs_again", &["requeue"]),
    ("limits::a_warning_comes_before_the_limit", &["signal"]),
    ("conformance: env.txt, --distribution=cyclic", &["distribution"]),
    ("batch::verbose_tells_what_was_asked_for", &["verbose"]),
];

/// The same of srun.
const SRUN: &[(&str, &[&str])] = &[
    ("interactive::what_is_asked_of_the_wrong_cluster_or_display_is_refused", &["clusters"]),
    ("interactive::a_task_is_given_what_it_asks_for", &["tres-per-task"]),
    ("step_io::what_is_written_comes_at_once", &["unbuffered"]),
    (
        "job_steps::a_step_is_smaller_than_its_job",
        &[
            "chdir",
            "distribution",
            "exclude",
            "export",
            "job-name",
            "jobid",
            "nodelist",
            "nodes",
            "ntasks",
            "ntasks-per-node",
            "overcommit",
        ],
    ),
    (
        "job_steps::a_task_s_gpus_processors_and_memory",
        &[
            "cpus-per-gpu",
            "cpus-per-task",
            "gpus",
            "gpus-per-node",
            "gpus-per-task",
            "gres",
            "mem",
            "mem-per-cpu",
            "mem-per-gpu",
            "ntasks-per-gpu",
        ],
    ),
    ("job_steps::input_and_output_of_tasks", &["error", "input", "label", "open-mode", "output"]),
    ("job_steps::steps_share_the_job_out", &["exact", "exclusive", "overlap"]),
    ("mpi::open_mpi_s_mpirun_starts_its_daemons_with_srun", &["external-launcher"]),
    ("mpi::plugins_are_listed_and_unknown_ones_refused", &["mpi"]),
    ("job_steps::a_bad_task_ends_the_step_if_asked", &["kill-on-bad-exit"]),
    ("job_steps::several_programs_in_a_step", &["multi-prog"]),
    ("job_steps::a_step_begins_further_on_or_not_at_all", &["immediate", "relative"]),
    ("job_steps::a_step_does_not_wait_long_for_its_last_tasks", &["wait"]),
    ("job_steps::a_step_has_a_terminal", &["pty"]),
    ("job_steps::interrupts_are_asked_about_or_not", &["disable-status", "quit-on-interrupt"]),
    ("steps::a_terminal_is_handed_to_the_first_task", &["pty"]),
    ("steps::others_are_waited_for_only_so_long", &["wait"]),
    ("steps::a_step_that_cannot_begin_at_once_may_be_given_up", &["immediate", "relative"]),
    ("steps::an_interrupt_can_be_meant_at_once", &["disable-status", "quit-on-interrupt"]),
    ("interactive::srun_tells_when_it_would_start", &["test-only"]),
    ("het::an_allocation_has_its_components_and_gives_all_back", &["het-group"]),
    ("step_options::a_step_ends_at_its_time_limit", &["time"]),
    ("step_options::a_prolog_of_the_task_changes_what_it_finds", &["task-epilog", "task-prolog"]),
    ("step_options::srun_runs_programs_around_the_step", &["epilog", "prolog"]),
    ("step_options::tasks_are_bound_to_cpus", &["cpu-bind"]),
    ("step_options::memory_is_bound_or_told_of", &["mem-bind"]),
    ("step_options::tasks_see_the_gpus_they_are_bound_to", &["gpu-bind", "tres-bind"]),
    ("step_options::a_program_is_brought_before_its_step", &["bcast", "bcast-exclude", "send-libs"]),
    ("step_options::limits_are_handed_on", &["propagate"]),
    ("step_options::nodes_ports_and_numbers_can_be_given", &["nodefile", "preserve-env", "resv-ports", "whole"]),
    (
        "step_options::a_step_runs_in_a_container",
        &["container-image", "container-mounts", "container-workdir", "no-container-mount-home"],
    ),
    (
        "step_options::containers_are_started_as_asked",
        &[
            "container-entrypoint",
            "container-env",
            "container-mount-home",
            "container-name",
            "container-readonly",
            "container-remap-root",
            "container-writable",
            "no-container-entrypoint",
            "no-container-remap-root",
        ],
    ),
    ("job_steps::what_srun_says_of_itself", &["help", "quiet", "usage", "verbose", "version"]),
];

/// The same of salloc.
const SALLOC: &[(&str, &[&str])] = &[
    ("conformance: dependency.txt, salloc -d after:", &["dependency"]),
    ("together::licenses_are_counted", &["licenses"]),
    ("together::a_job_that_cannot_end_before_its_deadline_is_ended", &["deadline"]),
    ("notify::mail_tells_what_was_asked_for", &["mail-type", "mail-user"]),
    (
        "interactive::what_salloc_asks_for_is_what_it_gets",
        &[
            "account",
            "chdir",
            "clusters",
            "comment",
            "constraint",
            "cpus-per-gpu",
            "cpus-per-task",
            "distribution",
            "exclude",
            "exclusive",
            "extra",
            "get-user-env",
            "gpu-bind",
            "gpus",
            "gpus-per-node",
            "gpus-per-task",
            "gres",
            "help",
            "job-name",
            "mem",
            "mem-per-cpu",
            "mem-per-gpu",
            "mincpus",
            "nice",
            "nodefile",
            "nodelist",
            "nodes",
            "ntasks",
            "ntasks-per-gpu",
            "ntasks-per-node",
            "overcommit",
            "oversubscribe",
            "partition",
            "priority",
            "qos",
            "quiet",
            "spread-job",
            "time",
            "time-min",
            "tres-per-task",
            "usage",
            "use-min-nodes",
            "verbose",
            "version",
            "wait-all-nodes",
        ],
    ),
    ("interactive::salloc_may_be_told_to_wait_and_to_warn", &["begin", "hold", "signal"]),
    ("interactive::at_once_or_not_at_all", &["immediate"]),
    ("reservations::reserved_nodes_are_for_those_who_ask_for_them", &["reservation"]),
    ("interactive::one_that_is_taken_away_is_told", &["kill-command"]),
    ("interactive::without_a_shell_it_lives_until_it_is_cancelled", &["no-shell"]),
    ("terminal::the_bell_rings_when_it_is_asked_to", &["bell", "no-bell"]),
];

#[test]
fn honoured_options_are_tested() {
    for (command, covered_by) in [(Command::Sbatch, SBATCH), (Command::Srun, SRUN), (Command::Salloc, SALLOC)] {
        let honoured: BTreeSet<&str> = table::rows(command)
            .filter(|row| row.used_by(command).is_some_and(|u| u.class == Class::Honoured))
            .map(|row| row.name)
            .collect();
        let covered: BTreeSet<&str> = covered_by.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let missing: Vec<_> = honoured.difference(&covered).collect();
        let gone: Vec<_> = covered.difference(&honoured).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "{}: no test of {missing:?}; honoured no more: {gone:?}",
            command.name()
        );
    }
}

#[test]
fn the_tests_named_exist() {
    for (test, _) in SBATCH.iter().chain(SRUN).chain(SALLOC) {
        let Some((module, name)) = test.split_once("::") else { continue };
        let path = format!("{}/tests/suite/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(text.contains(&format!("fn {name}()")), "{test} is not there");
    }
}

/// What this machine cannot do is refused whether or not the controller has to be asked for it.
#[test]
fn what_is_refused_here_is_refused_in_the_same_way() {
    let lab = Lab::new(ONE);
    let image = "sbatch: error: --container-image: containers are for partitions on SkyPilot; on this machine start the \
                 container in the script\n";
    let bundle = "sbatch: error: SBATCH_CONTAINER (--container): containers are not supported on this machine; start the \
                  container in the script\n";
    let reboot = "sbatch: error: --reboot: nodes cannot be rebooted; leave the option out\n";
    let uid = "sbatch: error: --uid only permitted by root user\n";
    for (call, code, words) in [
        ("sbatch --container-image=ubuntu --reboot", 1, image),
        ("sbatch --reboot --container-image=ubuntu", 1, reboot),
        ("sbatch --test-only --mail-type=END --tmp=1G --container-image=ubuntu", 1, image),
        ("SBATCH_CONTAINER=/b sbatch -A nobody", 1, bundle),
        ("sbatch --uid=0 --container-image=ubuntu", 255, uid),
        ("sbatch --container-image=ubuntu --mem=x", 255, "sbatch: error: Invalid --mem specification\n"),
    ] {
        let out = lab.sh(&format!("{call} --wrap true"));
        assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (code, "", words), "{call}");
    }
}

/// Warnings stand before everything else, and in the table's order.
#[test]
fn warnings_stand_before_what_else_is_said() {
    let lab = Lab::new(&format!("{ONE}accounts = [\"a\"]\n"));
    let warnings = "sbatch: warning: --tmp: temporary disk is not counted: none is set aside for the job\n\
                    sbatch: warning: --wckey: workload keys are not recorded\n";
    let failed = "sbatch: error: Batch job submission failed: ";
    let asked = "--tmp=1G --wckey=w --wrap true";
    for (more, rest) in [
        ("-A a -H", String::new()),
        ("-A a -H -Q", String::new()),
        ("-A b", format!("{failed}Invalid account or account/partition combination specified\n")),
        (
            "-p nosuch",
            format!("sbatch: error: invalid partition specified: nosuch\n{failed}Invalid partition name specified\n"),
        ),
    ] {
        let out = lab.sh(&format!("sbatch {more} {asked}"));
        assert_eq!(out.stderr, format!("{warnings}{rest}"), "{more}");
    }
    let out = lab.sh(&format!("sbatch -A a -v --test-only {asked}"));
    let order = ["--wckey: ", "sbatch: defined options\n", "sbatch: end of defined options\nsbatch: Job "];
    let found: Vec<_> = order.iter().map(|part| out.stderr.find(part)).collect();
    assert!(out.stderr.starts_with(warnings) && found.is_sorted() && found[0].is_some(), "{out:?}");
}

/// The options of the query commands are too many for a table: each has to stand in a line that a test or a
/// capture runs, which fails where the row is dropped.
#[test]
fn honoured_options_of_the_queries_are_used() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = String::new();
    for (dir, mark) in [("testdata/captures", "$ "), ("tests/suite", "")] {
        for file in std::fs::read_dir(root.join(dir)).unwrap().flatten().filter(|f| f.path().is_file()) {
            let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
            lines.extend(text.lines().filter_map(|l| l.strip_prefix(mark)).flat_map(|l| [l, "\n"]));
        }
    }
    let mut unused = Vec::new();
    for command in [Command::Squeue, Command::Scancel, Command::Sacct, Command::Sinfo, Command::Scontrol] {
        let calls: Vec<&str> = lines
            .split(command.name())
            .skip(1)
            .filter_map(|rest| rest.split(['|', ';', '&', '"', '\n']).next())
            .collect();
        for row in table::rows(command).filter(|r| r.used_by(command).is_some_and(|u| u.class == Class::Honoured)) {
            // Every one of them has these: `queries::every_command_says_what_it_is`.
            if ["help", "usage", "version"].contains(&row.name) {
                continue;
            }
            let long = format!("--{}", row.name);
            let short = |word: &str| {
                word.strip_prefix('-').is_some_and(|w| !w.starts_with('-') && row.short.is_some_and(|s| w.contains(s)))
            };
            let used = |call: &&str| call.split_whitespace().any(|w| w.split('=').next() == Some(&*long) || short(w));
            if !calls.iter().any(used) {
                unused.push(format!("{} {long}", command.name()));
            }
        }
    }
    assert!(unused.is_empty(), "no test uses {unused:?}");
}
