//! The parsers. `fuzz/` has them, too: nothing of the suite is used here.

use skyslurm::{
    agent::{Event, Launch, broadcast, frame, owner, remote::Payload, step, wire},
    config::Config,
    controller::api,
    engine::skypilot::client::{ClusterRow, JobEvent, LaunchRow, QueueRow},
    host::ipc,
    job::Job,
    report::{format, sort},
    slurm::{
        array::{ArraySpec, JobIdSpec},
        begin, bind, count, dependency, directives, filename, gres, hostlist, idset, license, mail, memory,
        options::{self, Command},
        signal, state, time,
    },
};
use std::{ffi::OsString, fs, io::Write, os::unix::ffi::OsStringExt};

/// A parser, and what it is asked.
pub struct Target {
    /// What it is called in the figures.
    pub name: &'static str,
    /// The parser. Whatever it says is right.
    pub parse: fn(&[u8]),
}

const fn target(name: &'static str, parse: fn(&[u8])) -> Target {
    Target { name, parse }
}

/// The key that descriptions of jobs are sealed with here.
const SEAL: [u8; 32] = [7; 32];

/// All of them.
pub const TARGETS: &[Target] = &[
    target("grammars", |bytes| grammars(&String::from_utf8_lossy(bytes))),
    target("times", |bytes| times(&String::from_utf8_lossy(bytes))),
    target("hostlists", |bytes| hosts(&String::from_utf8_lossy(bytes))),
    target("formats", |bytes| formats(&String::from_utf8_lossy(bytes))),
    target("directives", script),
    target("options", command_line),
    target("config", config),
    target("api", |bytes| {
        let _ =
            (ipc::parse::<api::Call>(bytes), ipc::parse::<api::Reply>(bytes), ipc::receive::<api::Call>(&mut &*bytes));
    }),
    target("agent protocol", |bytes| {
        let _ =
            (ipc::parse::<wire::Request>(bytes), ipc::parse::<wire::Order>(bytes), ipc::parse::<wire::Answer>(bytes));
        let _ = (ipc::parse::<step::ToClient>(bytes), ipc::parse::<step::FromClient>(bytes));
        let _ = (ipc::parse::<step::FromPart>(bytes), ipc::parse::<step::ToPart>(bytes));
        let _ = (ipc::parse::<broadcast::Piece>(bytes), ipc::parse::<broadcast::FromReceiver>(bytes));
        let _ = (ipc::parse::<owner::ToOwner>(bytes), ipc::parse::<owner::FromOwner>(bytes));
    }),
    target("log frames", log),
    target("events, inbox", |bytes| {
        let _ = (serde_json::from_slice::<Event>(bytes), serde_json::from_slice::<wire::Control>(bytes));
        let _ = (serde_json::from_slice::<Launch>(bytes), serde_json::from_slice::<Job>(bytes));
    }),
    target("sealed descriptions", |bytes| {
        let _ = Payload::open(&String::from_utf8_lossy(bytes), &SEAL);
    }),
    target("SkyPilot's answers", |bytes| {
        let _ = (serde_json::from_slice::<Vec<QueueRow>>(bytes), serde_json::from_slice::<Vec<JobEvent>>(bytes));
        let _ = (serde_json::from_slice::<Vec<ClusterRow>>(bytes), serde_json::from_slice::<Vec<LaunchRow>>(bytes));
    }),
];

fn grammars(text: &str) {
    let _ = (count::parse_count(text), text.parse::<count::NodeCount>());
    let _ = (ArraySpec::parse(text, 1001), text.parse::<JobIdSpec>(), JobIdSpec::parse_list(text));
    let _ = (signal::parse_signal(text), text.parse::<signal::WarnSignal>(), state::JobState::parse(text));
    let _ = (mail::is_valid(text), license::parse(text), text.parse::<dependency::DependencyList>());
    let _ = (text.parse::<bind::Bind>(), bind::Bind::memory(text));
    let _ = (memory::parse_mem(text), text.parse::<memory::Mebibytes>(), text.parse::<idset::IdSet>());
    let _ = (text.parse::<gres::GresList>(), gres::GresList::parse_gpus(text), text.parse::<gres::Tres>());
    let vars = filename::Vars { job_name: text.into(), ..filename::Vars::default() };
    let name = filename::expand(text, &vars);
    assert!(name.len() <= 64 * text.len() * (text.len() + 1) + 64, "a pattern of {} made {}", text.len(), name.len());
}

fn times(text: &str) {
    let now = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let _ = (begin::parse(text, now), begin::parse_past(text, now), text.parse::<time::TimeLimit>());
}

fn hosts(text: &str) {
    if let Ok(names) = hostlist::expand(text) {
        assert!(names.len() <= 1 << 20, "{} names", names.len());
        let short = hostlist::compress(&names);
        assert_eq!(hostlist::expand(&short).as_deref(), Ok(&names[..]), "{short}");
    }
}

fn formats(text: &str) {
    let _ = (format::short(text), format::long(text).len(), sort::keys(text).len(), sort::job_keys(text).is_ok());
}

fn script(bytes: &[u8]) {
    let _ = directives::check_script(bytes);
    for foreign in [false, true] {
        let _ = directives::read(bytes, "job.sh", foreign);
    }
    let read = &mut |_: &options::Options, _: &[OsString]| {
        Ok(Some(options::Script { name: "job.sh".into(), bytes: bytes.to_vec() }))
    };
    let _ = options::read_batch(&["job.sh".into()], &|_| None, read);
}

fn command_line(bytes: &[u8]) {
    let words = bytes.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let words: Vec<OsString> = words.map(|word| OsString::from_vec(word.to_vec())).collect();
    let env = |name: &str| name.starts_with("SBATCH_").then(|| String::from_utf8_lossy(bytes).into_owned());
    for command in Command::ALL {
        let _ = options::parse(command, words.get(1..).unwrap_or_default(), &|_| None);
    }
    let _ = options::parse(Command::Sbatch, &[], &env);
}

fn config(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    file.write_all(bytes).unwrap();
    let _ = Config::read(file.path());
    let _ = fs::metadata(file.path());
}

fn log(bytes: &[u8]) {
    for size in [1, 7, 4096] {
        let (mut reader, mut found) = (frame::Reader::new(), Vec::new());
        for piece in bytes.chunks(size) {
            if reader.read(piece, &mut found).is_err() {
                reader.rewind();
            }
        }
    }
}
