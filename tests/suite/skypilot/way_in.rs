//! The way into an allocation's cluster: shells on it, steps from here, the user's own ssh, and what happens when it breaks.

use super::lab::SkyLab;
use crate::{
    harness::Lab,
    terminal::{CTRL_C, CTRL_D, CTRL_Z, Terminal},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Child, Command},
};

/// A salloc whose command waits until `end` is there.
fn salloc(lab: &SkyLab, options: &str) -> Child {
    let line = format!("exec salloc {options} bash -c 'until [ -e end ]; do sleep 0.05; done'");
    let mut command = lab.command("bash");
    command.args(["-c", &format!("exec 2> said; {line}")]).current_dir(lab.work()).env("PWD", lab.work());
    let child = command.spawn().unwrap();
    lab.until_true("the allocation", || lab.read("said").contains("Granted"));
    child
}

fn finish(lab: &SkyLab, mut salloc: Child) {
    lab.file("end", "");
    assert!(salloc.wait().unwrap().success(), "{}", lab.read("said"));
}

/// The processes of ssh that keep ways open.
fn tunnels(lab: &Lab) -> Vec<i32> {
    let is_one = |line: &str| line.starts_with("ssh -F ");
    lab.processes().into_iter().filter(|(_, line)| is_one(line)).map(|(pid, _)| pid).collect()
}

#[test]
fn a_shell_on_the_first_node() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    lab.file("here", "");
    terminal.line("salloc -N2", "salloc: Granted job allocation 1");
    // Whatever its startup files made of the prompt.
    terminal.keys("PS1='on the'' node> '\n");
    terminal.until("on the node> ");
    let shown = terminal.line("echo $SLURM_JOB_ID.$SLURM_STEP_ID.$SLURM_NNODES $TERM; ls here; stty size", "24 80");
    assert!(shown.contains("1.0.2 ") && shown.contains("\r\nhere\r\n"), "{shown}");
    assert!(!shown.contains("1.0.2 dumb"), "{shown}");
    terminal.resize(40, 120);
    terminal.line("stty size", "40 120");
    terminal.line("srun -l bash -c 'echo from $SLURM_NODEID' | sort", "1: from 1");
    terminal.line("(echo go$((40 + 2)); exec sleep 1000)", "go42\r\n");
    terminal.keys(CTRL_C);
    terminal.line("echo code $?", "code 130");
    terminal.line("(echo go$((40 + 2)); exec sleep 1000)", "go42\r\n");
    terminal.keys(CTRL_Z);
    terminal.until("Stopped");
    terminal.line("kill -9 %1; disown %1; exit 3", "salloc: Relinquishing job allocation 1");
    terminal.until("here> ");
    terminal.line("echo code $?", "code 3");
    terminal.until("here> ");
    terminal.resize(24, 80);
    terminal.is_as_before();
    terminal.close();
    assert_eq!(
        lab.sh("sacct -n -P -j 1 -o jobid,jobname,state,exitcode").ok(),
        "1|interactive|FAILED|3:0\n1.0|interactive|FAILED|3:0\n1.1|bash|COMPLETED|0:0\n"
    );
}

#[test]
fn srun_pty_outside_a_job() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    terminal.line("srun --pty bash --norc", "srun: job 1 has been allocated resources");
    terminal.line("tty; echo in $SLURM_JOB_ID", "in 1");
    terminal.line("echo go$((40 + 2)); cat", "go42\r\n");
    terminal.keys("echoed\n");
    terminal.until("echoed\r\nechoed");
    terminal.keys(CTRL_D);
    terminal.line("exit 5", "here> ");
    terminal.line("echo code $?", "code 5");
    terminal.until("here> ");
    terminal.is_as_before();
    terminal.close();
    assert_eq!(lab.sh("squeue -h").ok(), "");
}

