//! Whole outputs, as in the captures squeue.txt and extra.txt and in `fields/squeue.txt`.

use super::*;
use crate::report::samples::{self, NOW};
use proptest::prelude::*;
use std::sync::Arc;

const USERS: Users = Users {
    me: 2001,
    by_name: |name| match name {
        "root" => Some(0),
        "alice" => Some(2001),
        _ => None,
    },
    by_uid: |uid| uid == 0 || uid == 2001,
};

/// stdout, stderr, exit code
type Said = (String, Vec<String>, u8);

fn squeue_with(jobs: &[Job], env: &[(&str, &str)], args: &[&str]) -> Said {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let query = options::parse(Command::Squeue, &args, &env).and_then(|parsed| Query::new(&parsed, &env, &USERS));
    let query = match query {
        Ok(query) => query,
        Err(refusal) => return (String::new(), refusal.lines, refusal.exit),
    };
    let filter = query.filter();
    let asked: Vec<Job> = jobs
        .iter()
        .filter(|job| {
            filter.ids.is_empty() || filter.ids.iter().any(|id| id.job == job.id || id.job == job.array_job_id())
        })
        .cloned()
        .collect();
    let asked = samples::sent(filter.depth, &asked);
    let mut complaints = query.complaints.clone();
    match query.render(&asked, &samples::cluster(), NOW, clock::utc) {
        Ok((out, wrong)) => {
            complaints.extend(wrong.iter().flat_map(|refusal| refusal.lines.iter().cloned()));
            (out, complaints, wrong.map_or(0, |refusal| refusal.exit))
        }
        Err(refusal) => {
            complaints.extend(refusal.lines);
            (String::new(), complaints, refusal.exit)
        }
    }
}

fn squeue(args: &[&str]) -> Said {
    squeue_with(&samples::queue(), &[], args)
}

fn out(args: &[&str]) -> String {
    let (out, complaints, code) = squeue(args);
    assert_eq!((complaints.as_slice(), code), (&[][..], 0), "{args:?}");
    out
}

const HEADER: &str = "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)\n";

const QUEUE: &str = "\
\x20               89     debug a-very-l    alice PD       0:00      1 (Resources)
                83       gpu    waits    alice PD       0:00      1 (Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions)
       84_[1-10%2]       gpu      arr    alice PD       0:00      1 (Priority)
    85_[1,3,5,7,9]       gpu     arr2    alice PD       0:00      1 (Priority)
                86       gpu      dep    alice PD       0:00      1 (Dependency)
                87       gpu    later    alice PD       0:00      1 (BeginTime)
                90       gpu    range    alice PD       0:00      3 (Priority)
                88       gpu     held    alice PD       0:00      1 (JobHeldUser)
                82       gpu      hog    alice  R       0:07      4 node[1-4]
";

#[test]
fn the_default_listing() {
    assert_eq!(out(&[]), format!("{HEADER}{QUEUE}"));
    assert_eq!(out(&["-h"]), QUEUE);
    assert_eq!(out(&["--me", "-h"]), QUEUE);
    assert_eq!(out(&["-o", DEFAULT]), format!("{HEADER}{QUEUE}"));
    assert_eq!(out(&["--only-job-state"]), out(&[]));
}

#[test]
fn the_long_listing() {
    let long = "\
Fri Nov 20 13:40:39 2026
             JOBID PARTITION     NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)
                89     debug a-very-l    alice  PENDING       0:00     10:00      1 (Resources)
";
    assert_eq!(out(&["-l", "-p", "debug"]), long);
    let rows = out(&["-l", "-h", "-n", "range,hog"]);
    assert_eq!(
        rows,
        "                90       gpu    range    alice  PENDING       0:00 2-03:05:00      3 (Priority)
                82       gpu      hog    alice  RUNNING       0:07   1:00:00      4 node[1-4]
"
    );
}

