//! Frames through logs of every kind.

use super::*;
use proptest::prelude::*;

const PREFIX: &str = "\u{1b}[36m(head, rank=0, pid=7224)\u{1b}[0m ";

fn written(run: u32, pieces: &[(Kind, Vec<u8>)]) -> Vec<u8> {
    let (mut writer, mut log) = (Writer::new(run), Vec::new());
    pieces.iter().for_each(|(kind, bytes)| writer.write(*kind, bytes, &mut log));
    log
}

fn lines(log: &[u8]) -> Vec<&[u8]> {
    log.split_inclusive(|byte| *byte == b'\n').collect()
}

fn read(log: &[u8]) -> (Vec<Found>, Result<(), Gap>) {
    let (mut reader, mut found) = (Reader::new(), Vec::new());
    let end = reader.read(log, &mut found);
    (found, end)
}

/// All bytes of a kind.
fn stream(found: &[Found], wanted: Kind) -> Vec<u8> {
    let data = |found: &Found| match found {
        Found::Data(kind, data) if *kind == wanted => data.clone(),
        _ => Vec::new(),
    };
    found.iter().flat_map(data).collect()
}

fn streams(found: &[Found]) -> [Vec<u8>; 3] {
    KINDS.map(|(kind, _)| stream(found, kind))
}

fn given(pieces: &[(Kind, Vec<u8>)]) -> [Vec<u8>; 3] {
    let found: Vec<Found> = pieces.iter().map(|(kind, bytes)| Found::Data(*kind, bytes.clone())).collect();
    streams(&found)
}

#[test]
fn lines_are_readable() {
    let log = written(
        0xbad_cafe,
        &[
            (Kind::Output, b"epoch 3: loss 0.12\n\n  indented\tmore\nno end".to_vec()),
            (Kind::Error, b"10%\r20%\r\n30%\r\nna\xc3\xafve\n".to_vec()),
            (Kind::Event, br#"{"time":1}"#.to_vec()),
        ],
    );
    insta::assert_snapshot!(String::from_utf8(log).unwrap(), @r#"
    @skyslurm1 0badcafe 0 O= d5e1128f epoch 3: loss 0.12
    @skyslurm1 0badcafe 1 O= e90a4122
    @skyslurm1 0badcafe 2 O= 49f9e8b6   indented	more
    @skyslurm1 0badcafe 3 O- a3ae208e no end
    @skyslurm1 0badcafe 4 Eb 44c3edb8 MTAlDTIwJQ0KMzAlDQo=
    @skyslurm1 0badcafe 5 E= bd85622c naïve
    @skyslurm1 0badcafe 6 V- 08a9235f {"time":1}
    "#);
}

#[test]
fn what_would_not_come_through_is_packed() {
    for line in
        ["blank \n", "tab\t\n", "a\u{1b}[0m\n", "\u{2028}\n", "a@skyslurm1 b\n", "\0", "\r\n", "\u{85}", "\u{a0}"]
    {
        let log = written(1, &[(Kind::Output, line.into())]);
        assert!(log.starts_with(b"@skyslurm1 00000001 0 Ob "), "{line:?} {}", String::from_utf8_lossy(&log));
    }
    let long = [b'x'; TEXT + 1];
    assert!(written(1, &[(Kind::Output, long.into())]).starts_with(b"@skyslurm1 00000001 0 Oz "));
    let many = "line\n".repeat(500);
    assert_eq!(lines(&written(1, &[(Kind::Output, many.into())])).len(), 1);
    let longest = [b'x'; TEXT];
    assert!(written(1, &[(Kind::Output, longest.into())]).starts_with(b"@skyslurm1 00000001 0 O- "));
}

#[test]
fn lines_of_others() {
    let log = format!(
        "\u{1b}[2mWaiting for task resources on 2 nodes.\u{1b}[0m\r\n\n<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n\
         \u{1b}[36m(setup pid=99)\u{1b}[0m installing\n{PREFIX}\n\u{1b}]0;title\u{7}(pids) 7\n(no end"
    );
    let (mut reader, mut found) = (Reader::new(), Vec::new());
    reader.read(log.as_bytes(), &mut found).unwrap();
    let expected = ["Waiting for task resources on 2 nodes.", "installing", "(pids) 7"];
    assert_eq!(found, expected.map(|line| Found::Line(line.to_owned())));
}

#[test]
fn a_line_without_end_is_given_up() {
    let (mut reader, mut found) = (Reader::new(), Vec::new());
    for _ in 0..40 {
        reader.read(&[b'x'; 10_000], &mut found).unwrap();
    }
    reader.read(b"yyy\n", &mut found).unwrap();
    reader.read(&written(1, &[(Kind::Output, b"a\n".into())]), &mut found).unwrap();
    let expected = [Found::Line("x".repeat(256 * 1024)), Found::Run(1), Found::Data(Kind::Output, b"a\n".to_vec())];
    assert_eq!(found, expected);
}

#[test]
fn runs_follow_each_other() {
    let output = |text: &str| (Kind::Output, text.as_bytes().to_vec());
    let (first, second) = (written(1, &[output("a\nb\n")]), written(2, &[output("c\nd\n")]));
    let both = [first.clone(), second.clone()].concat();
    let (found, end) = read(&both);
    assert_eq!((streams(&found)[0].as_slice(), end), (b"a\nb\nc\nd\n".as_slice(), Ok(())));
    assert_eq!(found.iter().filter(|found| matches!(found, Found::Run(_))).count(), 2);

    // The older run comes again: on re-reading, all of it is passed over.
    let (mut reader, mut found) = (Reader::new(), Vec::new());
    reader.read(&[first.as_slice(), lines(&second)[0]].concat(), &mut found).unwrap();
    assert_eq!(reader.position(), Some((2, 1)));
    reader.rewind();
    found.clear();
    reader.read(&both, &mut found).unwrap();
    assert_eq!(found, [Found::Data(Kind::Output, b"d\n".to_vec())]);

    // A run whose beginning is missing.
    assert_eq!(read(lines(&second)[1]).1, Err(Gap { expected: 0 }));
    assert_eq!(read(&[first.as_slice(), lines(&second)[1]].concat()).1, Err(Gap { expected: 0 }));
    // And another reader that goes on.
    let (mut reader, mut found) = (Reader::resume(2, 1), Vec::new());
    reader.read(&second, &mut found).unwrap();
    assert_eq!(found, [Found::Data(Kind::Output, b"d\n".to_vec())]);
}

#[test]
fn a_gap_lasts_until_the_log_is_read_again() {
    let log = written(7, &[(Kind::Output, b"a\nb\nc\n".into())]);
    let parts = lines(&log);
    let (mut reader, mut found) = (Reader::new(), Vec::new());
    assert_eq!(reader.read(&[parts[0], parts[2]].concat(), &mut found), Err(Gap { expected: 1 }));
    assert_eq!(reader.read(parts[1], &mut found), Err(Gap { expected: 1 }));
    reader.rewind();
    assert_eq!(reader.read(&log, &mut found), Ok(()));
    assert_eq!(streams(&found)[0], b"a\nb\nc\n");
    // What was read may be damaged when it comes again.
    let broken = String::from_utf8_lossy(&log).replacen(" a\n", " A\n", 1);
    reader.rewind();
    assert_eq!(reader.read(broken.as_bytes(), &mut found), Ok(()));
    assert_eq!(read(broken.as_bytes()).1, Err(Gap { expected: 0 }));
}

#[test]
fn nothing_swells() {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zlib, &vec![0; 40 << 20]).unwrap();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, zlib.finish().unwrap());
    assert_eq!(read(format!("@skyslurm1 00000001 0 Oz 00000000 {base64}\n").as_bytes()).1, Err(Gap { expected: 0 }));
}