#[test]
fn from_another_shell() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let salloc = salloc(&lab, "-N2");
    assert_eq!(lab.sh("srun --jobid=1 --overlap -l bash -c 'echo $SLURM_NODEID' | sort").ok(), "0: 0\n1: 1\n");
    let step = "srun --jobid=1 -n1 -N1 bash -c 'trap \"echo usr1; exit 7\" USR1; echo on; for i in {1..1200}; do sleep 0.1; done' > out 2> err; echo $? > code";
    let mut srun = lab.command("bash").args(["-c", step]).current_dir(lab.work()).spawn().unwrap();
    lab.until_file("out", "on\n");
    assert!(lab.sh("sstat -n -P -o jobid,ntasks 1.1").ok().starts_with("1.1|1"));
    let mut watching =
        lab.command("bash").args(["-c", "sattach 1.1 > seen < /dev/null"]).current_dir(lab.work()).spawn().unwrap();
    lab.until("sacct -n -X -j 1 -o state -P", "RUNNING");
    lab.sh("scancel -s USR1 1.1").ok();
    lab.until_file("code", "7\n");
    assert_eq!(lab.read("out"), "on\nusr1\n");
    srun.wait().unwrap();
    watching.wait().unwrap();
    lab.file("brought", "to the nodes");
    let to = format!("{}/on-the-node", lab.work().display());
    lab.sh(&format!("sbcast -f -j 1 brought {to}")).ok();
    assert_eq!(fs::read_to_string(to).unwrap(), "to the nodes");
    let mut srun = lab
        .command("bash")
        .args(["-c", "srun --jobid=1 sleep 1000 2> err; echo $? > ended"])
        .current_dir(lab.work())
        .spawn()
        .unwrap();
    lab.until_true("step 2", || lab.sh("squeue -s -h -o %i").stdout.contains("1.2"));
    lab.sh("scancel 1.2").ok();
    lab.until_true("its end", || !lab.read("ended").is_empty());
    srun.wait().unwrap();
    finish(&lab, salloc);
}

#[test]
fn what_is_this_machine_s_own_stays_here() {
    let Some(lab) = SkyLab::with_nodes_with("keep_home = [\"SECRET\"]", "") else { return };
    let line = "export SECRET=s GOES=g LD_X=l EDITOR=e; salloc -Q bash -c 'srun bash -c \"echo [\\$GOES\\$SECRET\\$LD_X\\$EDITOR] \\$HOME \\$(type -P srun)\"'; echo $HOME";
    let said = lab.sh(line).ok().to_owned();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[0], "[g]", "{said}");
    assert!(words[1] != words[3] && words[2].starts_with("/tmp/skyslurm-"), "{said}");
    let named = lab.sh("export LD_X=l; srun -Q --export=ALL,LD_X bash -c 'echo [$LD_X]'");
    assert_eq!(named.ok(), "[l]\n");
    // Below the directory that was copied, its copy.
    fs::create_dir(lab.work().join("sub")).unwrap();
    lab.file("sub/file", "x");
    assert_eq!(lab.sh("salloc -Q bash -c 'cd sub && srun ls'").ok(), "file\n");
}

#[test]
fn the_user_s_own_ssh_gets_to_every_node() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    fs::create_dir(lab.home().join(".ssh")).unwrap();
    fs::write(lab.home().join(".ssh/config"), "Host *\n  LogLevel ERROR\n").unwrap();
    let salloc = salloc(&lab, "-N2");
    let ssh = |host: &str| lab.sh(&format!("ssh -F $HOME/.ssh/config {host} 'echo worker $SKY_WORKER'"));
    assert_eq!(ssh("skyslurm-1").ok(), "worker 0\n");
    let nodes = lab.sh("squeue -h -o %N | xargs scontrol show hostnames").ok().to_owned();
    for (index, node) in nodes.lines().enumerate() {
        assert_eq!(ssh(node).ok(), format!("worker {index}\n"));
    }
    let dir = lab.home().join(".ssh/skyslurm");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let key = lab.state().join("spool/job00001/ssh/key");
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    // One that a controller which was killed has left is removed by the next.
    let stale = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let stale = stale.replace("interactive-1-", "interactive-9-");
    fs::write(dir.join(&stale), "").unwrap();
    lab.kill_controller();
    lab.sh("squeue -h").ok();
    lab.until_true("the end of the stale entry", || !dir.join(&stale).exists());
    assert_eq!(ssh("skyslurm-1").ok(), "worker 0\n");
    finish(&lab, salloc);
    lab.until_true("the end of the entry", || fs::read_dir(&dir).unwrap().count() == 0);
    let config = fs::read_to_string(lab.home().join(".ssh/config")).unwrap();
    assert!(config.ends_with("Host *\n  LogLevel ERROR\n") && config.contains("Include"), "{config}");
}

