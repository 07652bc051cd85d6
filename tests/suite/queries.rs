//! Options of the query commands that the captures do not use; what each changes.

use crate::harness::{Lab, RECORDED};

/// A held job in two partitions (1) and a running one on node2 (2).
fn two_jobs() -> Lab {
    let lab = Lab::new(RECORDED);
    lab.sh("sbatch -Q -H -J held -p gpu,debug --mem=4G --wrap true; sbatch -Q -J runs -w node2 -o /dev/null --wrap 'sleep 3600'").ok();
    lab.until("squeue -h -t R -o %j", "runs");
    lab
}

fn expect(lab: &Lab, cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let out = lab.sh(line);
        assert_eq!((out.stdout.as_str(), out.code), (*expected, 0), "{line}: {out:?}");
    }
}

#[test]
fn squeue_s_other_options() {
    let lab = two_jobs();
    expect(
        &lab,
        &[
            ("squeue --clusters=lab -h -o %i", "2\n1\n"),
            ("squeue -h -L nosuch", ""),
            ("squeue -h -j 1 -o %m --noconvert", "4096M\n"),
            ("squeue -h --notme", ""),
            ("squeue -h --only-job-state -j 2 -o %T", "RUNNING\n"),
            ("squeue -h -P -j 1 -o '%i %P'", "1 debug\n1 gpu\n"),
            ("squeue -h -R nosuch", ""),
        ],
    );
    assert!(lab.sh("squeue -v -h -o %i").ok().contains("records=2"));
    assert!(lab.sh("squeue -M nosuch").stderr.contains("No cluster 'nosuch' known by database."));
}

#[test]
fn squeue_and_scontrol_tell_when_jobs_will_start() {
    let lab = two_jobs();
    lab.sh("sbatch -Q -J hog -N4 --mem=490G -t 60 --wrap 'sleep 3600'; sbatch -Q -J next -N4 --exclusive -t 10 --wrap true").ok();
    lab.sh("sbatch -Q -J later -t 5 --begin=now+2hours --wrap true").ok();
    lab.until("squeue -h -n hog -t R -o %j", "hog");
    lab.until("squeue -h -n next -o %r", "Resources");
    // At the end of what runs, by its limit, and in the order of the queue.
    expect(
        &lab,
        &[
            ("test $(squeue -h -n runs -o %e) = $(squeue --start -h -n next -o %S)", ""),
            ("squeue --start -h -o '%j %Y'", "later (null)\nnext node[1-4]\nheld (null)\n"),
            ("squeue -h -n held -o '%S %e'", "N/A N/A\n"),
            ("squeue --json | grep -c '\"job_id\": 4,'", "1\n"),
        ],
    );
    assert!(lab.sh("scontrol show job 4").ok().contains(" SchedNodeList=node[1-4]\n"));
    let [start, end] =
        ["%S", "%e"].map(|field| lab.sh(&format!("date -d $(squeue -h -j 5 -o {field}) +%s")).ok().to_owned());
    let [start, end]: [i64; 2] = [start, end].map(|time| time.trim().parse().unwrap());
    assert_eq!(end - start, 300);
}

#[test]
fn sacct_s_other_options() {
    let lab = two_jobs();
    expect(
        &lab,
        &[
            ("sacct -n -X -P -M lab -o jobid", "2\n"),
            ("sacct -n -X -P -A research -o jobid", "2\n"),
            ("sacct -n -X -P -A other -o jobid", ""),
            ("sacct -n -X -P -N node2 -o jobid", "2\n"),
            ("sacct -n -X -P -N node3 -o jobid", ""),
            ("sacct -n -X -P -r gpu -o jobid", "2\n"),
            ("sacct -n -X -P -r debug -o jobid", ""),
            ("sacct -n -X -P -q normal -o jobid", "2\n"),
        ],
    );
    let converted = lab.sh("sbatch -Q --wait -o /dev/null --mem=4G --wrap true; sacct -n -X -P -j 3 -o reqmem; sacct -n -X -P --noconvert -j 3 -o reqmem");
    assert_eq!(converted.ok(), "4G\n4096M\n");
    assert!(lab.sh("sacct -v -n -X").stderr.contains("time window"));
}