#[test]
fn arrays_unfold() {
    let rows = out(&["-r", "-h", "-n", "arr2"]);
    let expected: String = [1, 3, 5, 7, 9]
        .iter()
        .map(|n| format!("              85_{n}       gpu     arr2    alice PD       0:00      1 (Priority)\n"))
        .collect();
    assert_eq!(rows, expected);
    assert_eq!(out(&["-r", "-h"]).lines().count(), 22);
    assert_eq!(
        out(&["-j", "84_3", "-o", "%i %A %F %K %a %j"]),
        "JOBID JOBID ARRAY_JOB_ID ARRAY_TASK_ID ACCOUNT NAME\n84_3 84 84 3 research arr\n"
    );
    assert_eq!(out(&["-h", "-j", "84_99"]), "");
    assert_eq!(out(&["-h", "-j", "84", "-o", "%i %F %K %A"]), "84_[1-10%2] 84 1-10%2 84\n");
    assert_eq!(out(&["-h", "-S", "i", "-j", "84_[1-2],85_3", "-o", "%i"]), "84_1\n84_2\n85_3\n");
}

#[test]
fn long_arrays_are_cut() {
    let spec = "1,2,4,7,11,16,22,29,37,46,56,67,79,92,106,121,137,154,172,191,211,232,254";
    let jobs = [samples::array(samples::job(218, samples::request("wrap")), spec)];
    let said = |env: &[(&str, &str)], args: &[&str]| squeue_with(&jobs, env, args).0;
    assert!(said(&[], &["-h", "-o", "%i"]).ends_with("...]\n"));
    assert_eq!(said(&[("SLURM_BITSTR_LEN", "4")], &["-h", "-o", "%i"]), "218_[...]\n");
    assert_eq!(
        said(&[("SLURM_BITSTR_LEN", "0")], &["-h", "-o", "%i"]),
        format!("218_[{},4,7", "1-2") + &spec[7..] + "]\n"
    );
}

#[test]
fn elements_that_wait_alone_share_the_line() {
    let spec = "1-4";
    let mut rest = samples::array(samples::job(863, samples::request("q1")), "1,3-4");
    rest.reason = crate::slurm::reason::Reason::JobHeldUser;
    let mut two = samples::element(samples::job(865, samples::request("q1")), 863, 2, spec);
    two.priority = 5;
    let jobs = [rest, two];
    let ids = |args: &[&str]| squeue_with(&jobs, &[], args).0;
    assert_eq!(
        ids(&["-h", "-j", "863"]),
        "         863_[1-4]       gpu       q1    alice PD       0:00      1 (JobHeldUser,None)\n"
    );
    assert_eq!(ids(&["-h", "-j", "863_2,863_3", "-o", "%i %r"]), "863_2 None\n863_3 JobHeldUser\n");
    assert_eq!(ids(&["-h", "-r", "-S", "i", "-o", "%i"]), "863_1\n863_2\n863_3\n863_4\n");
    assert_eq!(ids(&["-h", "--array-unique", "-S", "i", "-o", "%i"]), "863_2\n863_[1,3-4]\n");
}

#[test]
fn states_are_chosen_and_refused() {
    assert_eq!(out(&["-t", "R", "-h", "-o", "%i %t %T"]), "82 R RUNNING\n");
    assert_eq!(out(&["-t", "pending,running", "-h", "-o", "%i"]).lines().count(), 9);
    assert_eq!(out(&["-t", "", "-h"]), "");
    assert_eq!(out(&["-t", "RESV_DEL_HOLD", "-h"]), "");
    let (_, lines, code) = squeue(&["-t", "bogus"]);
    assert_eq!(lines[0], "squeue: error: Invalid job state specified: bogus");
    assert_eq!(
        (lines[1].as_str(), lines[2].as_str(), code),
        (format!("squeue: error: Valid job states include: {}", words::VALID_STATES).as_str(), "", 1)
    );
    let finished = squeue_with(&samples::recorded(), &[], &["-t", "CA,F", "-h", "-S", "i", "-o", "%i"]);
    assert_eq!(finished.0, "830\n835\n836\n");
    assert_eq!(squeue_with(&samples::recorded(), &[], &["-h", "-o", "%i"]).0.lines().count(), 6);
}

#[test]
fn finished_jobs_look_as_recorded() {
    let (text, ..) = squeue_with(&samples::recorded(), &[], &["-t", "all", "-S", "i"]);
    let expected = "\
\x20              828       gpu  dispRun    alice  R       0:08      2 node[1-2]
               829       gpu dispAllo    alice  R       0:08      1 node1
               830       gpu dispFail    alice  F       0:00      1 (NonZeroExitCode)
               831       gpu dispLate    alice PD       0:00      4 (BeginTime)
               832       gpu  dispBig    alice PD       0:00      3 (JobHeldUser)
      833_[1-10%2]       gpu  dispArr    alice PD       0:00      1 (JobHeldUser)
               834       gpu dispTask    alice PD       0:00      2 (JobHeldUser)
               835       gpu  dispCan    alice CA       0:00      1 
               836       gpu dispKill    alice CA       0:01      1 node1
";
    assert_eq!(text, format!("{HEADER}{expected}"));
}

