//! The server before anything else is tested with it: raw HTTP.

use super::server::{Fault, Server};
use serde_json::{Value, json};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Sends a request; status, request id, body. A body that is cut is an error.
fn ask(server: &Server, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, String, String)> {
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nx-skypilot-api-version: 62\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)?;
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
    let (mut id, mut length, mut text) = (String::new(), None, Vec::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(": ") {
            Some(("x-skypilot-request-id", value)) => id = value.into(),
            Some(("content-length", value)) => length = value.parse().ok(),
            Some(_) => {}
            None => break,
        }
    }
    if let Some(length) = length {
        text.resize(length, 0);
        reader.read_exact(&mut text)?;
        return Ok((status, id, String::from_utf8(text).unwrap()));
    }
    loop {
        let mut size = String::new();
        if reader.read_line(&mut size)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, String::from_utf8_lossy(&text).into_owned()));
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let from = text.len();
        text.resize(from + size + 2, 0);
        reader.read_exact(&mut text[from..])?;
        text.truncate(from + size);
        if size == 0 {
            return Ok((status, id, String::from_utf8(text).unwrap()));
        }
    }
}

/// A request of the server's own: posted, and its result got.
fn call(server: &Server, path: &str, body: &Value) -> Result<Value, Value> {
    let (status, id, answer) = ask(server, "POST", path, body.to_string().as_bytes()).unwrap();
    assert_eq!((status, answer.as_str()), (200, "null"));
    let (status, _, record) = ask(server, "GET", &format!("/api/get?request_id={id}"), b"").unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let inside = |v: &Value| serde_json::from_str::<Value>(v.as_str().unwrap()).unwrap();
    if status == 200 { Ok(inside(&record["return_value"])) } else { Err(inside(&record["detail"]["error"])) }
}

fn launch(server: &Server, run: &str, more: &str, count: u32) -> Vec<u32> {
    let run = run.replace('\n', "\n  ");
    let resources = if more.contains("resources") { "" } else { "resources: {infra: slurm/lab, cpus: 1}\n" };
    let task = format!("name: t\n---\nname: t\n{resources}{more}run: |\n  {run}\n");
    let num_jobs = (count > 1).then_some(count);
    let body = json!({ "task": task, "name": null, "num_jobs": num_jobs, "env_vars": { "SKYPILOT_USER_ID": "00112233", "SKYPILOT_USER": "me" } });
    serde_json::from_value(call(server, "/jobs/launch", &body).unwrap()["job_id"].clone()).unwrap()
}

fn log(server: &Server, job: u32) -> io::Result<String> {
    ask(server, "POST", "/jobs/logs", json!({ "job_id": job, "follow": true }).to_string().as_bytes())
        .map(|(_, _, text)| text)
}

/// What the job itself printed, of a log.
fn printed(log: &str) -> Vec<&str> {
    log.lines().filter_map(|l| l.strip_prefix("\x1b[36m(")?.split_once(")\x1b[0m ").map(|(_, text)| text)).collect()
}

