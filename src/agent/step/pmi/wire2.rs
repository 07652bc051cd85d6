//! PMI-2 on the wire: six bytes with the length in digits, then `cmd=kvs-put;key=a;value=b;`. A `;` in a value is `;;`.

use super::{Asked, Command, Garbage, LONGEST, Pairs, Row};

/// The requests of PMI-2 and their answers.
pub(super) const TABLE: [Row; 14] = [
    ("fullinit", "fullinit-response", Command::FullInit),
    ("job-getid", "job-getid-response", Command::JobId),
    ("kvs-put", "kvs-put-response", Command::Put),
    ("kvs-get", "kvs-get-response", Command::Get),
    ("kvs-fence", "kvs-fence-response", Command::Fence),
    ("info-getnodeattr", "info-getnodeattr-response", Command::GetNodeAttribute),
    ("info-putnodeattr", "info-putnodeattr-response", Command::PutNodeAttribute),
    ("info-getjobattr", "info-getjobattr-response", Command::GetJobAttribute),
    ("name-publish", "name-publish-response", Command::Publish),
    ("name-unpublish", "name-unpublish-response", Command::Unpublish),
    ("name-lookup", "name-lookup-response", Command::Lookup),
    ("spawn", "spawn-response", Command::Spawn),
    ("abort", "", Command::Abort),
    ("finalize", "finalize-response", Command::Finalize),
];

/// Digits of the length.
const HEAD: usize = 6;

/// The first request in `bytes` and its length, if it is there in full.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Asked, usize)>, Garbage> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else { return Ok(None) };
    let digits = std::str::from_utf8(head).map_err(|_| Garbage)?.trim_matches([' ', '\0']);
    let length = digits.parse().ok().filter(|n: &usize| *n <= LONGEST).ok_or(Garbage)?;
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let mut pairs = pairs(body)?;
    if pairs.first().is_none_or(|(key, _)| key != b"cmd") {
        return Err(Garbage);
    }
    let (_, name) = pairs.remove(0);
    let name = String::from_utf8(name).map_err(|_| Garbage)?;
    Ok(Some((Asked { name, pairs }, HEAD + length)))
}

fn pairs(body: &[u8]) -> Result<Pairs, Garbage> {
    let (mut pairs, mut bytes) = (Vec::new(), body.iter().copied().peekable());
    while bytes.peek().is_some() {
        let mut key = Vec::new();
        loop {
            match bytes.next().ok_or(Garbage)? {
                b'=' => break,
                byte => key.push(byte),
            }
        }
        let mut value = Vec::new();
        loop {
            match bytes.next().ok_or(Garbage)? {
                b';' if bytes.next_if_eq(&b';').is_none() => break,
                byte => value.push(byte),
            }
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Appends an answer to `to`.
pub(super) fn write(name: &str, pairs: &[(&str, &[u8])], to: &mut Vec<u8>) {
    let mut body = format!("cmd={name};").into_bytes();
    for (key, value) in pairs {
        body.extend_from_slice(key.as_bytes());
        body.push(b'=');
        for byte in *value {
            body.push(*byte);
            if *byte == b';' {
                body.push(b';');
            }
        }
        body.push(b';');
    }
    to.extend_from_slice(format!("{:<6}", body.len()).as_bytes());
    to.extend_from_slice(&body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_have_their_length_before_them() {
        let bytes = b"32    cmd=kvs-put;key=a;value=b;;=c;;;6     cmd=x;";
        let (asked, length) = parse(bytes).unwrap().unwrap();
        assert_eq!((asked.name.as_str(), length), ("kvs-put", 38));
        assert_eq!((asked.get("key"), asked.get("value")), (Some(&b"a"[..]), Some(&b"b;=c;"[..])));
        assert_eq!(parse(&bytes[38..]).unwrap().unwrap().0.name, "x");
        assert_eq!(parse(&bytes[..37]), Ok(None));
        assert_eq!(parse(b"999999cmd"), Err(Garbage));
        assert_eq!(parse(b"4     abcd"), Err(Garbage));
        assert_eq!(parse(b"6     key=a;"), Err(Garbage));
        assert_eq!(parse(b"5     cmd=a"), Err(Garbage));
        assert_eq!(parse(b"-1    "), Err(Garbage));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5)) {
            let pairs: Vec<(&str, &[u8])> = values.iter().map(|v| ("key", v.as_slice())).collect();
            let mut bytes = Vec::new();
            write("name", &pairs, &mut bytes);
            let (asked, read) = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!(read, bytes.len());
            let back: Vec<&[u8]> = asked.pairs.iter().map(|(_, v)| v.as_slice()).collect();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn any_bytes_are_a_request_or_none(body in prop::collection::vec(any::<u8>(), 0..200), bare: bool) {
            let bytes = if bare { body } else { [format!("{:<6}", body.len()).as_bytes(), &body].concat() };
            if let Ok(Some((_, length))) = parse(&bytes) {
                prop_assert!(length <= bytes.len() && length >= HEAD);
            }
        }
    }
}