#[test]
fn sinfo_s_other_options() {
    let lab = Lab::new(RECORDED);
    expect(
        &lab,
        &[
            ("sinfo -M lab -h -o '%P %D'", "gpu* 4\ndebug 4\n"),
            ("sinfo -h -r -o '%P %D'", "gpu* 4\ndebug 4\n"),
            ("sinfo -T", "No reservations in the system\n"),
            ("sinfo -h -S -P -o %P", "gpu*\ndebug\n"),
            ("sinfo -h -S P -o %P", "debug\ngpu*\n"),
        ],
    );
    // It goes on by itself; what it printed twice is enough.
    let twice = lab.sh("timeout 30 sinfo -h -i 1 -o all-%D | grep -m 2 -c all");
    assert_eq!(twice.ok(), "2\n");
}

#[test]
fn scancel_s_and_scontrol_s_other_options() {
    let lab = two_jobs();
    lab.sh("scancel -M lab 99; scancel --ctld -R nosuch; scancel -q other; scancel -n held -q other").ok();
    assert_eq!(lab.sh("squeue -h -o %i").ok(), "2\n1\n");
    lab.sh("scancel --ctld -n held -q normal").ok();
    assert_eq!(lab.sh("squeue -h -o %i").ok(), "2\n");
    assert!(lab.sh("scontrol -M lab ping").ok().contains("is UP"));
    let (loud, quiet) = (lab.sh("scontrol show job 99"), lab.sh("scontrol -Q show job 99"));
    assert!(loud.code == 1 && loud.stderr.contains("Invalid job id specified"), "{loud:?}");
    assert!(quiet.code == 1 && quiet.stderr.is_empty(), "{quiet:?}");
}

#[test]
fn every_command_says_what_it_is() {
    let lab = Lab::new(RECORDED);
    for command in ["squeue", "scancel", "sacct", "sinfo", "scontrol"] {
        assert!(lab.sh(&format!("{command} --help")).ok().starts_with(&format!("Usage: {command}")), "{command}");
        assert!(lab.sh(&format!("{command} --usage")).ok().starts_with(&format!("Usage: {command}")), "{command}");
        assert_eq!(lab.sh(&format!("{command} -V")).ok(), "slurm 24.11.5\n", "{command}");
    }
}