#[test]
fn no_entry_where_none_is_wanted() {
    let Some(lab) = SkyLab::with_nodes_with("ssh_config = false", "") else { return };
    assert_eq!(lab.sh("srun -Q echo done").ok(), "done\n");
    assert!(!lab.home().join(".ssh").exists());
}

#[test]
fn when_it_breaks_it_is_opened_again() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let salloc = salloc(&lab, "");
    let before = tunnels(&lab);
    assert_eq!(before.len(), 1, "{:?}", lab.processes());
    let mut cut = lab
        .command("bash")
        .args(["-c", "srun --jobid=1 sleep 1000 2> cut; echo $? > code"])
        .current_dir(lab.work())
        .spawn()
        .unwrap();
    lab.until_true("step 0", || lab.sh("squeue -s -h -o %i").stdout.contains("1.0"));
    lab.server().down();
    // What ran through it is over, and says so.
    lab.until_file("code", "1\n");
    cut.wait().unwrap();
    assert!(lab.read("cut").contains("The connection to the job's nodes is broken"), "{}", lab.read("cut"));
    lab.server().up();
    assert_eq!(lab.sh("srun --jobid=1 echo again").ok(), "again\n");
    assert_ne!(tunnels(&lab), before);
    assert_eq!(lab.sh("squeue -h -o %T").stdout, "RUNNING\n");
    finish(&lab, salloc);
    assert!(lab.read("said").ends_with("salloc: Relinquishing job allocation 1\n"), "{}", lab.read("said"));
    assert_eq!(lab.sh("sacct -X -n -P -j 1 -o state").ok(), "COMPLETED\n");
}

#[test]
fn steps_go_on_without_a_controller() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let mut terminal = Terminal::open(&lab);
    terminal.line("salloc", "salloc: Granted job allocation 1");
    terminal.line("echo first $((40 + 2))", "first 42");
    let before = tunnels(&lab);
    lab.kill_controller();
    terminal.line("echo second $((40 + 2))", "second 42");
    lab.sh("squeue -h").ok();
    terminal.line("echo third $((40 + 2))", "third 42");
    assert_eq!(tunnels(&lab), before);
    terminal.line("exit", "salloc: Relinquishing job allocation 1");
    terminal.until("here> ");
    terminal.close();
    lab.until_true("the end of ssh", || tunnels(&lab).is_empty());
    lab.until_accounted(1, "COMPLETED|0:0");
}

#[test]
fn without_ssh_it_says_so() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let bin = lab.work().join("no-ssh");
    fs::create_dir(&bin).unwrap();
    for program in ["bash", "sh", "env"] {
        std::os::unix::fs::symlink(format!("/bin/{program}"), bin.join(program)).unwrap();
    }
    let path = format!("{}:{}", lab.bin().display(), bin.display());
    let mut command = Command::new(lab.bin().join("srun"));
    let environment = lab.command("srun");
    command.env_clear().envs(environment.get_envs().filter_map(|(n, v)| Some((n, v?)))).env("PATH", path);
    let out = lab.run(command.arg("true").current_dir(lab.work()));
    assert!(out.fails(1).contains("ssh is not installed here"), "{out:?}");
}

#[test]
fn the_login_is_nowhere_to_be_seen() {
    const TOKEN: &str = "sky_never-to-be-seen";
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().set(|s| s.token = Some(TOKEN.into()));
    let run = |line: &str| {
        lab.run(
            lab.command("bash").args(["-c", line]).current_dir(lab.work()).env("SKYPILOT_SERVICE_ACCOUNT_TOKEN", TOKEN),
        )
    };
    assert_eq!(run("salloc --no-shell -Q").ok(), "");
    // ssh's own child has no token in its environment, as an editor's has none.
    assert_eq!(lab.sh("ssh -F $HOME/.ssh/config -o LogLevel=ERROR skyslurm-1 echo in").ok(), "in\n");
    for (_, line) in lab.processes() {
        assert!(!line.contains(TOKEN), "{line}");
    }
    let entry = lab.sh("cat $HOME/.ssh/config $HOME/.ssh/skyslurm/*").ok().to_owned();
    let log = fs::read_to_string(lab.state().join("controller.log")).unwrap();
    assert!(!entry.contains(TOKEN) && !entry.contains("PRIVATE KEY") && !log.contains(TOKEN));
    run("scancel 1").ok();
    lab.until_true("the end", || lab.sh("squeue -h").stdout.is_empty());
}