fn row(server: &Server, job: u32) -> Value {
    call(server, "/jobs/queue/v2", &json!({ "job_ids": [job], "all_users": true })).unwrap()["jobs"][0].clone()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < limit, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_job_from_its_launch_to_the_end_of_its_log() {
    let server = Server::start();
    let job = launch(
        &server,
        "echo out; echo err >&2\nprintf 'a\\rb'; pwd; echo $SLURM_JOB_ID $SKYPILOT_NODE_IPS $A",
        "envs: {A: b}\n",
        1,
    )[0];
    let text = log(&server, job).unwrap();
    let home = server.home(job).join("sky_workdir");
    assert_eq!(printed(&text), ["out", "err", "a", &format!("b{}", home.display()), "999 127.0.0.1 b"]);
    assert!(text.starts_with("<sky-payload>\"<rich_init>[bold cyan]Waiting for task to start[/]. It may"), "{text}");
    assert!(text.contains("\x1b[2m├── \x1b[0m\x1b[2mWaiting for task resources on 1 node.\x1b[0m\n"), "{text}");
    assert!(
        text.ends_with("\x1b[0m\x1b[32m✓ Managed job finished: 1 (status: SUCCEEDED).\x1b[0m\x1b[0m\n\n"),
        "{text}"
    );
    let row = row(&server, job);
    assert_eq!(
        (&row["status"], &row["recovery_count"], &row["user_hash"]),
        (&json!("SUCCEEDED"), &json!(0), &json!("00112233"))
    );
    let events = call(&server, "/jobs/events", &json!({ "job_id": job })).unwrap();
    let story: Vec<_> = events.as_array().unwrap().iter().map(|e| e["new_status"].as_str().unwrap()).collect();
    assert_eq!(story, ["SUCCEEDED", "RUNNING", "STARTING", "PENDING"]);
    assert_eq!(server.requests("/jobs/launch").len(), 1);
    assert!(log(&server, 99).unwrap().contains("Job 99 not found."));
}

#[test]
fn nodes_and_arrays_and_failures_are_told_apart() {
    let server = Server::start();
    let jobs = launch(&server, "echo $SKYPILOT_JOB_RANK of $SKYPILOT_NUM_JOBS", "", 3);
    assert_eq!(jobs, [1, 2, 3]);
    for job in jobs {
        assert_eq!(printed(&log(&server, job).unwrap()), [format!("{} of 3", job - 1)]);
    }
    let two =
        launch(&server, "if [ $SKYPILOT_NODE_RANK = 1 ]; then exit 3; fi; exec sleep 3600", "num_nodes: 2\n", 1)[0];
    until("its end", || server.status(two) == "FAILED");
    let reason = row(&server, two)["failure_reason"].as_str().unwrap().to_owned();
    assert_eq!(
        reason,
        "Job exited with exit code 143 (user program failure). To see the details, run: sky jobs logs --controller 4"
    );
    let bad = call(&server, "/jobs/launch", &json!({ "name": null, "task": "name: t\n---\nname: t\nbogus: 1\n" }))
        .unwrap_err();
    assert_eq!(bad["type"], "InvalidSkyPilotConfigError");
    assert_eq!(ask(&server, "POST", "/jobs/launch", b"{}").unwrap().0, 422);
    let big = launch(&server, "true", "resources: {cpus: 100}\n", 1)[0];
    until("its end", || server.status(big) == "FAILED_PRECHECKS");
}

#[test]
fn what_cannot_be_placed_fails_its_prechecks() {
    let server = Server::start();
    server.set(|s| s.unsatisfiable = Some("no such GPU".into()));
    let job = launch(&server, "true", "", 1)[0];
    assert_eq!(printed(&log(&server, job).unwrap()), [""; 0]);
    until("its end", || server.status(job) == "FAILED_PRECHECKS");
    let row = row(&server, job);
    assert_eq!(row["failure_reason"], "[sky.exceptions.ResourcesUnavailableError] no such GPU");
    assert_eq!((&row["start_at"], &row["last_recovered_at"]), (&Value::Null, &json!(-1.0)));
}

#[test]
fn a_cancelled_job_gets_term_and_is_gone() {
    let server = Server::start();
    let job =
        launch(&server, "trap 'echo term > ~/told; exit 0' TERM; echo up > ~/up; while :; do sleep 0.01; done", "", 1)
            [0];
    until("the job's start", || server.status(job) == "RUNNING" && server.home(job).join("up").exists());
    let home = server.home(job);
    assert_eq!(call(&server, "/jobs/cancel", &json!({ "job_ids": [job, 77] })).unwrap(), Value::Null);
    until("its end", || server.status(job) == "CANCELLED");
    assert_eq!(std::fs::read_to_string(home.join("told")).unwrap(), "term\n");
    assert_eq!(crate::harness::processes_that_name(&home), []);
    // The real server has lost what it printed.
    assert_eq!(printed(&log(&server, job).unwrap()), [""; 0]);
}

#[test]
fn a_stream_is_cut_and_goes_on_further_the_next_time() {
    let server = Server::start();
    server.set(|s| s.cut_log_every = Some(20_000));
    let job = launch(&server, "seq 3000", "", 1)[0];
    let mut cuts = 0;
    let text = loop {
        match log(&server, job) {
            Ok(text) => break text,
            Err(cut) => assert!(cut.to_string().len() >= 15_000 && cuts < 50, "{cut}"),
        }
        cuts += 1;
    };
    assert!(cuts >= 3, "{cuts}");
    let wanted: Vec<String> = (1..=3000).map(|n| n.to_string()).collect();
    assert_eq!(printed(&text), wanted);
}

#[test]
fn a_preempted_job_runs_anew_elsewhere() {
    let server = Server::start();
    let job = launch(&server, "echo run; [ -e ~/../../stop ] && exit 0; echo up > ~/up; exec sleep 3600", "", 1)[0];
    until("the job's start", || server.status(job) == "RUNNING" && server.home(job).join("up").exists());
    let first = server.home(job);
    std::fs::write(first.join("../../stop"), "").unwrap();
    server.preempt(job);
    until("its end", || server.status(job) == "SUCCEEDED");
    assert_ne!(server.home(job), first);
    assert_eq!((row(&server, job)["recovery_count"].clone(), server.runs()), (json!(1), 2));
    let again = launch(
        &server,
        "[ -e ~/../../2.1 ] || exit 75",
        "resources: {job_recovery: {recover_on_exit_codes: [75]}}\n",
        1,
    )[0];
    until("its end", || server.status(again) == "SUCCEEDED");
    assert_eq!(row(&server, again)["recovery_count"], 1);
}

#[test]
fn requests_go_wrong_as_they_are_told_to() {
    let server = Server::start();
    let queue = |server: &Server| ask(server, "POST", "/jobs/queue/v2", b"{}");
    server.fault("/jobs/queue/v2", Fault::Busy, 1);
    server.fault("/jobs/queue/v2", Fault::Cut, 1);
    server.fault("/jobs/queue/v2", Fault::Unauthorized, 1);
    assert_eq!(queue(&server).unwrap().0, 503);
    assert!(queue(&server).is_err());
    assert_eq!(queue(&server).unwrap().0, 401);
    assert_eq!(queue(&server).unwrap().0, 200);
    assert!(server.faults_are_used_up());
    let body = json!({ "name": null, "task": "name: t\n---\nname: t\nrun: 'true'\n" }).to_string();
    server.fault("/jobs/launch", Fault::AnswerLost, 1);
    assert!(ask(&server, "POST", "/jobs/launch", body.as_bytes()).is_err());
    assert_eq!(server.jobs().len(), 1);
    server.fault("/jobs/launch", Fault::Interrupted, 1);
    let (_, id, _) = ask(&server, "POST", "/jobs/launch", body.as_bytes()).unwrap();
    let (status, _, record) = ask(&server, "GET", &format!("/api/get?request_id={id}"), b"").unwrap();
    assert!(status == 500 && record.contains("RequestInterruptedError"), "{record}");
    assert_eq!(server.jobs().len(), 1);
    server.set(|s| s.token = Some("sky_x".into()));
    assert_eq!(queue(&server).unwrap().0, 401);
    assert_eq!(ask(&server, "GET", "/api/health", b"").unwrap().0, 200);
    server.down();
    assert_eq!(queue(&server).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    server.heal();
    assert_eq!((queue(&server).unwrap().0, server.jobs().len()), (200, 1));
    assert_eq!(ask(&server, "GET", "/api/get?request_id=none", b"").unwrap().0, 404);
}

#[test]
fn files_come_as_a_blob_and_lose_their_modes() {
    let server = Server::start();
    let id = "ab".repeat(32);
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.add_directory("w/", options).unwrap();
    zip.start_file("w/x.sh", options).unwrap();
    zip.write_all(b"echo hidden-word\n").unwrap();
    zip.add_symlink("w/link", "x.sh", options).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let exists = |server: &Server| {
        ask(server, "GET", &format!("/upload_v2/blob?user_hash=u&blob_id={id}&size_bytes=1"), b"").unwrap().2
    };
    assert_eq!(exists(&server), "{\"exists\":false}");
    let (head, tail) = bytes.split_at(50);
    for (index, chunk) in [(1, tail), (0, head)] {
        ask(
            &server,
            "POST",
            &format!("/upload_v2?user_hash=u&upload_id={id}&chunk_index={index}&total_chunks=2"),
            chunk,
        )
        .unwrap();
    }
    assert_eq!(exists(&server), "{\"exists\":true}");
    let task = "name: t\n---\nname: t\nworkdir: /v/w\nfile_mounts: {~/m/y: /v/x}\nfile_mounts_mapping: {/v/w: w, /v/x: w/x.sh}\n\
                run: stat -c %a x.sh; readlink link; cat ~/m/y; touch mark; while [ -e mark ]; do sleep 0.01; done\n";
    let body = json!({ "task": task, "name": null, "file_mounts_blob_id": id });
    let job =
        serde_json::from_value::<Vec<u32>>(call(&server, "/jobs/launch", &body).unwrap()["job_id"].clone()).unwrap()[0];
    until("the script", || server.status(job) == "RUNNING" && server.home(job).join("sky_workdir/mark").exists());
    let home = server.home(job);
    std::fs::remove_file(home.join("sky_workdir/x.sh")).unwrap();
    let exec = json!({ "cluster_name": "t-1", "file_mounts_blob_id": id, "task": task.split("run:").next() });
    call(&server, "/exec", &exec).unwrap();
    assert!(home.join("sky_workdir/x.sh").exists() && home.join("sky_workdir/mark").exists());
    std::fs::remove_file(home.join("sky_workdir/mark")).unwrap();
    assert_eq!(printed(&log(&server, job).unwrap()), ["644", "x.sh", "echo hidden-word"]);
    until("the cluster's end", || call(&server, "/exec", &exec).is_err_and(|e| e["type"] == "ClusterDoesNotExist"));
    server.assert_never_sent("no-such-word");
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.assert_never_sent("hidden-word")));
    assert!(seen.is_err());
}