fn json(out: &str) -> serde_json::Value {
    serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Programs are told of the same jobs, nodes and partitions; the shapes are tested beside the code.
#[test]
fn json_and_yaml_tell_what_the_listings_tell() {
    let lab = two_jobs();
    lab.sh("sbatch -Q --wait -J ended -o /dev/null --wrap 'exit 3'");
    let names = |out: &str, of: &str| -> Vec<String> {
        json(out)[of].as_array().unwrap().iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect()
    };
    // All jobs, whatever squeue would list, unless states are chosen.
    assert_eq!(names(lab.sh("squeue --json").ok(), "jobs"), ["held", "runs", "ended"]);
    assert_eq!(names(lab.sh("squeue --json -t R").ok(), "jobs"), ["runs"]);
    assert_eq!(names(lab.sh("squeue --json --name ended -S i -o %i -h").ok(), "jobs"), ["ended"]);
    let none = json(lab.sh("squeue --json -u root -t CD").ok());
    assert_eq!(none["warnings"][0]["description"], "Zero jobs to dump");
    assert_eq!(names(lab.sh("scontrol --json show job 2").ok(), "jobs"), ["runs"]);
    assert_eq!(names(lab.sh("scontrol show nodes --json node[2-3]").ok(), "nodes"), ["node2", "node3"]);
    assert_eq!(names(lab.sh("scontrol show partition --json").ok(), "partitions"), ["gpu", "debug"]);
    assert_eq!(json(lab.sh("squeue -s --json").ok())["steps"][0]["id"], "2.batch");
    assert_eq!(json(lab.sh("scontrol show step --json 2.batch").ok())["steps"][0]["name"], "batch");
    let sinfo = json(lab.sh("sinfo --json -p debug -n node2").ok());
    assert_eq!(
        (&sinfo["sinfo"][0]["partition"]["name"], &sinfo["sinfo"][0]["cpus"]["allocated"]),
        (&"debug".into(), &1.into())
    );
    let ended = &json(lab.sh("sacct --json -j 3").ok())["jobs"][0];
    assert_eq!(
        (&ended["exit_code"]["return_code"]["number"], &ended["steps"][0]["step"]["id"]),
        (&3.into(), &"3.batch".into())
    );
    assert_eq!(ended["exit_code"]["status"], serde_json::json!(["ERROR"]));

    for entity in ["user", "account", "association", "qos", "cluster", "tres"] {
        let told = json(lab.sh(&format!("sacctmgr --json show {entity}")).ok());
        let listed = lab.sh(&format!("sacctmgr -nP show {entity}")).ok().lines().count();
        let name = if entity == "qos" { "qos".into() } else { format!("{entity}s").replace("tress", "TRES") };
        assert_eq!(told[&name].as_array().map(Vec::len), Some(listed), "{entity}");
        assert_eq!(told["meta"]["command"], serde_json::json!([]), "{entity}");
    }
    assert_eq!(json(lab.sh("sinfo --json -N").ok())["meta"]["command"], serde_json::json!(["sinfo", "--json"]));
    for line in ["squeue --yaml", "sinfo --yaml", "sacct -j 3 --yaml", "scontrol --yaml show partition gpu"] {
        let mut both =
            [serde_yaml::from_str(lab.sh(line).ok()).unwrap(), json(lab.sh(&line.replace("--yaml", "--json")).ok())];
        // When and how it was asked.
        both.iter_mut().for_each(|answer| {
            answer["last_update"] = serde_json::Value::Null;
            answer["meta"]["command"] = serde_json::Value::Null;
        });
        assert_eq!(both[0], both[1], "{line}");
    }
    for (line, code, stdout, stderr) in [
        ("squeue --json=list", 0, "data_parser/v0.0.42\n", "Possible data_parser plugins:\n"),
        (
            "sacct --yaml=v0.0.1",
            0,
            "",
            "sacct: error: load_plugins: unable to find plugin: data_parser/v0.0.1\n\
             sacct: error: data_parser_g_new: failure loading plugins: Plugin has invalid format or unable to be loaded\n\
             sacct: error: application/x-yaml output not supported by data_parser/v0.0.42\n",
        ),
        (
            "sshare --json=",
            253,
            "",
            "sshare: error: data_parser_g_new: invalid plugin \n\
             sshare: error: application/json output not supported by data_parser/v0.0.42\n",
        ),
        (
            "squeue --yaml --json=v0.0.42+bogus | head -c 11",
            0,
            "{\n  \"jobs\":",
            "squeue: warning: data_parser/v0.0.42 ignoring unknown flag bogus\n",
        ),
        // What is not there is no error to a program, as in Slurm.
        ("scontrol show job 99 --json | head -n 2", 0, "{\n  \"jobs\": [],\n", ""),
        ("scontrol show step 99 --json | head -n 2", 0, "{\n  \"steps\": [],\n", ""),
        ("scontrol show reservation nosuch --json | head -n 2", 0, "{\n  \"reservations\": [],\n", ""),
        ("scontrol show licenses --json | grep -o 'Zero .*dump'", 0, "Zero licenses to dump\n", ""),
        ("sacctmgr --json show wckeys | head -n 2", 0, "{\n  \"wckeys\": [],\n", ""),
        ("sacctmgr ping --json | grep responding", 0, "      \"responding\": true,\n", ""),
        ("sshare --yaml | head -n 4", 0, "%YAML 1.1\n--- !!map\n!!str shares: !!map\n  !!str shares: !!seq\n", ""),
        ("sshare --json | grep total_shares", 0, "    \"total_shares\": 0\n", ""),
    ] {
        let out = lab.sh(line);
        assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (code, stdout, stderr), "{line}");
    }
}

