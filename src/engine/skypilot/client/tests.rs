//! The client against a server of a few lines that says what each test wants it to.

mod server;
mod websocket;

use super::*;
use serde_json::{Value, json};
use server::{Reply, Server};
use std::{
    io::Write,
    net::TcpListener,
    sync::{Mutex, mpsc},
};

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned(),
        found: "a test".into(),
        token: None,
        basic: None,
        cookies: None,
        user_id: "0123abcd".into(),
        user_name: "ada".into(),
        client_config: json!({"active_workspace": "w"}),
    }
}

impl Server {
    fn client(&self) -> Client {
        Client::new(&endpoint(&self.url)).unwrap().with_patience(Duration::from_secs(60))
    }
}

fn says(status: u16, body: &Value) -> Reply {
    Reply::Says(status, "", body.to_string().into())
}

/// The answer to a POST.
fn posted() -> Reply {
    Reply::Says(200, "X-SkyPilot-Request-ID: id-1\r\n", b"null".to_vec())
}

fn gave(value: &Value) -> Reply {
    says(200, &json!({"status": "SUCCEEDED", "return_value": value.to_string(), "error": "null"}))
}

fn threw(kind: &str) -> Reply {
    let error = json!({"type": kind, "message": "\u{1b}[31mwhy\u{1b}[0m", "object": "gASV"}).to_string();
    says(500, &json!({"detail": {"status": "FAILED", "return_value": "null", "error": error}}))
}

fn health() -> Reply {
    says(200, &json!({"status": "healthy", "api_version": "62", "version": "0.14.1", "user": null}))
}

/// An answer of an older server.
fn of_version(version: u32, body: &Value) -> Reply {
    let header = match version {
        30 => "X-SkyPilot-API-Version: 30\r\n",
        _ => "X-SkyPilot-API-Version: 40\r\n",
    };
    Reply::Says(200, header, body.to_string().into())
}