#[test]
fn expected_starts() {
    let (text, ..) = squeue_with(&samples::recorded(), &[], &["--start"]);
    let expected = "\
\x20            JOBID PARTITION     NAME     USER ST          START_TIME  NODES SCHEDNODES           NODELIST(REASON)
               831       gpu dispLate    alice PD 2026-11-20T14:40:36      4 (null)               (BeginTime)
               832       gpu  dispBig    alice PD                 N/A      3 (null)               (JobHeldUser)
      833_[1-10%2]       gpu  dispArr    alice PD                 N/A      1 (null)               (JobHeldUser)
               834       gpu dispTask    alice PD                 N/A      2 (null)               (JobHeldUser)
";
    assert_eq!(text, expected);
}

#[test]
fn steps() {
    let said = |args: &[&str]| squeue_with(&samples::recorded(), &[], args);
    let expected = "\
\x20        STEPID     NAME PARTITION     USER      TIME NODELIST
      828.batch    batch       gpu    alice      0:08 node1
     828.extern   extern       gpu    alice      0:08 node[1-2]
          829.0    sleep       gpu    alice      0:05 node1
     829.extern   extern       gpu    alice      0:08 node1
";
    assert_eq!(said(&["-s"]).0, expected);
    assert_eq!(said(&["-h", "-s", "829.0"]).0, "          829.0    sleep       gpu    alice      0:05 node1\n");
    assert_eq!(
        said(&["-h", "-s829.0", "-o", "%i %A %q"]),
        ("829.0 1 %q\n".into(), vec!["squeue: error: Invalid job step format specification: q".into()], 0)
    );
    assert_eq!(said(&["-s", "829"]).1, ["squeue: error: Invalid job_step id: 829.??"]);
    assert_eq!(said(&["-h", "-s", "999999.0"]).0, "");
}

#[test]
fn ids() {
    let error = vec!["slurm_load_jobs error: Invalid job id specified".to_owned()];
    assert_eq!(squeue(&["-j", "999999"]), (String::new(), error.clone(), 1));
    assert_eq!(squeue(&["-j", "999999_1", "-h"]), (String::new(), error, 1));
    assert_eq!(out(&["-j", "999999,999998"]), HEADER);
    assert_eq!(out(&["-h", "-j", "82,999999", "-o", "%j"]), "hog\n");
    assert_eq!(squeue(&["-j", "abc,1"]).1, ["squeue: error: Invalid job id: abc"]);
    assert_eq!(squeue(&["-j", "0"]).1, ["squeue: error: Invalid job id: 0"]);
    assert_eq!(out(&["-h", "-j", "82 ", "-o", "%i"]), "82\n");
    assert_eq!(out(&["-j", ""]), HEADER);
    assert_eq!(squeue_with(&samples::recorded(), &[], &["-j", "830"]), (HEADER.into(), vec![], 0));
}

#[test]
fn users() {
    let (text, lines, code) = squeue(&["-u", "nosuchuser"]);
    assert_eq!((text.as_str(), code), (HEADER, 0));
    assert_eq!(lines, ["squeue: error: Invalid user: nosuchuser", ""]);
    assert_eq!(out(&["-u", "root"]), HEADER);
    assert_eq!(out(&["-u", "2001", "-h"]), QUEUE);
    assert_eq!(squeue(&["-u", "nosuch,alice", "-h"]).0, QUEUE);
    assert_eq!(out(&["--notme", "-h"]), "");
}

#[test]
fn other_filters() {
    assert_eq!(out(&["-p", "nosuch"]), HEADER);
    assert_eq!(out(&["-w", "node2", "-h", "-o", "%i"]), "82\n");
    assert_eq!(squeue(&["-w", "nosuch"]), (String::new(), vec!["squeue: error: Invalid node name nosuch".into()], 1));
    assert_eq!(out(&["-A", "research", "-h"]), QUEUE);
    assert_eq!(out(&["-A", "other", "-h"]), "");
    assert_eq!(out(&["-q", "normal", "-h"]), QUEUE);
}