/// What programs read does not change with the terminal, the language or the width.
#[test]
fn machine_output_is_the_same_everywhere() {
    let lab = two_jobs();
    let line = "squeue --json=v0.0.42 | grep -v -E 'number|\"squeue'";
    let plain = lab.sh(line);
    let elsewhere =
        lab.sh(&format!("COLUMNS=20 LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo SLURM_TIME_FORMAT=relative TERM=dumb {line}"));
    assert_eq!(plain.ok(), elsewhere.ok());
    // Who reads no further ends the command at once.
    assert_eq!(lab.sh("squeue --json | head -n 1; echo ${PIPESTATUS[0]}").ok(), "{\n0\n");
}

#[test]
fn sacct_narrows_down() {
    let lab = two_jobs();
    lab.sh("sbatch -Q --wait -t 5 -o %x-%j.txt -J done -n2 --wrap 'exit 3'");
    expect(
        &lab,
        &[
            ("sacct -n -X -P -o jobid --nnodes=1", "2\n3\n"),
            ("sacct -n -X -P -o jobid --ncpus=2-4", "3\n"),
            ("sacct -n -X -P -o jobid --timelimit-min=4 --timelimit-max=00:06:00", "3\n"),
            ("sacct -n -X -P -o jobid -g $(id -gn),$(id -g)", "2\n3\n"),
            ("sacct -n -X -P -o jobid --constraints=nosuch", ""),
            ("sacct -n -X -P -o jobid --flags=SchedMain", "2\n3\n"),
            ("sacct -n -X -P -o jobid --reason=Priority", ""),
            ("sacct -n -X -P -o jobid --associations=99", ""),
            ("sacct -n -X -P -j 3 -o stdout | sed s,.*/,,", "%x-%j.txt\n"),
            ("sacct -n -X -P -j 3 --expand-patterns -o stdout | sed 's,.*/,,'", "done-3.txt\n"),
            ("squeue -h -j 3 -t all -O stdout:90 | sed 's,.*/,,;s, *$,,'", "%x-%j.txt\n"),
            ("squeue -h -j 3 -t all --expand-patterns -O stdout:90 | sed 's,.*/,,;s, *$,,'", "done-3.txt\n"),
            ("sacct -B -j 3 | tail -n 3", "\nexit 3\n\n"),
            ("A=1 sbatch -Q --wait --export=A -o /dev/null --wrap true; sacct --env-vars -j 4 | grep ^A=", "A=1\n"),
            // The window's end is the job's, and its run time what lies in it.
            ("sacct -n -X -P -j 2 -S now -E now+1hours --truncate -o elapsedraw", "0\n"),
        ],
    );
    assert_eq!(lab.sh("sacct -g nosuchgroup").fails(1), "sacct: error: Invalid group id: nosuchgroup\n");
    assert!(lab.sh("sacct -B").fails(1).starts_with("sacct: fatal: When requesting job scripts you must also"));
}

#[test]
fn scontrol_s_other_commands() {
    let lab = two_jobs();
    let session = lab.sh("printf 'version\\nbogus\\noneliner\\nshow partition debug\\n!!\\nexit\\nping\\n' | scontrol");
    assert_eq!((session.code, session.stderr.as_str()), (1, "invalid keyword: bogus\n"));
    assert_eq!(session.stdout.matches("scontrol: ").count(), 6, "{session:?}");
    assert_eq!(
        session.stdout.lines().filter(|line| line.starts_with("PartitionName=debug AllowGroups=ALL")).count(),
        2
    );
    assert!(!session.stdout.contains("UP\n"), "nothing comes behind exit: {session:?}");
    expect(
        &lab,
        &[
            ("scontrol wait_job 2", ""),
            ("scontrol completing", ""),
            ("scontrol errnumstr 2017", "Invalid job id specified\n"),
            ("scontrol oneliner", ""),
            (
                "B='sbatch -Q --begin=now+1hours --wrap true'; $B; $B; scontrol top 4; squeue -h -t PD -S -p -o %i",
                "4\n3\n1\n",
            ),
        ],
    );
    assert_eq!(lab.sh("scontrol wait_job 1").fails(1), "scontrol: Job 1 no longer running\n");
    assert_eq!(lab.sh("scontrol wait_job 99").fails(1), "scontrol: Problem running job 99\n");
    assert_eq!(lab.sh("scontrol show topology").stderr, "scontrol: error: No topology information available\n");
    let pids = lab.sh("scontrol listpids 2.batch node2");
    let lines: Vec<Vec<&str>> = pids.ok().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["PID", "JOBID", "STEPID", "LOCALID", "GLOBALID"]);
    assert_eq!(lines[1][1..], ["2", "batch", "0", "0"]);
    assert_eq!(lab.sh(&format!("ps -o comm= -p {}", lines[1][0])).ok().trim(), "slurm_script");
    assert_eq!(lab.sh("scontrol listpids 1").fails(1), "Job 1 does not exist on this node.\n");
}