fn posted_by(version: u32) -> Reply {
    let header = match version {
        30 => "X-SkyPilot-API-Version: 30\r\nX-SkyPilot-Request-ID: id-1\r\n",
        _ => "X-SkyPilot-API-Version: 40\r\nX-SkyPilot-Request-ID: id-1\r\n",
    };
    Reply::Says(200, header, b"null".to_vec())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

const LAUNCH: Launch = Launch { task: "name: x\n---\nrun: y\n", pool: None, count: 3, blob: Some("b") };

#[test]
fn a_launch() {
    let server = Server::new(vec![health(), posted(), gave(&json!({"job_id": [9, 7, 8], "handle": "gASV"}))]);
    assert_eq!(run(server.client().launch(&LAUNCH)), Ok(vec![7, 8, 9]));
    assert_eq!(server.lines(), ["GET /api/health", "POST /jobs/launch", "GET /api/get?request_id=id-1"]);
    let seen = server.seen.lock().unwrap()[1].clone();
    assert_eq!(
        seen.json(),
        json!({
            "env_vars": {"SKYPILOT_USER_ID": "0123abcd", "SKYPILOT_USER": "ada"},
            "using_remote_api_server": true,
            "entrypoint_command": "skyslurm",
            "override_skypilot_config": {"active_workspace": "w"},
            "task": "name: x\n---\nrun: y\n", "name": null, "pool": null, "num_jobs": 3, "file_mounts_blob_id": "b",
        })
    );
    for header in [
        "X-SkyPilot-API-Version: 62",
        "X-SkyPilot-Version: 0.14.1",
        concat!("User-Agent: skyslurm/", env!("CARGO_PKG_VERSION")),
        "Content-Type: application/json",
    ] {
        assert!(seen.has(header), "{header} in {:?}", seen.headers);
    }
}

#[test]
fn answers_that_are_not_what_was_asked() {
    for answer in [json!(null), json!({"job_id": null}), json!({"job_id": [1]}), json!({"job_id": [1, 1, 2]})] {
        let server = Server::new(vec![health(), posted(), gave(&answer)]);
        let error = run(server.client().launch(&LAUNCH)).unwrap_err();
        assert!(matches!(error, Error::Nonsense(_)), "{error:?}");
    }
    let server = Server::new(vec![health(), posted(), gave(&json!("text")), says(200, &json!(null))]);
    let client = server.client();
    assert!(matches!(run(client.queue(Rows::Named("x"))), Err(Error::Nonsense(_))));
    assert!(matches!(run(client.events(1)), Err(Error::Nonsense(_))), "an answer without an id");
}

#[test]
fn one_launch_is_one_request() {
    let launch = Launch { count: 1, ..LAUNCH };
    let server = Server::new(vec![health(), posted(), gave(&json!({"job_id": 4}))]);
    assert_eq!(run(server.client().launch(&launch)), Ok(vec![4]));
    assert_eq!(server.seen.lock().unwrap()[1].json().get("num_jobs"), None);
}

#[test]
fn an_overloaded_server_is_waited_out() {
    let busy = || says(503, &json!({"detail": "too many"}));
    let server = Server::new(vec![health(), busy(), busy(), posted(), busy(), gave(&json!({"job_id": [1, 2, 3]}))]);
    assert_eq!(run(server.client().launch(&LAUNCH)), Ok(vec![1, 2, 3]));
    assert_eq!(server.lines().iter().filter(|line| *line == "POST /jobs/launch").count(), 3);
    // Patience ends.
    let server = Server::new(vec![busy()]);
    let error = run(server.client().with_patience(Duration::ZERO).health()).unwrap_err();
    assert_eq!(error.to_string(), format!("the SkyPilot API server at {} cannot be reached: too many", server.url));
}

#[test]
fn a_server_that_is_not_there_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(&endpoint(&format!("http://{address}"))).unwrap();
    let error = run(client.clone().with_patience(Duration::ZERO).events(1)).unwrap_err();
    assert_eq!(
        error,
        Error::Unreachable { endpoint: format!("http://{address}"), why: "Connection refused (os error 111)".into() }
    );
    // Nothing was sent, so a launch is no question of perhaps.
    let error = run(client.clone().with_patience(Duration::from_millis(1)).launch(&LAUNCH)).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    run(async {
        let asking = client.events(1);
        tokio::pin!(asking);
        // It has been refused by the time that it waits.
        tokio::select! {
            biased;
            answer = &mut asking => panic!("{answer:?}"),
            () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
        }
        let _server = Server::on(TcpListener::bind(address).unwrap(), vec![posted(), gave(&json!([]))]);
        assert_eq!(asking.await, Ok(vec![]));
    });
}