#[test]
fn sorting() {
    assert_eq!(out(&["-S", "-i", "-h", "-o", "%A"]), "90\n89\n88\n87\n86\n85\n84\n83\n82\n");
    assert_eq!(out(&["-S", "t,-p", "-h", "-o", "%A"]), "83\n84\n85\n86\n87\n89\n90\n88\n82\n");
    assert_eq!(squeue(&["-S", "foo"]).1, ["squeue: error: Invalid sort specification: o"]);
}

#[test]
fn formats() {
    let hog = |format: &str| squeue(&["-n", "hog", "-o", format]);
    let bad = |words: &[&str]| -> Vec<String> {
        words.iter().map(|w| format!("squeue: error: Invalid job format specification: {w}")).collect()
    };
    assert_eq!(
        hog("%.18i %9P|%-9P|%.3P|%3P|%P%%|%.2t").0.lines().last(),
        Some("                82 gpu      |%-9P|gpu|gpu|gpu%| R")
    );
    assert_eq!(hog("%.18i %9P|%-9P|%.3P|%3P|%P%%|%.2t").1, bad(&["-", "|"]));
    assert_eq!(hog("%!"), ("%!\n%!\n".into(), bad(&["!"]), 0));
    assert_eq!(hog("").0, "\n\n");
    assert_eq!(hog("%i lit \\t %Q").0, "JOBID lit \\t PRIORITY\n82 lit \\t 4294901698\n");
    let names = |format: &str| squeue(&["-n", "hog", "-O", format]);
    assert_eq!(
        names("JobArrayID:8,Name:.20,State: ,Reason:5,NodeList").0,
        "JOBID                   NAMESTATE REASONODELIST            \n82                       hogRUNNING None node[1-4]           \n"
    );
    assert_eq!(
        names("jobid,bogusfield"),
        ("JOBID               \n82                  \n".into(), bad(&["bogusfield"]), 0)
    );
    assert_eq!(names("jobid:###x###,state:|").0, "JOBID###x###STATE|\n82###x###RUNNING|\n");
}

#[test]
fn all_letters() {
    let (text, ..) = squeue_with(&samples::recorded(), &[], &["-j", "829", "-o", "%all"]);
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "ACCOUNT|TRES_PER_NODE|MIN_CPUS|MIN_TMP_DISK|END_TIME|FEATURES|GROUP|OVER_SUBSCRIBE|JOBID|NAME|COMMENT|TIME_LIMIT|MIN_MEMORY|REQ_NODES|COMMAND|PRIORITY|QOS|REASON||ST|USER|RESERVATION|WCKEY|EXC_NODES|NICE|S:C:T|JOBID|EXEC_HOST|CPUS|NODES|DEPENDENCY|ARRAY_JOB_ID|GROUP|SOCKETS_PER_NODE|CORES_PER_SOCKET|THREADS_PER_CORE|ARRAY_TASK_ID|TIME_LEFT|TIME|NODELIST|CONTIGUOUS|PARTITION|PRIORITY|NODELIST(REASON)|START_TIME|STATE|UID|SUBMIT_TIME|LICENSES|CORE_SPEC|SCHEDNODES|WORK_DIR"
        )
    );
    assert_eq!(
        lines.next(),
        Some(
            "research|N/A|1|0|2026-11-21T13:40:31|(null)|alice|OK|829|dispAlloc|(null)|1-00:00:00|2000M||(null)|0.99998472887091|normal|None||R|alice|(null)|(null)||0|*:*:*|829|localhost|2|1|(null)|829|2001|*|*|*|N/A|23:59:52|0:08|node1|0|gpu|4294901706|node1|2026-11-20T13:40:31|RUNNING|2001|2026-11-20T13:40:31|(null)|N/A|(null)|/home/alice"
        )
    );
}

