use super::*;
use proptest::prelude::*;
use std::io::{Read, Write};

/// A server of the first of two nodes with two tasks each, and the tasks' ends.
fn server() -> (Server, Vec<UnixStream>) {
    let launching = Launching {
        allocated: None,
        step: 3,
        request: Default::default(),
        nodes: vec!["a".into(), "b".into()],
        layout: vec![vec![0, 1], vec![2, 3]],
        distribution: "block".into(),
        node: 0,
        cpus: 2,
        cpu_ids: Default::default(),
        ports: None,
        gpus: Default::default(),
        launcher: String::new(),
    };
    let (server, ends) = Server::new(7, &launching).unwrap();
    let ends: Vec<UnixStream> = ends.into_iter().map(UnixStream::from).collect();
    ends.iter().for_each(|end| end.set_nonblocking(true).unwrap());
    (server, ends)
}

/// What a task reads now.
fn heard(mut end: &UnixStream) -> String {
    let mut bytes = vec![0; 1 << 20];
    let read = end.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// What a task hears when it says this, and what the first node hears.
fn say(server: &mut Server, ends: &[UnixStream], task: usize, text: &str) -> (String, Vec<FromPart>) {
    (&ends[task]).write_all(text.as_bytes()).unwrap();
    let said = server.serve(task);
    (heard(&ends[task]), said)
}

fn two(body: &str) -> String {
    format!("{:<6}{body}", body.len())
}

fn up(said: &[FromPart]) -> Vec<&Up> {
    said.iter().filter_map(|said| if let FromPart::Pmi(up) = said { Some(up) } else { None }).collect()
}

fn pair(key: &str, value: &str) -> super::super::Pair {
    (Bytes(key.into()), Bytes(value.into()))
}

#[test]
fn tasks_of_both_protocols_meet_in_a_fence() {
    let (mut server, ends) = server();
    let ask = |server: &mut Server, task, text: &str| say(server, &ends, task, text).0;
    assert_eq!(
        ask(&mut server, 0, "cmd=init pmi_version=1 pmi_subversion=1\n"),
        "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1\n"
    );
    // Cut anywhere, and several at once.
    assert_eq!(ask(&mut server, 0, "cmd=get_ma"), "");
    assert_eq!(
        ask(&mut server, 0, "xes\ncmd=get_my_kvsname\n"),
        "cmd=maxes rc=0 kvsname_max=256 keylen_max=64 vallen_max=1024\ncmd=my_kvsname rc=0 kvsname=7.3\n"
    );
    ask(&mut server, 1, "cmd=init pmi_version=2 pmi_subversion=0\n");
    let init = ask(&mut server, 1, &two("cmd=fullinit;pmijobid=7.3;pmirank=1;threaded=FALSE;"));
    assert!(init[6..].starts_with("cmd=fullinit-response;rc=0;pmi-version=2;pmi-subversion=0;rank=1;size=4;"));
    let mapping = "value=(vector,(0,2,2))";
    assert!(ask(&mut server, 0, "cmd=get kvsname=7.3 key=PMI_process_mapping\n").contains(mapping));
    assert!(ask(&mut server, 1, &two("cmd=info-getjobattr;key=PMI_process_mapping;")).contains(mapping));

    assert_eq!(ask(&mut server, 0, "cmd=put kvsname=7.3 key=a value=1\n"), "cmd=put_result rc=0\n");
    assert_eq!(ask(&mut server, 0, "cmd=get kvsname=7.3 key=a\n"), "cmd=get_result rc=1\n");
    let (out, said) = say(&mut server, &ends, 0, "cmd=barrier_in\n");
    assert!(out.is_empty() && said.is_empty());
    let (out, said) = say(&mut server, &ends, 1, &two("cmd=kvs-fence;thrid=0x1;"));
    assert_eq!((out.as_str(), up(&said)), ("", vec![&Up::Fence(vec![pair("a", "1")])]));
    assert!(server.hear(Down::Fence(Some(vec![pair("a", "1"), pair("b", "x;y")]))).is_empty());
    assert_eq!(heard(&ends[0]), "cmd=barrier_out rc=0\n");
    assert_eq!(heard(&ends[1]), two("cmd=kvs-fence-response;thrid=0x1;rc=0;"));
    assert_eq!(
        ask(&mut server, 1, &two("cmd=kvs-get;jobid=;srcid=-1;key=b;")),
        two("cmd=kvs-get-response;rc=0;found=TRUE;value=x;;y;")
    );
    assert_eq!(ask(&mut server, 0, "cmd=finalize\n"), "cmd=finalize_ack rc=0\n");
    assert_eq!(server.wants(false).count(), 1, "who is done is not waited for");
}

#[test]
fn attributes_of_the_node_are_waited_for() {
    let (mut server, ends) = server();
    for task in 0..2 {
        say(&mut server, &ends, task, "cmd=init pmi_version=2 pmi_subversion=0\n");
    }
    let none = two("cmd=info-getnodeattr-response;rc=0;found=FALSE;");
    assert_eq!(say(&mut server, &ends, 1, &two("cmd=info-getnodeattr;key=shm;wait=FALSE;")).0, none);
    assert_eq!(say(&mut server, &ends, 1, &two("cmd=info-getnodeattr;key=shm;wait=TRUE;")).0, "");
    let done = two("cmd=info-putnodeattr-response;rc=0;");
    assert_eq!(say(&mut server, &ends, 0, &two("cmd=info-putnodeattr;key=shm;value=5;")).0, done);
    assert_eq!(heard(&ends[1]), two("cmd=info-getnodeattr-response;rc=0;found=TRUE;value=5;"));
}

#[test]
fn names_go_to_the_first_node_and_come_back_in_order() {
    let (mut server, ends) = server();
    say(&mut server, &ends, 0, "cmd=init pmi_version=1 pmi_subversion=1\n");
    say(&mut server, &ends, 1, "cmd=init pmi_version=2 pmi_subversion=0\n");
    let (_, said) = say(&mut server, &ends, 0, "cmd=lookup_name service=ocean\n");
    assert_eq!(up(&said), [&Up::Lookup(Bytes("ocean".into()))]);
    let (_, said) = say(&mut server, &ends, 1, &two("cmd=name-publish;name=ocean;port=p;"));
    assert_eq!(up(&said), [&Up::Publish(Bytes("ocean".into()), Bytes("p".into()))]);
    server.hear(Down::Name(None, false));
    server.hear(Down::Name(None, true));
    server.hear(Down::Name(None, true)); // nobody has asked
    assert_eq!(heard(&ends[0]), "cmd=lookup_result rc=1 info=fail\n");
    assert_eq!(heard(&ends[1]), two("cmd=name-publish-response;rc=0;"));
}

#[test]
fn what_there_is_not_is_refused() {
    let (mut server, ends) = server();
    say(&mut server, &ends, 1, "cmd=init pmi_version=2 pmi_subversion=0\n");
    let (out, _) = say(&mut server, &ends, 1, &two("cmd=ring;count=1;left=a;right=b;"));
    assert_eq!(out, two("cmd=ring-response;rc=14;errmsg=request of 'ring' not supported;"));
    let (out, said) = say(&mut server, &ends, 1, &two("cmd=spawn;ncmds=1;preputcount=0;subcmd=/bin/true;"));
    assert!(out.contains("cmd=spawn-response;rc=14;errmsg=spawn failed") && said.len() == 1, "{out}");
    let (_, said) = say(&mut server, &ends, 1, &two("cmd=abort;isworld=FALSE;msg=x;"));
    assert!(said.is_empty());
    let (_, said) = say(&mut server, &ends, 1, &two("cmd=abort;isworld=TRUE;msg=x;"));
    assert_eq!(up(&said), [&Up::Abort]);
    // A protocol that there is not, then one that there is; then nonsense, which is the end.
    let refused = "cmd=response_to_init rc=-1 pmi_version=2 pmi_subversion=0\n";
    assert_eq!(say(&mut server, &ends, 0, "cmd=init pmi_version=3 pmi_subversion=0\n").0, refused);
    say(&mut server, &ends, 0, "cmd=init pmi_version=1 pmi_subversion=2\n");
    let (_, said) = say(&mut server, &ends, 0, "cmd=create_kvs\n");
    let FromPart::Message(text) = &said[0] else { panic!("{said:?}") };
    assert_eq!(text, "mpi/pmi2: task 0: PMI1 request of 'create_kvs' not supported");
    assert!((&ends[0]).write_all(b"x").is_err(), "the connection is closed");
}

#[test]
fn a_task_that_does_not_read_is_not_served_on() {
    let (mut server, ends) = server();
    say(&mut server, &ends, 0, "cmd=init pmi_version=1 pmi_subversion=1\n");
    let many = "cmd=get kvsname=7.3 key=PMI_process_mapping\n".repeat(500);
    let mut rounds = 0;
    while (&ends[0]).write_all(many.as_bytes()).is_ok() {
        server.serve(0);
        rounds += 1;
        assert!(rounds < 10_000, "it takes whatever comes");
    }
    assert!(server.wants(true).any(|(task, _, flags)| (task, flags) == (0, PollFlags::POLLOUT)));
    assert!(!server.wants(true).any(|(task, _, _)| task == 1), "while the way is full, nothing is taken in");
    let answers = std::iter::repeat_with(|| {
        server.serve(0);
        heard(&ends[0]).lines().count()
    });
    let answers: usize = answers.take_while(|n| *n > 0).sum();
    assert!(answers >= 500 * rounds, "{answers} of {rounds} times 500");
}

proptest! {
    #[test]
    fn nothing_a_task_says_harms(
        version in 1..3,
        pieces in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "(cmd|mcmd)=(put|get|barrier_in|spawn|finalize|lookup_name)( key=a| value=b){0,3}\n".prop_map(String::into_bytes),
            "cmd=(fullinit|kvs-put|kvs-fence|info-getnodeattr|name-publish|abort);(key=a;|value=b;|wait=TRUE;){0,3}"
                .prop_map(|body| two(&body).into_bytes()),
        ], 0..20),
    ) {
        let (mut server, ends) = server();
        say(&mut server, &ends, 0, &format!("cmd=init pmi_version={version} pmi_subversion=0\n"));
        for piece in pieces {
            let _ = (&ends[0]).write_all(&piece);
            server.serve(0);
            server.hear(Down::Name(None, true));
        }
        server.hear(Down::Fence(None));
        // The other task does not notice.
        let out = say(&mut server, &ends, 1, "cmd=init pmi_version=1 pmi_subversion=1\n").0;
        prop_assert!(out.starts_with("cmd=response_to_init rc=0"));
    }
}