#[test]
fn lost_answers() {
    // A question is asked again, at whatever step its answer is lost.
    let short =
        || Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{".to_vec());
    let server = Server::new(vec![Reply::Cut, posted(), Reply::Cut, short(), gave(&json!([]))]);
    assert_eq!(run(server.client().events(1)), Ok(vec![]));
    let get = "GET /api/get?request_id=id-1";
    assert_eq!(server.lines(), ["POST /jobs/events", "POST /jobs/events", get, get, get]);

    // A submission is not.
    for replies in [
        vec![health(), Reply::Cut],
        vec![health(), Reply::Says(502, "", vec![])],
        vec![health(), Reply::Says(503, "Content-Type: text/html\r\n", b"<title>no upstream</title>".to_vec())],
        vec![health(), Reply::Says(200, "", b"null".to_vec())],
        vec![health(), posted(), threw("RequestInterruptedError")],
        vec![health(), posted(), says(404, &json!({"detail": "Request 'id-1' not found"}))],
        vec![health(), posted(), says(200, &json!({"status": "CANCELLED"}))],
    ] {
        let (server, asked) = {
            let asked = replies.len();
            (Server::new(replies), asked)
        };
        let error = run(server.client().launch(&LAUNCH)).unwrap_err();
        assert!(matches!(error, Error::MayHaveHappened(_)), "{error:?}");
        assert_eq!(server.lines().len(), asked);
    }
    // What the server works on is asked for by its id, whatever else is said in place of an answer.
    for answer in [
        says(401, &json!("Unauthorized")),
        says(200, &json!({"status": "SUCCEEDED", "return_value": "{"})),
        Reply::Says(200, "Content-Type: text/html\r\n", b"<title>Welcome</title>".to_vec()),
    ] {
        let again = vec![
            says(200, &json!([])),
            gave(&json!({"job_id": [1, 2, 3]})),
            threw("ValueError"),
            says(404, &json!({"detail": "Request 'id-1' not found"})),
        ];
        let server = Server::new([vec![health(), posted(), answer], again].into_iter().flatten().collect());
        let client = server.client();
        let error = run(client.launch(&LAUNCH)).unwrap_err();
        let Error::Underway { request, .. } = error else { panic!("{error:?}") };
        let became = || run(client.launched_jobs(&request, 3));
        assert!(matches!(became(), Err(Error::Underway { .. })));
        assert_eq!(became(), Ok(vec![1, 2, 3]));
        assert!(matches!(became(), Err(Error::Refused { .. })));
        assert!(matches!(became(), Err(Error::MayHaveHappened(_))));
    }
    let server = Server::new(vec![health(), posted(), threw("RequestInterruptedError")]);
    let error = run(server.client().exec("c", "t", None)).unwrap_err();
    assert_eq!(error, Error::MayHaveHappened("why".into()));
}

#[test]
fn a_get_that_is_lost_is_asked_again_for_a_launch_too() {
    let server = Server::new(vec![health(), posted(), Reply::Cut, gave(&json!({"job_id": [1, 2, 3]}))]);
    assert_eq!(run(server.client().launch(&LAUNCH)), Ok(vec![1, 2, 3]));
}

#[test]
fn a_restart_under_a_question() {
    let gone = says(404, &json!({"detail": "Request 'id-1' not found"}));
    let server =
        Server::new(vec![posted(), threw("RequestInterruptedError"), posted(), gone, posted(), gave(&json!([]))]);
    assert_eq!(run(server.client().events(1)), Ok(vec![]));
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("POST")).count(), 3);
}

