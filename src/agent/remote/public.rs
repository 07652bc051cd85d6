//! A node's address for the world, where a cloud gave it one: its metadata service tells.

use serde::Deserialize;
use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

/// Where the clouds' services answer, on every node.
const SERVICE: ([u8; 4], u16) = ([169, 254, 169, 254], 80);

/// They are on the same host: who does not answer soon is not there.
const LIMIT: Duration = Duration::from_secs(1);

/// No answer that is meant is longer.
const LONGEST: u64 = 4096;

/// What is asked: cloud, path, a header; and before that, where a token is wanted, its path, and the header that asks for it.
struct Row {
    cloud: &'static str,
    path: &'static str,
    header: &'static str,
    token: Option<(&'static str, &'static str)>,
}

/// As their manuals have it (AWS: IMDSv2).
const ROWS: [Row; 3] = [
    Row {
        cloud: "aws",
        path: "/latest/meta-data/public-ipv4",
        header: "X-aws-ec2-metadata-token",
        token: Some(("/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60")),
    },
    Row {
        cloud: "gcp",
        path: "/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip",
        header: "Metadata-Flavor: Google",
        token: None,
    },
    Row {
        cloud: "azure",
        path: "/metadata/instance/network/interface/0/ipv4/ipAddress/0/publicIpAddress?api-version=2021-02-01&format=text",
        header: "Metadata: true",
        token: None,
    },
];

/// Of `SKYPILOT_CLUSTER_INFO` what is used.
#[derive(Deserialize)]
struct ClusterInfo {
    cloud: String,
}

/// This node's; `None` where it has none, or its cloud is not one that tells.
pub(super) fn address() -> Option<String> {
    let info: ClusterInfo = serde_json::from_str(&env::var("SKYPILOT_CLUSTER_INFO").ok()?).ok()?;
    asked(&info.cloud, SERVICE.into())
}

fn asked(cloud: &str, service: SocketAddr) -> Option<String> {
    let row = ROWS.iter().find(|row| row.cloud.eq_ignore_ascii_case(cloud))?;
    let header = match row.token {
        Some((path, header)) => format!("{}: {}", row.header, ask(service, "PUT", path, header).ok()?),
        None => row.header.to_owned(),
    };
    let told = ask(service, "GET", row.path, &header).ok()?;
    told.parse::<IpAddr>().is_ok().then_some(told)
}

/// The text of one answer of status 200.
fn ask(service: SocketAddr, method: &str, path: &str, header: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&service, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    // The version without chunks, and with an end of the connection behind the answer.
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {}\r\n{header}\r\nContent-Length: 0\r\n\r\n", service.ip())?;
    let mut answer = BufReader::new(stream.take(LONGEST));
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if line.split(' ').nth(1) != Some("200") {
        return Err(io::ErrorKind::NotFound.into());
    }
    while line.trim_end() != "" {
        line.clear();
        if answer.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut text = String::new();
    answer.read_to_string(&mut text)?;
    let text = text.trim();
    match text.chars().any(char::is_control) {
        true => Err(io::ErrorKind::InvalidData.into()),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// A service that gives these answers in order; what it was asked, line by line.
    fn service(answers: Vec<&'static str>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move || {
            let mut heard = Vec::new();
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                heard.extend(lines.by_ref().take_while(|line| !line.is_empty()));
                (&stream).write_all(answer.as_bytes()).unwrap();
            }
            heard
        };
        (address, thread::spawn(serve))
    }

    #[test]
    fn aws_wants_a_token_first() {
        let (address, heard) =
            service(vec!["HTTP/1.1 200 OK\r\nA: b\r\n\r\nTOKEN", "HTTP/1.1 200 OK\r\n\r\n1.2.3.4\n"]);
        assert_eq!(asked("AWS", address).as_deref(), Some("1.2.3.4"));
        let heard = heard.join().unwrap();
        assert!(
            heard[0].starts_with("PUT /latest/api/token ") && heard.contains(&"X-aws-ec2-metadata-token: TOKEN".into())
        );
    }

    #[test]
    fn what_is_no_address_is_none() {
        for answer in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n1.2.3.4", "HTTP/1.1 200 OK\r\n\r\n<html>", "x"]
        {
            let (address, _) = service(vec![answer]);
            assert_eq!(asked("gcp", address), None, "{answer}");
        }
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!((asked("azure", nobody), asked("slurm", nobody)), (None, None));
    }
}