/// What programs ask for at their start.
#[test]
fn accounts_shares_and_diagnostics_are_told() {
    let lab = two_jobs();
    lab.sh("sbatch -Q --wait -o /dev/null --wrap true; scancel 1");
    let me = lab.sh("id -un").ok().trim().to_owned();
    expect(
        &lab,
        &[
            ("sacctmgr -n -s list user \"$(id -un)\" format=account%256 | tr -d ' '", "research\n"),
            ("sshare -U --format Account%256 --noheader | tr -d ' '", "research\n"),
            ("sacctmgr -nP show cluster format=cluster", "lab\n"),
            ("sacctmgr show qos -n -P format=name", "normal\n"),
            (
                "sacctmgr ping | cut -d' ' -f1,3-",
                "slurmdbd(primary) $(hostname) is UP\n".replace("$(hostname)", lab.sh("hostname").ok().trim()).as_str(),
            ),
            (
                "sdiag | grep ^Jobs",
                "Jobs submitted: 3\nJobs started:   2\nJobs completed: 1\nJobs canceled:  1\nJobs failed:    0\nJobs pending:   0\nJobs running:   1\n",
            ),
            (
                "seff 3 | head -n 5",
                format!(
                    "Job ID: 3\nCluster: lab\nUser/Group: {me}/{}\nState: COMPLETED (exit code 0)\nCores: 1\n",
                    lab.sh("id -gn").ok().trim()
                )
                .as_str(),
            ),
            (
                "seff -d 3 | sed -n '2{s/ [0-9]* 0$/ MEM 0/;s/ [0-9]* [0-9]* MEM/ MEM/;p}' | cut -d' ' -f3,4,7-",
                "3  COMPLETED lab 1 1 2048000 0 MEM 0\n",
            ),
            ("strigger --get", ""),
            (
                "sdiag --json | grep -A1 -e '\"jobs_completed\"'",
                "    \"jobs_completed\": 1,\n    \"jobs_canceled\": 1,\n",
            ),
            ("sdiag --yaml | grep ' jobs_submitted:'", "  !!str jobs_submitted: !!int 3\n"),
            ("scontrol ping --json | grep -c '\"pinged\": \"UP\"'", "1\n"),
            ("sreport version", "slurm 24.11.5\n"),
        ],
    );
    for (line, code, stderr) in [
        (
            "sprio",
            1,
            "You are not running a supported priority plugin\n(priority/basic).\nOnly 'priority/multifactor' is supported.\n",
        ),
        ("scrontab -l", 1, "scrontab: fatal: scrontab is disabled on this cluster\n"),
        ("strigger --set --fini -j 2 -p /bin/true", 1, "slurm_set_trigger: Access/permission denied\n"),
        ("seff 99", 2, "Job not found.\n"),
        (
            "sreport cluster userutilizationbywckey",
            1,
            "sreport: error: userutilizationbywckey is not supported: workload keys are not recorded\n",
        ),
    ] {
        assert_eq!(lab.sh(line).fails(code), stderr, "{line}");
    }
}