#[test]
fn failures() {
    let refused = |kind: &str, message: &str| Error::Refused { kind: kind.into(), message: message.into() };
    for (replies, error) in [
        (vec![posted(), threw("ValueError")], refused("ValueError", "why")),
        (
            vec![posted(), says(200, &json!({"status": "CANCELLED", "return_value": "null", "error": "null"}))],
            refused("RequestCancelled", "the request was cancelled on the SkyPilot API server"),
        ),
        (
            vec![says(422, &json!({"detail": [{"loc": ["body", "x"], "msg": "Field required", "input": "SECRET"}]}))],
            refused("", "body.x: Field required"),
        ),
        (vec![says(401, &json!("Unauthorized"))], Error::Login("Unauthorized".into())),
        (
            vec![says(400, &json!({"error": "version_mismatch", "message": "Upgrade."}))],
            Error::Version("SkyPilot API server: Upgrade.".into()),
        ),
        (
            vec![Reply::Says(200, "Content-Type: text/html; charset=utf-8\r\n", b"<title>Sign in</title>".to_vec())],
            Error::Login("it shows a page (\"Sign in\"). Log in with `sky api login`, or correct the endpoint".into()),
        ),
    ] {
        assert_eq!(run(Server::new(replies).client().events(1)).unwrap_err(), error);
    }
    let server = Server::new(vec![says(404, &json!({"detail": "Not Found"}))]);
    let error = run(server.client().events(1)).unwrap_err();
    let expected = format!("the SkyPilot API server at {} does not know /jobs/events: upgrade it", server.url);
    assert_eq!(error, Error::Version(expected));
    let server = Server::new(vec![Reply::Raw(b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno".to_vec())]);
    let error = run(server.client().events(1)).unwrap_err();
    assert_eq!(error, Error::Nonsense(format!("there is no SkyPilot API server at {} (no)", server.url)));
}

#[test]
fn a_server_that_is_too_old() {
    let old = || Reply::Says(200, "X-SkyPilot-API-Version: 23\r\n", br#"{"api_version": "23"}"#.to_vec());
    let server = Server::new(vec![old()]);
    let error = run(server.client().launch(&LAUNCH)).unwrap_err();
    assert!(matches!(&error, Error::Version(text) if text.contains("upgrade")), "{error:?}");
    assert_eq!(server.lines(), ["GET /api/health"], "nothing was submitted");

    // One outside of a pool would forget `num_jobs`, or have made rows of them when it refuses.
    let server = Server::new(vec![of_version(40, &json!({"api_version": "40"}))]);
    let client = server.client();
    let error = run(client.launch(&LAUNCH)).unwrap_err();
    let expected =
        "the SkyPilot API server speaks API version 40; an array in one request needs 56: upgrade the server";
    assert_eq!(error, Error::Version(expected.into()));
    assert!(!client.may_take_arrays());
    assert_eq!(run(client.takes_arrays()), Ok(false));
    assert_eq!(server.lines(), ["GET /api/health"], "nothing was submitted");
}

#[test]
fn who_the_server_is() {
    let full =
        json!({"status": "healthy", "api_version": "62", "version": "0.14.1", "user": {"id": "1", "name": "ada"}});
    let server = Server::new(vec![says(200, &full), says(200, &json!({"status": "ok"}))]);
    let found = run(server.client().health()).unwrap();
    let expected =
        Health { status: "healthy".into(), api_version: 62, version: "0.14.1".into(), user: Some("ada".into()) };
    assert_eq!(found, expected);
    assert!(matches!(run(server.client().health()), Err(Error::Nonsense(_))));
}

#[test]
fn rows() {
    let row = json!({"job_id": 5, "task_id": 0, "job_name": null, "status": "RUNNING", "end_at": -1.0});
    let answer = json!({"jobs": [row], "total": 1});
    let server = Server::new(vec![health(), posted(), gave(&answer), posted(), gave(&json!([row]))]);
    let client = server.client();
    let expected = vec![QueueRow { job_id: 5, status: "RUNNING".into(), ..QueueRow::default() }];
    assert_eq!(run(client.queue(Rows::Jobs(&[]))), Ok(vec![]));
    assert_eq!(server.lines(), [""; 0], "nobody was asked about nothing");
    assert_eq!(run(client.queue(Rows::Jobs(&[5]))), Ok(expected.clone()));
    let body = server.seen.lock().unwrap()[1].json();
    assert_eq!(
        (&body["job_ids"], &body["refresh"], &body["skip_finished"]),
        (&json!([5]), &json!(false), &json!(false))
    );
    assert_eq!(body["fields"], json!(QueueRow::FIELDS));
    assert_eq!(run(client.queue(Rows::Named("sky-1"))), Ok(expected));
    assert_eq!(server.seen.lock().unwrap()[3].json()["name_match"], "sky-1");

    // Older servers do not take a question for a column that they do not have.
    let server = Server::new(vec![of_version(30, &json!({"api_version": "30"})), posted_by(30), gave(&json!([]))]);
    assert_eq!(run(server.client().queue(Rows::Jobs(&[5]))), Ok(vec![]));
    let fields = server.seen.lock().unwrap()[1].json()["fields"].clone();
    assert!(!fields.as_array().unwrap().contains(&json!("cluster_name_on_cloud")), "{fields}");
}

#[test]
fn cancelling() {
    let server = Server::new(vec![posted(), gave(&Value::Null)]);
    assert_eq!(run(server.client().cancel(&[])), Ok(()));
    assert_eq!(run(server.client().cancel(&[1, 2])), Ok(()));
    assert_eq!(server.seen.lock().unwrap()[0].json()["job_ids"], json!([1, 2]));
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn what_is_to_be_cancelled_goes_together() {
    let server =
        Server::new(vec![posted(), gave(&Value::Null), posted(), threw("ValueError"), posted(), gave(&Value::Null)]);
    run(async {
        let client = server.client();
        let (a, b, c) = tokio::join!(client.cancel(&[1]), client.cancel(&[2]), client.cancel(&[3, 4]));
        assert!(a.is_ok() && matches!((b, c), (Err(Error::Refused { .. }), Err(Error::Refused { .. }))));
        assert_eq!(client.cancel(&[2]).await, Ok(()), "what became of it was told once");
    });
    let asked: Vec<Value> = server
        .seen
        .lock()
        .unwrap()
        .iter()
        .filter(|s| s.line.starts_with("POST"))
        .map(|s| s.json()["job_ids"].clone())
        .collect();
    assert_eq!(asked, [json!([1]), json!([2, 3, 4]), json!([2])]);
}

#[test]
fn a_log_in_pieces() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-SkyPilot-Request-ID: id-1\r\n\r\n";
    let log = |chunks: &str| Reply::Raw(format!("{head}{chunks}").into_bytes());
    let server = Server::new(vec![
        log("5\r\nhello\r\n3\r\n wo\r\n0\r\n\r\n"),
        log("5\r\nhello\r\n9\r\n wo"),
        says(500, &json!({"detail": "boom"})),
        Reply::Says(200, "Content-Type: text/html\r\n", b"<title>Welcome</title>".to_vec()),
    ]);
    let client = server.client();
    let read = |of: LogOf| {
        run(async {
            let mut log = client.log(&of, true).await?;
            let mut text = Vec::new();
            while let Some(piece) = log.next().await.inspect_err(|_| assert_eq!(text, b"hello wo"))? {
                text.extend(piece);
            }
            assert_eq!(log.next().await, Ok(None));
            Ok::<_, Error>(text)
        })
    };
    assert_eq!(read(LogOf::Job(3, None)), Ok(b"hello wo".to_vec()));
    let body = server.last().json();
    assert_eq!((&body["job_id"], &body["follow"], &body["tail"]), (&json!(3), &json!(true), &Value::Null));
    let error = read(LogOf::Cluster("c".into())).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { why, .. } if why.starts_with("the log broke off: ")), "{error:?}");
    let body = server.last().json();
    assert_eq!((&body["cluster_name"], &body["job_id"], &body["tail"]), (&json!("c"), &json!(1), &json!(0)));
    assert!(matches!(read(LogOf::Job(3, None)), Err(Error::Refused { .. })));
    assert!(matches!(read(LogOf::Job(3, None)), Err(Error::Nonsense(_))), "a proxy's page is no log");
}

#[test]
fn an_answer_that_takes_its_time() {
    let (tell, told) = mpsc::channel();
    let body = json!({"status": "SUCCEEDED", "return_value": "[]"}).to_string().into_bytes();
    let server = Server::new(vec![posted(), Reply::When(told, body)]);
    run(async {
        let client = server.client();
        let asking = client.events(1);
        tokio::pin!(asking);
        let mut asked = 0;
        while asked < 2 {
            tokio::select! {
                answer = &mut asking => panic!("{answer:?}"),
                () = tokio::time::sleep(Duration::from_millis(1)) => asked = server.lines().len(),
            }
        }
        tell.send(()).unwrap();
        assert_eq!(asking.await, Ok(vec![]));
    });
}

#[test]
fn credentials_are_sent_and_not_shown() {
    let server = Server::new(vec![health(), health(), health()]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cookies.txt");
    std::fs::write(&file, "#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t4000000000\tsession\tSECRET\n").unwrap();
    let plain = endpoint(&server.url);
    for (endpoint, header) in [
        (Endpoint { token: Some("sky_SECRET".into()), ..plain.clone() }, "Authorization: Bearer sky_SECRET"),
        (Endpoint { basic: Some(("me".into(), "p:w".into())), ..plain.clone() }, "Authorization: Basic bWU6cDp3"),
        (Endpoint { cookies: Some(file), ..plain.clone() }, "Cookie: session=SECRET"),
    ] {
        run(Client::new(&endpoint).unwrap().health()).unwrap();
        assert!(server.last().has(header), "{:?}", server.last().headers);
        assert!(!format!("{endpoint:?}").contains("SECRET"));
    }
    let bad = Endpoint { token: Some("sky_\nSECRET".into()), ..plain };
    let error = Client::new(&bad).err().unwrap();
    assert!(!format!("{error:?}{error}").contains("SECRET"), "{error:?}");
}

#[test]
fn where_a_task_would_run() {
    let table =
        " INFRA         INSTANCE   COST ($)   CHOSEN   \r\n Slurm (lab)   -          0.00          \u{2714}     \r\n";
    let log = Reply::Says(200, "Content-Type: text/plain\r\n", table.into());
    let server = Server::new(vec![posted(), gave(&Value::Null), log]);
    let choice = Choice { infra: "Slurm (lab)".into(), instance: "-".into(), price_an_hour: Some(0.0) };
    assert_eq!(run(server.client().optimize("t")), Ok(vec![choice]));
    assert_eq!(server.lines()[2], "GET /api/stream?request_id=id-1&format=plain&follow=False");
    assert_eq!(server.seen.lock().unwrap()[0].json()["request_options"], Value::Null);
}

#[test]
fn what_is_enabled() {
    let server = Server::new(vec![posted(), gave(&json!(["Slurm/Lab", "AWS"])), posted(), threw("ValueError")]);
    assert_eq!(run(server.client().enabled()), Ok(vec!["slurm/Lab".into(), "aws".into()]));
    assert_eq!(server.lines()[0], "GET /enabled_clouds?expand=True");
    assert!(run(server.client().accelerators("slurm/lab")).is_err());
}

#[test]
fn a_file_in_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blob");
    let content: Vec<u8> = (0..1_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&path, &content).unwrap();
    let missing = |parts: &[&str]| says(200, &json!({"status": "uploading", "missing_chunks": parts}));
    let server = Server::new(vec![
        missing(&["part1", "part2"]),
        says(503, &json!({"detail": "busy"})),
        missing(&["part2"]),
        missing(&["part0"]),
        says(200, &json!({"status": "completed", "missing_chunks": null})),
    ]);
    let told = Mutex::new(Vec::new());
    let sent = |bytes: u64| told.lock().unwrap().push(bytes);
    let client = server.client();
    run(blob::upload_in(&client, ("/upload_v2", "b"), &path, 4000, 1500, &sent)).unwrap();
    let seen = server.seen.lock().unwrap().clone();
    let shown: Vec<_> =
        seen.iter().map(|s| (s.line.rsplit_once("&chunk_").unwrap().1.to_owned(), s.body.len())).collect();
    let chunk = |index: u32, length: usize| (format!("index={index}&total_chunks=3"), length);
    assert_eq!(shown, [chunk(0, 1500), chunk(1, 1500), chunk(1, 1500), chunk(2, 1000), chunk(0, 1500)]);
    assert_eq!([&seen[0].body[..], &seen[2].body, &seen[3].body].concat(), content);
    assert_eq!(seen[0].line, "POST /upload_v2?user_hash=0123abcd&upload_id=b&chunk_index=0&total_chunks=3");
    assert!(seen[0].has("Content-Type: application/octet-stream"));
    assert_eq!(told.lock().unwrap().last(), Some(&4000));

    for (reply, expected) in [
        (
            says(413, &json!({"detail": "Upload of 2 GB"})),
            "the SkyPilot API server does not take so much data: Upload of 2 GB",
        ),
        (says(507, &json!({"detail": "9 GB"})), "the SkyPilot API server's disk is full: 9 GB"),
    ] {
        let client = Server::new(vec![reply]).client();
        let error = run(blob::upload_in(&client, ("/upload_v2", "b"), &path, 4000, 9000, &|_| {})).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let client = Server::new(vec![]).client();
    let error = run(blob::upload_in(&client, ("/upload_v2", "b"), &path, 5000, 9000, &|_| {})).unwrap_err();
    assert!(error.to_string().ends_with("blob: it became shorter while it was sent"), "{error}");
}

#[test]
fn a_blob_that_is_there() {
    let server = Server::new(vec![health(), says(200, &json!({"exists": true})), says(200, &json!({}))]);
    let client = server.client();
    assert_eq!(run(client.has_blob("b", 7)), Ok(true));
    assert_eq!(server.lines()[1], "GET /upload_v2/blob?user_hash=0123abcd&blob_id=b&size_bytes=7");
    assert!(matches!(run(client.has_blob("b", 7)), Err(Error::Nonsense(_))));
}

/// What a server without `/upload_v2` is sent and asked, and that what it lost is sent again.
#[test]
fn files_for_an_older_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("upload.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    zip.start_file("agent/key", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"secret").unwrap();
    zip.finish().unwrap();
    let old = |body: &Value| of_version(40, body);
    let launched = || old(&json!({"status": "SUCCEEDED", "return_value": json!({"job_id": 4}).to_string()}));
    let completed = || old(&json!({"status": "completed"}));
    let server = Server::new(vec![old(&json!({"api_version": "40"})), completed(), posted_by(40), launched()]);
    let client = server.client();
    assert_eq!(run(client.has_blob("b", 7)), Ok(false));
    run(client.upload("b", &path, &|_| {})).unwrap();
    assert_eq!(run(client.clone().has_blob("b", 7)), Ok(true), "all clones know it");
    assert!(path.exists() && std::fs::read_dir(&dir).unwrap().count() == 1, "only what was there before");
    let task = "name: x\n---\nrun: y\nfile_mounts_mapping:\n  /agent: agent\n";
    let launch = Launch { task, pool: None, count: 1, blob: Some("b") };
    assert_eq!(run(client.launch(&launch)), Ok(vec![4]));

    let seen = server.seen.lock().unwrap().clone();
    let query = seen[1].line.strip_prefix("POST /upload?user_hash=0123abcd&upload_id=").unwrap();
    let directory = query.strip_suffix("&chunk_index=0&total_chunks=1").unwrap();
    let zip = zip::ZipArchive::new(std::io::Cursor::new(seen[1].body.clone())).unwrap();
    assert_eq!(
        zip.file_names().map(|name| name.unwrap().into_owned()).collect::<Vec<_>>(),
        [format!("{directory}/agent/key")]
    );
    let body = seen[2].json();
    assert_eq!(body.get("file_mounts_blob_id"), None);
    let wanted = format!("name: x\n---\nrun: y\nfile_mounts_mapping:\n  /agent: {directory}/agent\n");
    assert_eq!(body["task"], wanted);
    assert_eq!(seen.len(), 4, "{:?}", server.lines());

    // Files that it had and has not any more are sent again, whoever finds out; those that nobody ever found are not.
    let refused = |message: String| Err(Error::Refused { kind: "ValueError".into(), message });
    let gone = |directory: &str| refused(format!("File mount source '/x/{directory}/agent' does not exist"));
    let learn = |directory: &str, answer: Result<(), Error>| client.sent.learn("b", directory, answer);
    assert_eq!(learn(directory, refused("no".into())), refused("no".into()));
    assert!(client.sent.has("b"));
    for _ in 0..2 {
        assert!(matches!(learn(directory, gone(directory)), Err(Error::FilesLost(_))));
        assert_eq!(run(client.has_blob("b", 7)), Ok(false));
    }
    let server = Server::new(vec![old(&json!({"api_version": "40"})), completed()]);
    let client = server.client();
    run(client.upload("b", &path, &|_| {})).unwrap();
    let directory = client.sent.directory(Some("b")).unwrap();
    assert_eq!(client.sent.learn::<()>("b", &directory, gone(&directory)), gone(&directory));
    assert!(!client.sent.has("b"));
}

/// A peer that speaks no TLS will not learn it: it is not waited for.
#[test]
fn no_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            // Until the client goes: closing first would look like a server that restarts.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let client = Client::new(&endpoint(&url)).unwrap().with_patience(Duration::from_secs(3600));
    let error = run(client.health()).unwrap_err();
    assert!(matches!(&error, Error::Unreachable { endpoint, .. } if *endpoint == url), "{error:?}");
}

/// What is spawned must be able to go to another thread.
#[test]
fn calls_can_be_sent() {
    fn sendable<T: Send>(_: &T) {}
    let client = Client::new(&endpoint("http://h")).unwrap();
    sendable(&client.launch(&LAUNCH));
    sendable(&client.log(&LogOf::Job(1, None), true));
    sendable(&client.upload("b", std::path::Path::new("x"), &|_| {}));
}

#[test]
fn a_cluster_is_launched_when_the_server_has_taken_it_on() {
    let server = Server::new(vec![health(), posted()]);
    assert_eq!(run(server.client().launch_cluster("c", "name: x\n---\nrun: y\n", Some("b"))), Ok(()));
    assert_eq!(server.lines(), ["GET /api/health", "POST /launch"]);
    let body = server.seen.lock().unwrap()[1].json();
    let wanted = json!({"cluster_name": "c", "task": "name: x\n---\nrun: y\n", "file_mounts_blob_id": "b", "retry_until_up": true});
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&body[key], value, "{key}");
    }
    let server = Server::new(vec![health(), Reply::Cut]);
    let lost = run(server.client().launch_cluster("c", "", None)).unwrap_err();
    assert!(matches!(lost, Error::MayHaveHappened(_)), "{lost:?}");
    let server = Server::new(vec![of_version(40, &json!({"api_version": "40", "status": "healthy"}))]);
    let old = run(server.client().launch_cluster("c", "", None)).unwrap_err();
    assert!(old.to_string().contains("an interactive allocation needs 41"), "{old}");
}