#[test]
fn a_client_that_is_killed_is_not_waited_for() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let mut salloc = salloc(&lab, "");
    salloc.kill().unwrap();
    salloc.wait().unwrap();
    // Before the minute is over that one whose connection broke would be given.
    lab.until_accounted(1, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
    // Its command is nobody's to end.
    lab.file("end", "");
    lab.until_true("the command's end", || !lab.processes().iter().any(|(_, line)| line.contains("until")));
}

/// A managed job with a step that says `up`; its id.
fn running(lab: &SkyLab, step: &str) -> u32 {
    let at = lab.place("job");
    let job = at.submit("-o out", &format!("srun bash -c 'echo up; {step}'"));
    at.until_file("out", "up\n");
    lab.until_state(job, "RUNNING");
    job
}

#[test]
fn a_managed_job_through_a_gate() {
    let Some(lab) = SkyLab::with_nodes_with("direct = false", "") else { return };
    let job = running(&lab, "until [ -e end ]; do sleep 0.1; done");
    // Two at a time: one gate, one way.
    let inside = format!(
        "srun --jobid={job} --overlap bash -c 'echo in $SLURM_JOB_ID' & srun --jobid={job} --overlap true && wait $!"
    );
    assert_eq!(lab.sh(&inside).stdout, format!("in {job}\n"));
    let gates = || lab.server().requests("/launch").len();
    assert_eq!(gates(), 1);
    // What is open needs no controller.
    lab.kill_controller();
    let end = format!("srun --jobid={job} --overlap bash -c 'touch end; echo in'");
    assert_eq!(lab.place("job").sh(&end).ok(), "in\n");
    lab.until_accounted(job, "COMPLETED|0:0");
    lab.until_true("the way's end", || tunnels(&lab).is_empty());
    assert!(lab.processes().iter().all(|(_, line)| !line.contains("relay")), "{:?}", lab.processes());
    // Nobody's any more, and the next controller knows no other use for it.
    lab.until_true("the gate's end", || lab.server().requests("/down").len() == 1);
}

#[test]
fn a_managed_job_out_of_reach() {
    let lab = SkyLab::fake_with("direct = false\ngate = false", "");
    let job = running(&lab, "sleep 1000");
    let out = lab.sh(&format!("srun --jobid={job} --overlap true"));
    assert_eq!(out.code, 1);
    let why = "no connection leads to the job's nodes: nodes on Slurm are not in reach from here, and `gate = false` is configured";
    assert!(out.stderr.contains(why), "{out:?}");
    let waits = lab.sh("sbatch --parsable -H --wrap true").ok().trim().to_owned();
    assert!(lab.sh(&format!("srun --jobid={waits} true")).stderr.contains("Job is pending execution"));
    lab.sh(&format!("scancel {job} {waits}")).ok();
}

#[test]
fn a_way_that_breaks_under_a_step() {
    let lab = SkyLab::fake();
    let job = running(&lab, "while sleep 0.1; do echo tick; done");
    let follow = |line: &str, code: &str| {
        let line = format!("{line} >> seen 2> said.{code}; echo $? > {code}");
        lab.command("bash").args(["-c", &line]).current_dir(lab.work()).spawn().unwrap()
    };
    let mut srun = follow(&format!("srun --jobid={job} --overlap bash -c 'echo on; sleep 1000'"), "srun");
    lab.until_file("seen", "on\n");
    let mut sattach = follow(&format!("sattach {job}.0"), "sattach");
    lab.until_true("what is written", || lab.read("seen").contains("tick\n"));
    let relays =
        || lab.processes().into_iter().filter(|(_, line)| line.starts_with("skyslurm relay")).map(|(pid, _)| pid);
    relays()
        .for_each(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap());
    srun.wait().unwrap();
    sattach.wait().unwrap();
    assert_eq!((lab.read("srun"), lab.read("sattach")), ("1\n".into(), "1\n".into()));
    for name in ["said.srun", "said.sattach"] {
        assert!(lab.read(name).contains("error: "), "{name}: {}", lab.read(name));
    }
    // The job goes on, and a new way is opened.
    assert_eq!(lab.sh(&format!("srun --jobid={job} --overlap echo again")).ok(), "again\n");
    lab.sh(&format!("scancel {job}")).ok();
}