/// Pieces as a script writes them, and as nobody does.
fn pieces() -> impl Strategy<Value = Vec<(Kind, Vec<u8>)>> {
    let kind = prop::sample::select(KINDS.map(|(kind, _)| kind).to_vec());
    let bytes = prop_oneof![
        4 => "([a-z \t\r(]{0,6}\n?){0,8}".prop_map(String::into_bytes),
        2 => "(?s).{0,80}".prop_map(String::into_bytes),
        1 => Just(b"@skyslurm1 00000001 0 O= 00000000 x\n".to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (any::<u8>(), any::<u8>(), 0..120_000usize).prop_map(|(a, b, n)| {
            (0..n).map(|i| (i.wrapping_mul(usize::from(a)) >> (b % 8)) as u8).collect()
        }),
    ];
    prop::collection::vec((kind, bytes), 0..8)
}

/// A log as SkyPilot shows it: every frame behind a prefix, lines of others between them.
fn decorated(log: &[u8], others: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    for (line, other) in lines(log).iter().zip(others.iter().cycle()) {
        match other % 5 {
            0 => shown.extend_from_slice(b"<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n"),
            1 => {
                shown.extend_from_slice("\u{1b}[32m(worker1, rank=1, pid=1, ip=1.2.3.4)\u{1b}[0m 10%\r20%\n".as_bytes())
            }
            2 => shown.extend_from_slice(b"\n\xff\xfe @skyslurm2 \n"),
            _ => {}
        }
        shown.extend_from_slice(PREFIX.as_bytes());
        shown.extend_from_slice(line);
    }
    shown
}

/// Cuts of a log, at most as many as are given.
fn chunks<'a>(mut log: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for size in sizes {
        let (chunk, rest) = log.split_at((*size).min(log.len()));
        chunks.push(chunk);
        log = rest;
    }
    chunks.push(log);
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn all_comes_back(pieces in pieces(), others in prop::collection::vec(any::<u8>(), 1..9),
                      sizes in prop::collection::vec(0..400usize, 0..200)) {
        let log = written(9, &pieces);
        prop_assert!(lines(&log).iter().all(|line| line.len() <= 64 * 1024));
        let shown = decorated(&log, &others);
        let (mut reader, mut found) = (Reader::new(), Vec::new());
        for chunk in chunks(&shown, &sizes) {
            prop_assert_eq!(reader.read(chunk, &mut found), Ok(()));
        }
        prop_assert_eq!(streams(&found), given(&pieces));
        let lines = lines(&log).len() as u64;
        prop_assert_eq!(reader.position(), (lines > 0).then_some((9, lines)));
    }

    #[test]
    fn one_call_is_one_frame(bytes in prop::collection::vec(any::<u8>(), 1..600)) {
        let event: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'\n').chain(*b"\n").collect();
        let (found, _) = read(&written(9, &[(Kind::Event, event.clone())]));
        prop_assert_eq!(found, [Found::Run(9), Found::Data(Kind::Event, event)]);
    }

    #[test]
    fn a_log_that_was_cut_is_read_again(pieces in pieces(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
                                        others in prop::collection::vec(any::<u8>(), 1..9)) {
        let log = decorated(&[written(8, &pieces), written(9, &pieces)].concat(), &others);
        let (mut reader, mut found) = (Reader::new(), Vec::new());
        for cut in cuts {
            let end = cut.index(log.len() + 1);
            prop_assert_eq!(reader.read(&log[..end], &mut found), Ok(()));
            reader.rewind();
        }
        prop_assert_eq!(reader.read(&log, &mut found), Ok(()));
        let twice = [pieces.clone(), pieces].concat();
        prop_assert_eq!(streams(&found), given(&twice));
    }

    #[test]
    fn damage_is_noticed(pieces in pieces(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
                         remove in any::<bool>(), lost in any::<prop::sample::Index>()) {
        let mut log = written(9, &pieces);
        prop_assume!(!log.is_empty());
        // What is damaged is noticed when the next frame comes.
        let end = written(9, &[pieces.clone(), vec![(Kind::Event, b"end\n".to_vec())]].concat())[log.len()..].to_vec();
        if remove {
            let parts = lines(&log);
            let lost = lost.index(parts.len());
            log = parts.iter().enumerate().filter(|(i, _)| *i != lost).flat_map(|(_, line)| line.to_vec()).collect();
        } else {
            let place = place.index(log.len());
            log[place] = byte;
        }
        let (found, result) = read(&[log, end].concat());
        let mut expected = given(&pieces);
        if result.is_ok() {
            // Then what was damaged carried nothing (or the byte was the same).
            expected[2].extend_from_slice(b"end\n");
            prop_assert_eq!(streams(&found), expected);
        } else {
            for (found, all) in streams(&found).iter().zip(&expected) {
                prop_assert!(all.starts_with(found));
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(log in prop::collection::vec(any::<u8>(), 0..300), frame in "@skyslurm1 [0-9a-f]{1,20} [0-9a-f+]{1,17} [OEV][=zb-] [0-9a-f]{1,9} ?[a-zA-Z0-9+/=]{0,9}\n") {
        let _ = read(&[log.as_slice(), frame.as_bytes()].concat());
    }
}

/// `cargo test --release --lib frame -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
#[expect(clippy::print_stderr, reason = "that is what it is for")]
fn throughput() {
    let line = |i: u32| {
        format!(
            "step {i} loss {:.5} grad {:.4} lr 3e-4\n",
            f64::from(i.wrapping_mul(2_654_435_761)) / 1e9,
            f64::from(i)
        )
    };
    let text: String = (0..)
        .map(line)
        .scan(0, |n, line| {
            *n += line.len();
            (*n < 50 << 20).then_some(line)
        })
        .collect();
    for size in [64 << 10, 1000, 60] {
        let (mut writer, mut log, start) = (Writer::new(1), Vec::new(), std::time::Instant::now());
        text.as_bytes().chunks(size).for_each(|chunk| writer.write(Kind::Output, chunk, &mut log));
        let (wrote, start, mut reader, mut bytes) = (start.elapsed(), std::time::Instant::now(), Reader::new(), 0);
        for chunk in log.chunks(64 << 10) {
            let mut found = Vec::new();
            reader.read(chunk, &mut found).unwrap();
            bytes += stream(&found, Kind::Output).len();
        }
        assert_eq!(bytes, text.len());
        eprintln!(
            "50 MB in calls of {size}: {} MB of log, written in {wrote:?}, read in {:?}",
            log.len() >> 20,
            start.elapsed()
        );
    }
}