#[test]
fn launches_are_found_by_the_cluster_s_name() {
    let row = |id: &str, name: &str, cluster: &str, status: &str| json!({"request_id": id, "name": name, "cluster_name": cluster, "status": status, "status_msg": null, "user_id": ""});
    // An older server does not know the filter.
    let rows = json!([
        row("3", "sky.down", "c", "RUNNING"),
        row("2", "sky.launch", "other", "RUNNING"),
        row("1", "sky.launch", "c", "FAILED"),
    ]);
    let server = Server::new(vec![says(200, &rows)]);
    let found = run(server.client().launches("c")).unwrap();
    assert_eq!(found.iter().map(|l| (l.request_id.as_str(), l.is_over())).collect::<Vec<_>>(), [("1", true)]);
    let lines = server.lines();
    assert!(lines[0].ends_with("&cluster_name=c&all_status=true"), "{lines:?}");
}

#[test]
fn how_a_launch_ended_and_a_cluster_that_is_not_there() {
    let server = Server::new(vec![
        gave(&json!({"job_id": 1, "handle": "gASV"})),
        threw("ResourcesUnavailableError"),
        says(404, &json!({"detail": "Request 'id' not found"})),
        posted(),
        threw("ClusterDoesNotExist"),
        posted(),
        threw("RuntimeError"),
        posted(),
        gave(&json!({"1": "RUNNING"})),
        posted(),
        gave(&json!({"1": null})),
    ]);
    let client = server.client();
    assert_eq!(run(client.launched("id")), Ok(()));
    let refused = run(client.launched("id")).unwrap_err();
    assert!(matches!(&refused, Error::Refused { kind, .. } if kind == "ResourcesUnavailableError"), "{refused:?}");
    let forgotten = run(client.launched("id")).unwrap_err();
    assert!(matches!(forgotten, Error::MayHaveHappened(_)), "{forgotten:?}");
    assert_eq!(run(client.down("c")), Ok(()));
    assert!(run(client.down("c")).is_err());
    assert_eq!(run(client.job_status("c", 1)), Ok(Some("RUNNING".into())));
    assert_eq!(run(client.job_status("c", 1)), Ok(None));
}