/// From the accounting, over whole hours.
#[test]
fn sreport_counts_what_jobs_had() {
    let lab = Lab::new(RECORDED);
    lab.sh(
        "sbatch -Q --wait -n4 -o /dev/null --wrap 'sleep 2'; sbatch -Q --wait --gpus=1 -o /dev/null --wrap 'sleep 1'",
    )
    .ok();
    // A time is rounded to the hour it is nearest to: in a zone where that one is to come, all of it is in the window.
    let minute: u32 = lab.sh("date -u +%M").ok().trim().parse().unwrap();
    let zone = if minute < 30 { "XXX-0:30" } else { "UTC" };
    let time = format!("start=$(TZ={zone} date -d '1 hour ago' +%FT%H:00) end=now");
    let sreport = |what: &str| lab.sh(&format!("TZ={zone} sreport -nP {what} {time}")).ok().to_owned();
    let report = |what: &str| sreport(&format!("-t seconds {what}"));
    let seconds = |text: &str, at: usize| text.trim().split('|').nth(at).unwrap().parse::<u64>().unwrap();
    let by_user = report("user topusage");
    assert!((8..200).contains(&seconds(&by_user, 4)), "{by_user}");
    let by_account = report("cluster accountutilizationbyuser tree");
    let accounts: Vec<&str> = by_account.lines().map(|line| line.split('|').nth(1).unwrap()).collect();
    assert_eq!(accounts, ["root", " research", "  research"]);
    let cluster = report("cluster utilization");
    let [allocated, idle, planned, reported] = [1, 4, 5, 6].map(|at| seconds(&cluster, at));
    assert_eq!(allocated + idle + planned, reported, "{cluster}");
    let gpus = report("-T gres/gpu user topusage");
    assert!((1..60).contains(&seconds(&gpus, 5)), "{gpus}");
    let sizes = sreport("job sizesbyaccount flatview printjobcount grouping=2,100");
    assert_eq!(sizes, "lab|research|1|1|0|100.00%\n");
}

#[test]
fn a_job_is_told_what_somebody_has_to_say() {
    let lab = Lab::new(RECORDED);
    let job = lab.submit("-o told.out --wrap 'sleep 3600'");
    lab.until(&format!("squeue -h -j {job} -o %t"), "R");
    assert_eq!(lab.sh(&format!("scontrol notify {job} 'two  blanks' are kept")).ok(), "");
    lab.until("cat told.out", "slurmstepd: error: two  blanks are kept");
    let said = lab.sh("salloc bash -c 'scontrol notify $SLURM_JOB_ID hi there; sleep 1'").stderr;
    assert!(said.contains("salloc: hi there\n"), "{said}");
    let said = lab.sh("srun bash -c 'scontrol notify $SLURM_JOB_ID hi there; sleep 1'").stderr;
    assert_eq!(said, "srun: hi there\n");
    lab.sh("sbatch -Q -H -J held --wrap true").ok();
    let held = lab.sh("scontrol notify $(squeue -h -n held -o %i) x").fails(1).to_owned();
    assert_eq!(held, "job notify failure: Requested operation is presently disabled\n");
    assert_eq!(lab.sh("scontrol notify 999 x").fails(1), "job notify failure: Invalid job id specified\n");
}

/// What is configured is shown wherever Slurm shows it.
#[test]
fn limits_are_told() {
    let limits = "[qos.normal]\nmax_jobs = 4\nmax_wall = \"2:00:00\"\n[account.research]\ngrp_tres = \"gres/gpu=8\"\nmax_submit_jobs = 9\n";
    let lab = Lab::new(&RECORDED.replace("[controller]", &format!("{limits}[controller]")));
    expect(
        &lab,
        &[
            ("sacctmgr -nP show qos format=name,maxwall,maxjobspu,maxtrespu", "normal|02:00:00|4|\n"),
            (
                "sacctmgr -nP show assoc account=research format=account,grptres,maxsubmit | head -1",
                "research|gres/gpu=8|9\n",
            ),
            ("scontrol show assoc_mgr flags=qos | grep -c 'MaxWallPJ=120$'", "1\n"),
            ("scontrol show assoc_mgr flags=assoc accounts=research | grep -c 'MaxSubmitJobs=9(0)'", "2\n"),
        ],
    );
}
