//! The websocket to a node's sshd, against one that a test answers by hand.

use super::*;
use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    thread::{self, JoinHandle},
};
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

type Socket = WebSocket<TcpStream>;

/// Accepts one connection with these first lines of an answer (`KEY` stands for the right one), and goes on with it; the
/// request's lines.
fn server(answer: &'static str, then: fn(Socket)) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let heard: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let key = heard.iter().find(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key"));
        let key = key.map_or("", |line| line.split_once(": ").unwrap().1);
        write!(stream, "{}\r\n\r\n", answer.replace("KEY", &derive_accept_key(key.as_bytes()))).unwrap();
        then(WebSocket::from_raw_socket(stream, Role::Server, None));
        heard
    };
    let client = Client::new(&Endpoint { token: Some("sky_token".into()), ..endpoint(&url) }).unwrap();
    (client, thread::spawn(serve))
}

const ACCEPTED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: KEY";

fn refuse(mut socket: Socket) {
    let reason = "Cluster c not found".into();
    socket.close(Some(CloseFrame { code: CloseCode::Policy, reason })).unwrap();
    while socket.read().is_ok() {}
}

/// What goes out for this input, and how it ends.
fn through(client: &Client, input: &[u8]) -> (Vec<u8>, Result<(), Error>) {
    let mut output = Vec::new();
    let (input, mut held) = (input.to_vec(), tokio::io::duplex(1 << 20));
    let ended = run(async {
        tokio::io::AsyncWriteExt::write_all(&mut held.0, &input).await.unwrap();
        client.ssh("/slurm-job-ssh-proxy", ("a&b", 1), &mut held.1, &mut output).await
    });
    (output, ended)
}

#[test]
fn bytes_go_both_ways_in_messages_of_their_kind() {
    let (client, heard) = server(ACCEPTED, |mut socket| {
        let mut got = Vec::new();
        while got.len() < 100_000 {
            let Message::Binary(bytes) = socket.read().unwrap() else { continue };
            assert_eq!(bytes[0], 0);
            got.extend_from_slice(&bytes[1..]);
        }
        assert!(got.iter().all(|b| *b == 7));
        socket.send(Message::binary(vec![1, 0, 0, 0, 9])).unwrap(); // measures the line
        socket.send(Message::binary(vec![0, 8, 8])).unwrap();
        socket.send(Message::binary(Vec::new())).unwrap();
        socket.send(Message::Ping(Vec::new().into())).unwrap();
        socket.send(Message::binary(vec![0, 9])).unwrap();
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
    });
    let (output, ended) = through(&client, &[7; 100_000]);
    assert_eq!((output.as_slice(), ended), (&[8, 8, 9][..], Ok(())));
    let heard = heard.join().unwrap();
    assert!(heard[0].contains("cluster_name=a%26b&worker=1&client_version=62&no_redirect=1"), "{heard:?}");
    assert!(heard.iter().any(|line| line.eq_ignore_ascii_case("authorization: bearer sky_token")));
}

#[test]
fn a_refusal_says_why() {
    let (client, _) = server(ACCEPTED, refuse);
    let (_, ended) = through(&client, b"x");
    assert_eq!(ended.unwrap_err().to_string(), "Cluster c not found");
    let (client, _) = server("HTTP/1.1 403 Forbidden\r\nContent-Length: 0", drop);
    assert!(matches!(through(&client, b"x").1, Err(Error::Login(_))));
}

#[test]
fn what_is_no_websocket_is_none() {
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 0", &ACCEPTED[..ACCEPTED.len() - 3]] {
        let (client, _) = server(answer, drop);
        assert!(matches!(through(&client, b"x").1, Err(Error::Nonsense(_) | Error::Unreachable { .. })), "{answer}");
    }
    let (client, _) = server(ACCEPTED, |socket| drop(socket.into_inner()));
    assert!(matches!(through(&client, b"x").1, Err(Error::Unreachable { .. })));
}