#[test]
fn variables() {
    let said = |env: &[(&str, &str)], args: &[&str]| squeue_with(&samples::queue(), env, args).0;
    assert_eq!(said(&[("SQUEUE_FORMAT", "%i %j")], &["-n", "hog"]), "JOBID NAME\n82 hog\n");
    assert_eq!(said(&[("SQUEUE_FORMAT2", "jobid:6,name:4")], &["-n", "hog"]), "JOBID NAME\n82    hog \n");
    assert_eq!(said(&[("SQUEUE_FORMAT", "%i"), ("SQUEUE_FORMAT2", "name")], &["-h", "-n", "hog"]), "82\n");
    assert!(said(&[("SQUEUE_FORMAT", "%i")], &["-l", "-n", "hog"]).contains("TIME_LIMI"));
    assert_eq!(said(&[("SQUEUE_STATES", "R")], &["-h", "-o", "%t"]), "R\n");
    assert_eq!(said(&[("SQUEUE_ARRAY", "1")], &["-h", "-n", "arr2"]).lines().count(), 5);
    assert_eq!(said(&[("SQUEUE_SORT", "-i")], &["-h", "-o", "%A"]).lines().next(), Some("90"));
    assert_eq!(
        said(&[("SLURM_TIME_FORMAT", "%s")], &["-h", "-n", "hog", "-o", "%S|%12V"]),
        format!("{}|{:<12}\n", NOW - 7, NOW - 3)
    );
}

#[test]
fn options_that_exclude_each_other() {
    assert_eq!(
        squeue(&["-o", "%i", "-O", "jobid"]).1,
        ["squeue: error: -O (--Format) is incompatible with -o (--format)"]
    );
    assert_eq!(
        squeue(&["-l", "-o", "%i"]).1,
        ["squeue: fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry."]
    );
    assert_eq!(squeue(&["-i", "0"]).1, ["squeue: error: --iterate=0", ""]);
    let (_, lines, code) = squeue(&["extra"]);
    assert_eq!((lines[0].as_str(), code), ("squeue: error: Unrecognized option: extra", 1));
}

/// Jobs come with no more than is shown of them, and with all of that.
#[test]
fn what_is_asked_for_is_what_is_shown() {
    let said = Arc::new(samples::request_that_says_all("said"));
    let with_all = |job: Job| Job { request: Arc::clone(&said), ..job };
    let jobs: Vec<Job> = samples::queue().into_iter().map(with_all).collect();
    let query = |args: &[&str]| {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        Query::new(&options::parse(Command::Squeue, &args, &|_| None).unwrap(), &|_| None, &USERS).unwrap()
    };
    for (args, depth) in [
        (&[][..], Depth::Brief),
        (&["-l", "-r", "-S", "-S,u"], Depth::Brief),
        (&["--start", "-t", "all"], Depth::Brief),
        (&["-o", "%i %Z"], Depth::WithoutSteps),
        (&["-S", "m"], Depth::WithoutSteps),
        (&["-L", "x"], Depth::WithoutSteps),
        (&["-R", "x"], Depth::WithoutSteps),
        (&["-s"], Depth::Whole),
        (&["-O", "jobid,exit_code"], Depth::Whole),
        (&["--json"], Depth::Whole),
    ] {
        assert_eq!(query(args).filter().depth, depth, "{args:?}");
    }
    let brief = samples::sent(Depth::Brief, &jobs);
    let cluster = samples::cluster();
    for name in BRIEF {
        let query = query(&["-t", "all", "-O", name]);
        let of = |jobs| query.render(jobs, &cluster, NOW, clock::utc).unwrap().0;
        assert_eq!(of(&brief), of(&jobs), "{name}");
    }
}

#[test]
fn ten_thousand_jobs_are_ten_thousand_lines() {
    let mut jobs = Vec::new();
    for id in 1..=10_000 {
        let mut job = samples::job(id, samples::request("train"));
        job.priority = u32::MAX - id;
        jobs.push(job);
    }
    let args: Vec<OsString> = Vec::new();
    let parsed = options::parse(Command::Squeue, &args, &|_| None).unwrap();
    let query = Query::new(&parsed, &|_| None, &USERS).unwrap();
    let cluster = samples::cluster();
    let (text, _) = query.render(&jobs, &cluster, NOW, clock::utc).unwrap();
    assert_eq!(text.lines().count(), 10_001);
}

proptest! {
    #[test]
    fn no_option_text_panics(text in "\\PC{0,24}", odd in "[%.0-9a-zA-Z:,_#-]{0,24}") {
        for text in [text.as_str(), odd.as_str()] {
            for option in ["-o", "-O", "-S", "-t", "-u", "-j", "-w", "-n", "-s"] {
                squeue(&[option, text]);
            }
        }
    }
}
