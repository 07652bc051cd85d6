//! Who has no business at an agent's socket, and what makes no sense there.

use crate::harness::{FOUR, Lab, is_root, skip};
use skyslurm::{agent::wire::Request, host::ipc};
use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::PathBuf,
    process::Command,
};

/// A job of two nodes whose agents' sockets are these; it ends well once `end` is there.
fn running(lab: &Lab) -> Vec<PathBuf> {
    lab.submit("-N2 -o out --wrap 'srun -N2 -n2 true; touch up; until [ -e end ]; do sleep 0.02; done; srun -N2 -n2 echo fine'");
    lab.until_true("the job", || lab.work().join("up").exists());
    (0..2).map(|index| lab.state().join(format!("spool/job00001/node{index}.sock"))).collect()
}

/// The job has come to no harm.
fn ends_well(lab: &Lab) {
    assert_eq!(lab.sh("squeue -h -o %t").ok(), "R\n");
    lab.file("end", "");
    lab.until_accounted(1, "COMPLETED|0:0");
    assert_eq!(lab.read("out"), "fine\nfine\n");
}

/// A frame: its length and what is in it.
fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

/// A request without its last byte.
fn cut(request: &Request) -> Vec<u8> {
    let whole = ipc::frame(request).unwrap();
    frame(&whole[4..whole.len() - 1])
}

#[test]
fn another_user_is_turned_away() {
    if !is_root() {
        return skip("only root can be somebody else");
    }
    let lab = Lab::new(FOUR);
    let sockets = running(&lab);
    // Even where nothing but the agent itself is in the way.
    let root = lab.state().parent().unwrap().to_owned();
    let dirs = [root, lab.state(), lab.state().join("spool"), lab.state().join("spool/job00001")];
    let before: Vec<_> = dirs.iter().map(|dir| fs::metadata(dir).unwrap().permissions()).collect();
    let stranger = |socket: &PathBuf| {
        let code = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1])\n s.sendall(bytes.fromhex(sys.argv[2]))\n print('in', s.recv(99))\nexcept OSError as e:\n print('out', e.errno)";
        // TERM to the whole job, as far as that is what it says to whoever may ask.
        let python = fs::canonicalize("/usr/bin/python3").unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(python).args(["-c", code]);
        let out = command.arg(socket).arg("000000020001").output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    for socket in &sockets {
        assert_eq!(stranger(socket), "out 13\n"); // the directory is not his
    }
    for dir in &dirs {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for socket in &sockets {
        assert_eq!(stranger(socket), "out 13\n"); // nor is the socket
        fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).unwrap();
        let answer = stranger(socket);
        assert!(answer == "in b''\n" || answer == "out 104\n" || answer == "out 32\n", "{answer}");
    }
    for (dir, before) in dirs.iter().zip(before) {
        fs::set_permissions(dir, before).unwrap();
    }
    ends_well(&lab);
}

#[test]
fn nonsense_is_turned_away() {
    let lab = Lab::new(FOUR);
    let sockets = running(&lab);
    let mut open = Vec::new();
    for socket in &sockets {
        for said in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            vec![0xff; 70_000],
            frame(b""),
            frame(&[99]),
            cut(&Request::Attach { job: 1, step: 0, input: None }),
            cut(&Request::Receiver { id: u64::MAX, index: 1 }),
            frame(&[0, 77, 1, 2, 3]),
            frame(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let mut stream = UnixStream::connect(socket).unwrap();
            let _ = stream.write_all(&said);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.is_empty(), "{said:?}: {answer:?}");
        }
        // Halves of frames, and those who say nothing at all, wait; they are in nobody's way.
        for said in [&b""[..], &[0, 0], &[0, 0, 0, 9], &[0, 0, 0, 9, 2, 1]] {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.write_all(said).unwrap();
            open.push(stream);
        }
        // Those who leave in the middle of one.
        drop(UnixStream::connect(socket).unwrap().write_all(&[0, 0, 1, 0, 2]));
    }
    ends_well(&lab);
}

#[test]
fn who_says_that_he_is_an_agent_is_not_believed() {
    let lab = Lab::new(FOUR);
    let sockets = running(&lab);
    // A node that is there already, one that is none, and parts of steps that are none or are over: `Node`, `Part`.
    let nodes = [1, 0, 9].map(|index| Request::Node { index });
    let parts = [(0, 0), (9, 0), (0, 9)].map(|(step, node)| Request::Part { step, node });
    for request in nodes.iter().chain(&parts) {
        let mut stream = UnixStream::connect(&sockets[0]).unwrap();
        ipc::send(&mut stream, request).unwrap();
        // Said again.
        let _ = ipc::send(&mut stream, request);
        drop(stream);
    }
    ends_well(&lab);
}
