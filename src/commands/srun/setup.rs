//! From options to what is done around each task's program on its node.

use crate::{
    agent::{
        broadcast::Destination,
        step::{Bytes, Container, Setup},
        submitter,
    },
    job::resolve::propagated,
    slurm::{
        bind::{self, Bind, BindError, GpuBindError},
        options::{Command, Options, Refusal, Source},
        time::TimeLimit,
    },
};

use std::{os::unix::ffi::OsStringExt, path::PathBuf};

/// `--time` in minutes; `None`: as long as the job.
pub(super) fn time_limit(options: &Options) -> Option<u32> {
    match options.get("time")?.parse().ok()? {
        TimeLimit::Minutes(minutes) => Some(minutes),
        TimeLimit::Unlimited => None,
    }
}

/// What the options ask for around each task.
///
/// # Errors
/// srun's own refusals.
pub(super) fn resolve(options: &Options) -> Result<Setup, Refusal> {
    let text = |name: &str| options.get(name).map(str::to_owned);
    // What the step around this one told its tasks was made for its own CPUs.
    let told = |name: &str| {
        options.source(name) == Some(Source::Environment) && std::env::var_os("SLURM_CPU_BIND_TYPE").is_some()
    };
    let cpus = options.get("cpu-bind").filter(|text| !(text.contains("_cpu:") && told("cpu-bind"))).map(|text| {
        text.parse().map_err(|e: BindError| {
            let fatal = Refusal::fatal(Command::Srun, "Failed to parse --cpu-bind= values.");
            let mut refusal = Refusal::error(Command::Srun, 1, e.to_string());
            refusal.lines.extend(fatal.lines);
            refusal
        })
    });
    let memory = options
        .get("mem-bind")
        .map(|text| Bind::memory(text).map_err(|e| Refusal::error(Command::Srun, 255, e.to_string())));
    let gpus = options
        .get("gpu-bind")
        .or(options.get("tres-bind"))
        .map(|text| text.parse().map_err(|e: GpuBindError| Refusal::error(Command::Srun, 255, e.to_string())));
    if options.is_set("bcast") && options.is_set("multi-prog") {
        return Err(Refusal::error(
            Command::Srun,
            1,
            "--bcast: each task of --multi-prog has a program of its own; use sbcast",
        ));
    }
    let brought = options.is_set("bcast").then(|| destination(options));
    Ok(Setup {
        libraries: brought.is_some() && options.is_set("send-libs") && options.get("send-libs") != Some("no"),
        brought,
        limits: propagated(options.get("propagate"), submitter::limits()),
        preserve: options.is_set("preserve-env"),
        ports: options
            .is_set("resv-ports")
            .then(|| options.get("resv-ports").and_then(|n| n.parse().ok()).unwrap_or(0)),
        container: container(options),
        prolog: text("task-prolog"),
        epilog: text("task-epilog"),
        cpus: cpus.transpose()?,
        memory: memory.transpose()?,
        gpus: gpus.transpose()?,
    })
}

/// What pyxis' options ask for; nothing without an image or a name.
fn container(options: &Options) -> Option<Container> {
    let text = |name: &str| options.get(name).map(str::to_owned);
    let list = |name: &str| {
        options.all(name).flat_map(|text| text.split(',')).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    let either = |yes: &str, no: &str| match (options.is_set(yes), options.is_set(no)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let (image, name) = (text("container-image"), text("container-name"));
    (image.is_some() || name.is_some()).then(|| Container {
        image,
        name,
        mounts: list("container-mounts"),
        workdir: text("container-workdir"),
        env: list("container-env"),
        home: either("container-mount-home", "no-container-mount-home"),
        root: either("container-remap-root", "no-container-remap-root"),
        writable: either("container-writable", "container-readonly"),
        entrypoint: either("container-entrypoint", "no-container-entrypoint"),
    })
}

/// Where `--bcast` brings the program. Without a name it gets one of its own on each node.
fn destination(options: &Options) -> Destination {
    let directory = options.get("chdir").map_or_else(|| std::env::current_dir().unwrap_or_default(), PathBuf::from);
    let asked = options.get("bcast").filter(|path| !path.is_empty());
    let path = std::path::absolute(directory.join(asked.unwrap_or("."))).unwrap_or(directory);
    Destination {
        path: Bytes(path.into_os_string().into_vec()),
        named: asked.is_none_or(|path| path.ends_with('/')),
        library: None,
    }
}

/// What `--cpu-bind=help` or `--mem-bind=help` prints, and its exit code.
pub(super) fn help(options: &Options) -> Option<(&'static str, u8)> {
    let asked = |name: &str| options.get(name).is_some_and(|text| text.eq_ignore_ascii_case("help"));
    if asked("hint") {
        return Some((bind::HINT_HELP, 1));
    }
    match (asked("mem-bind"), asked("cpu-bind")) {
        (true, _) => Some((bind::MEMORY_HELP, 255)),
        (_, true) => Some((bind::CPU_HELP, 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::options;
    use std::ffi::OsString;

    fn resolved(args: &[&str]) -> Result<Setup, Refusal> {
        let words: Vec<OsString> = args.iter().map(Into::into).collect();
        let parsed = options::parse(Command::Srun, &words, &|_| None)?;
        resolve(&parsed.options)
    }

    #[test]
    fn wrong_bindings_are_refused_in_srun_s_words() {
        let said = |args: &[&str]| resolved(args).map_err(|r| (r.lines.join("\n"), r.exit));
        let two =
            "srun: error: unrecognized --cpu-bind argument \"bogus\"\nsrun: fatal: Failed to parse --cpu-bind= values.";
        assert_eq!(said(&["--cpu-bind=bogus"]), Err((two.into(), 1)));
        let one = "srun: error: missing list for \"--mem-bind=map_mem:<list>\"";
        assert_eq!(said(&["--mem-bind=map_mem"]), Err((one.into(), 255)));
        let gpu = "srun: error: Invalid --gpu-bind argument: gpu:single";
        assert_eq!(said(&["--gpu-bind=single"]), Err((gpu.into(), 255)));
        assert!(said(&["--gpu-bind=verbose,single:2", "--cpu-bind=v,cores"]).is_ok());
    }
}
