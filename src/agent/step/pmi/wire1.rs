//! PMI-1 on the wire: `cmd=put kvsname=1.0 key=a value=b` and a newline. Several lines, the last of them `endcmd`, where
//! the first is `mcmd=spawn`.

use super::{Asked, Command, Garbage, LONGEST, Row};

/// The requests of PMI-1 and their answers.
pub(super) const TABLE: [Row; 13] = [
    ("get_maxes", "maxes", Command::Maxes),
    ("get_universe_size", "universe_size", Command::UniverseSize),
    ("get_appnum", "appnum", Command::AppNum),
    ("get_my_kvsname", "my_kvsname", Command::JobId),
    ("put", "put_result", Command::Put),
    ("get", "get_result", Command::Get),
    ("barrier_in", "barrier_out", Command::Fence),
    ("publish_name", "publish_result", Command::Publish),
    ("unpublish_name", "unpublish_result", Command::Unpublish),
    ("lookup_name", "lookup_result", Command::Lookup),
    ("spawn", "spawn_result", Command::Spawn),
    ("abort", "", Command::Abort),
    ("finalize", "finalize_ack", Command::Finalize),
];

/// What ends a request of several lines.
const END: &[u8] = b"endcmd\n";

/// The first request in `bytes` and its length, if it is there in full.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Asked, usize)>, Garbage> {
    let many = bytes.starts_with(b"mcmd=");
    let end = match many {
        true => bytes.windows(END.len()).position(|w| w == END).map(|at| at + END.len()),
        false => bytes.iter().position(|b| *b == b'\n').map(|at| at + 1),
    };
    let Some(request) = end.and_then(|end| bytes.get(..end)).filter(|r| r.len() <= LONGEST) else {
        return if bytes.len() < LONGEST { Ok(None) } else { Err(Garbage) };
    };
    let blank = |b: &u8| *b == b'\n' || (*b == b' ' && !many);
    let mut words = request.split(blank).filter(|word| !word.is_empty()).map(|word| {
        let equals = word.iter().position(|b| *b == b'=').unwrap_or(word.len());
        let (key, value) = word.split_at(equals);
        (key.to_vec(), value.get(1..).unwrap_or_default().to_vec())
    });
    let (_, name) = words.next().filter(|(key, _)| key == b"cmd" || key == b"mcmd").ok_or(Garbage)?;
    let name = String::from_utf8(name).map_err(|_| Garbage)?;
    Ok(Some((Asked { name, pairs: words.collect() }, request.len())))
}

/// Appends an answer to `to`.
pub(super) fn write(name: &str, pairs: &[(&str, &[u8])], to: &mut Vec<u8>) {
    to.extend_from_slice(b"cmd=");
    to.extend_from_slice(name.as_bytes());
    for (key, value) in pairs {
        to.push(b' ');
        to.extend_from_slice(key.as_bytes());
        to.push(b'=');
        // A blank would end the value: messages have underscores there, as Slurm's have.
        to.extend(value.iter().map(|b| if matches!(b, b' ' | b'\n') { b'_' } else { *b }));
    }
    to.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(list: &[(&str, &str)]) -> super::super::Pairs {
        list.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec())).collect()
    }

    #[test]
    fn lines_are_requests() {
        let line = b"cmd=put kvsname=3.0 key=P0-card value=a=b#c\ncmd=ge";
        let (asked, length) = parse(line).unwrap().unwrap();
        assert_eq!((asked.name.as_str(), length), ("put", line.len() - 6));
        assert_eq!(asked.pairs, pairs(&[("kvsname", "3.0"), ("key", "P0-card"), ("value", "a=b#c")]));
        assert_eq!(parse(&line[length..]), Ok(None));
        assert_eq!(parse(b"hello\n"), Err(Garbage));
        assert_eq!(parse(b"\n"), Err(Garbage));
        assert_eq!(parse(&[b'x'; LONGEST]), Err(Garbage));
    }

    #[test]
    fn spawn_goes_on_to_its_end() {
        let lines = b"mcmd=spawn\nnprocs=1\nexecname=/bin/a b\nendcmd\nrest";
        assert_eq!(parse(&lines[..20]), Ok(None));
        let (asked, length) = parse(lines).unwrap().unwrap();
        assert_eq!((asked.name.as_str(), length), ("spawn", lines.len() - 4));
        assert_eq!(asked.get("execname"), Some(&b"/bin/a b"[..]));
    }

    #[test]
    fn answers_are_lines() {
        let mut to = Vec::new();
        write("get_result", &[("rc", b"1"), ("msg", b"not\nfound here")], &mut to);
        assert_eq!(to, b"cmd=get_result rc=1 msg=not_found_here\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec("[!-~]{0,40}", 0..5), more in ".{0,9}") {
            let pairs: Vec<(&str, &[u8])> = values.iter().map(|v| ("key", v.as_bytes())).collect();
            let mut bytes = Vec::new();
            write("name", &pairs, &mut bytes);
            let length = bytes.len();
            bytes.extend_from_slice(more.as_bytes());
            let (asked, read) = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!(read, length);
            let back: Vec<&[u8]> = asked.pairs.iter().map(|(_, v)| v.as_slice()).collect();
            prop_assert_eq!(back, pairs.iter().map(|(_, v)| *v).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_a_request_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), many: bool) {
            let bytes = [if many { b"mcmd=" } else { &b"cmd="[..] }, &bytes].concat();
            if let Ok(Some((_, length))) = parse(&bytes) {
                prop_assert!(length > 0 && length <= bytes.len());
            }
        }
    }
}
