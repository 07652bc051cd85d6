//! Containers for the tasks of a step: pyxis' options, through what the node has.
//!
//! Each task is a container of its own, started by enroot, apptainer or podman, whichever of them the node's `PATH` has first
//! in this order. Pure: who asks looks for the tool and gives the task's environment.

use serde::{Deserialize, Serialize};

/// What a step's options ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// `--container-image`: `[USER@][REGISTRY#]IMAGE[:TAG]`, or the path of a file.
    pub image: Option<String>,
    /// `--container-name`
    pub name: Option<String>,
    /// `--container-mounts`: `SRC:DST[:FLAGS]` each.
    pub mounts: Vec<String>,
    /// `--container-workdir`
    pub workdir: Option<String>,
    /// `--container-env`: names of variables.
    pub env: Vec<String>,
    /// `--container-mount-home`, `--no-container-mount-home`
    pub home: Option<bool>,
    /// `--container-remap-root`, `--no-container-remap-root`
    pub root: Option<bool>,
    /// `--container-writable`, `--container-readonly`
    pub writable: Option<bool>,
    /// `--container-entrypoint`, `--no-container-entrypoint`
    pub entrypoint: Option<bool>,
}

/// What runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Enroot,
    Apptainer,
    Podman,
}

impl Tool {
    /// All of them, the first one first, and the names their programs have.
    pub const ALL: [(Tool, &'static str); 4] = [
        (Tool::Enroot, "enroot"),
        (Tool::Apptainer, "apptainer"),
        (Tool::Apptainer, "singularity"),
        (Tool::Podman, "podman"),
    ];
}

/// What is said where the node has none of them.
pub(super) const NONE: &str = "--container-image: this node has none of enroot, apptainer and podman on its PATH; install one of them, or name the \
     image for the whole job";

/// What a container has to be told of its task.
pub(super) struct Facts<'a> {
    /// The value of a variable of the task.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A directory for images that are fetched.
    pub cache: &'a str,
}

type Words = Vec<String>;

/// The words that run `command` in a container with `tool`, whose program is `program`.
///
/// # Errors
/// What the tool cannot do, in words for the user.
pub(super) fn words(
    asked: &Container,
    tool: Tool,
    program: &str,
    command: &[String],
    facts: &Facts,
) -> Result<Words, String> {
    match tool {
        Tool::Enroot => enroot(asked, program, command, facts),
        Tool::Apptainer => apptainer(asked, program, command, facts),
        Tool::Podman => podman(asked, program, command, facts),
    }
}

fn some(words: &[&str]) -> Words {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Whether an image is a file, by how it is written (pyxis).
fn is_file(image: &str) -> bool {
    image.starts_with(['/', '.'])
}

fn needs_image<'a>(asked: &'a Container, tool: &str) -> Result<&'a str, String> {
    if asked.name.is_some() {
        return Err(format!("--container-name: {tool} keeps no container for the next step; leave the option out"));
    }
    asked.image.as_deref().ok_or_else(|| "--container-image is missing".to_owned())
}

/// `docker://REGISTRY/IMAGE:TAG`
fn reference(image: &str, scheme: &str) -> String {
    match image {
        file if is_file(file) => file.to_owned(),
        uri if uri.contains("://") => uri.to_owned(),
        name => format!("{scheme}{}", name.replacen('#', "/", 1)),
    }
}

/// Fetches an image once for all tasks of a node, and starts it.
const FETCH: &str =
    "f=$1 u=$2; shift 2; (flock 9; [ -e \"$f\" ] || enroot import -o \"$f\" \"$u\" >&2) 9>\"$f.lock\" && exec \"$@\"";
/// The same for a container that keeps its name.
const CREATE: &str = "n=$1 f=$2; shift 2; (flock 9; enroot list | grep -qx \"$n\" || enroot create -n \"$n\" \"$f\" >&2) 9>\"/tmp/.$n.$(id -u).lock\" && exec \"$@\"";

fn enroot(asked: &Container, program: &str, command: &[String], facts: &Facts) -> Result<Words, String> {
    let mut start = some(&[program, "start"]);
    if asked.root == Some(true) {
        start.push("--root".into());
    }
    if asked.writable == Some(true) {
        start.push("--rw".into());
    }
    for mount in &asked.mounts {
        start.extend(["--mount".into(), mount.clone()]);
    }
    for name in &asked.env {
        start.extend(["--env".into(), name.clone()]);
    }
    let name = asked.name.as_ref().map(|name| format!("pyxis_{}", name.split(':').next().unwrap_or(name)));
    let (file, fetched) = match asked.image.as_deref() {
        Some(image) if is_file(image) => (Some(image.to_owned()), None),
        Some(image) => {
            let uri = if image.contains("://") { image.to_owned() } else { format!("docker://{image}") };
            let plain: String = image.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '+' }).collect();
            let file = format!("{}/{plain}.sqsh", facts.cache);
            (Some(file.clone()), Some((file, uri)))
        }
        None => (None, None),
    };
    start.push(name.clone().or_else(|| file.clone()).ok_or("--container-image is missing")?);
    if let Some(dir) = &asked.workdir {
        start.extend(some(&["sh", "-c", "cd \"$0\" && exec \"$@\""]));
        start.push(dir.clone());
    }
    start.extend_from_slice(command);
    if let (Some(name), Some(file)) = (name, file) {
        start = [some(&["sh", "-c", CREATE, "sh"]), vec![name, file], start].concat();
    }
    if let Some((file, uri)) = fetched {
        start = [some(&["sh", "-c", FETCH, "sh"]), vec![file, uri], start].concat();
    }
    if let Some(home) = asked.home {
        let home = if home { "ENROOT_MOUNT_HOME=y" } else { "ENROOT_MOUNT_HOME=n" };
        start = [some(&["env", home]), start].concat();
    }
    Ok(start)
}

fn apptainer(asked: &Container, program: &str, command: &[String], facts: &Facts) -> Result<Words, String> {
    let image = needs_image(asked, "apptainer")?;
    let verb = if asked.entrypoint == Some(true) { "run" } else { "exec" };
    let mut words = some(&[program, verb]);
    if asked.home == Some(false) {
        words.push("--no-home".into());
    }
    if asked.root == Some(true) {
        words.push("--fakeroot".into());
    }
    if asked.writable == Some(true) {
        words.push("--writable-tmpfs".into());
    }
    if (facts.variable)("CUDA_VISIBLE_DEVICES").is_some() {
        words.push("--nv".into());
    }
    for mount in &asked.mounts {
        words.extend(["--bind".into(), mount.clone()]);
    }
    if let Some(dir) = &asked.workdir {
        words.extend(["--pwd".into(), dir.clone()]);
    }
    for name in &asked.env {
        let value = (facts.variable)(name);
        words.extend(value.into_iter().flat_map(|value| ["--env".into(), format!("{name}={value}")]));
    }
    words.push(reference(image, "docker://"));
    words.extend_from_slice(command);
    Ok(words)
}

fn podman(asked: &Container, program: &str, command: &[String], facts: &Facts) -> Result<Words, String> {
    let image = needs_image(asked, "podman")?;
    // The task's world but for its files: tasks talk to each other and to srun as they would outside.
    let mut words = some(&[program, "run", "--rm", "--interactive", "--network=host", "--ipc=host", "--env-host"]);
    if asked.entrypoint != Some(true) {
        words.push("--entrypoint=".into());
    }
    if asked.root == Some(false) {
        words.push("--userns=keep-id".into());
    }
    if asked.writable == Some(false) {
        words.push("--read-only".into());
    }
    if (facts.variable)("CUDA_VISIBLE_DEVICES").is_some() {
        words.push("--device=nvidia.com/gpu=all".into());
    }
    let home = (facts.variable)("HOME").filter(|_| asked.home == Some(true));
    let mounts = asked.mounts.iter().cloned().chain(home.map(|home| format!("{home}:{home}")));
    words.extend(mounts.flat_map(|mount| ["--volume".into(), mount]));
    if let Some(dir) = &asked.workdir {
        words.extend(["--workdir".into(), dir.clone()]);
    }
    for name in &asked.env {
        words.extend(["--env".into(), name.clone()]);
    }
    words.push(if is_file(image) { image.to_owned() } else { reference(image, "") });
    words.extend_from_slice(command);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(asked: &Container, tool: Tool, gpus: bool) -> String {
        let variable = |name: &str| match name {
            "HOME" => Some("/home/u".to_owned()),
            "MINE" => Some("a b".to_owned()),
            "CUDA_VISIBLE_DEVICES" => gpus.then(|| "0".to_owned()),
            _ => None,
        };
        let facts = Facts { variable: &variable, cache: "/tmp/c" };
        let command = ["hostname".to_owned(), "-s x".to_owned()];
        let program = Tool::ALL.iter().find(|(t, _)| *t == tool).unwrap().1;
        match words(asked, tool, program, &command, &facts) {
            Ok(words) => words
                .iter()
                .map(|w| if w.contains(' ') { format!("<{w}>") } else { w.clone() })
                .collect::<Vec<_>>()
                .join(" "),
            Err(text) => format!("error: {text}"),
        }
    }

    fn plain(image: &str) -> Container {
        Container { image: Some(image.into()), ..Container::default() }
    }

    fn full() -> Container {
        Container {
            mounts: vec!["/data:/data:ro".into(), "/x:/y".into()],
            workdir: Some("/work".into()),
            env: vec!["MINE".into(), "UNSET".into()],
            home: Some(true),
            root: Some(true),
            writable: Some(true),
            ..plain("nvcr.io#nvidia/pytorch:24.01")
        }
    }

    #[test]
    fn an_image_is_run_by_what_there_is() {
        insta::assert_snapshot!(shown(&plain("ubuntu:24.04"), Tool::Apptainer, false), @"apptainer exec docker://ubuntu:24.04 hostname <-s x>");
        insta::assert_snapshot!(shown(&plain("./image.sif"), Tool::Apptainer, true), @"apptainer exec --nv ./image.sif hostname <-s x>");
        insta::assert_snapshot!(shown(&plain("ubuntu"), Tool::Podman, false), @"podman run --rm --interactive --network=host --ipc=host --env-host --entrypoint= ubuntu hostname <-s x>");
        insta::assert_snapshot!(shown(&plain("/images/a.sqsh"), Tool::Enroot, false), @"enroot start /images/a.sqsh hostname <-s x>");
    }

    #[test]
    fn everything_asked_for_is_handed_on() {
        insta::assert_snapshot!(shown(&full(), Tool::Apptainer, false), @"apptainer exec --fakeroot --writable-tmpfs --bind /data:/data:ro --bind /x:/y --pwd /work --env <MINE=a b> docker://nvcr.io/nvidia/pytorch:24.01 hostname <-s x>");
        insta::assert_snapshot!(shown(&full(), Tool::Podman, true), @"podman run --rm --interactive --network=host --ipc=host --env-host --entrypoint= --device=nvidia.com/gpu=all --volume /data:/data:ro --volume /x:/y --volume /home/u:/home/u --workdir /work --env MINE --env UNSET nvcr.io/nvidia/pytorch:24.01 hostname <-s x>");
        let enroot = shown(&full(), Tool::Enroot, false);
        assert!(enroot.starts_with("env ENROOT_MOUNT_HOME=y sh -c <f=$1 u=$2;"), "{enroot}");
        assert!(enroot.contains("> sh /tmp/c/nvcr+io+nvidia+pytorch+24+01.sqsh docker://nvcr.io#nvidia/pytorch:24.01 enroot start --root --rw --mount /data:/data:ro --mount /x:/y --env MINE --env UNSET /tmp/c/nvcr+io+nvidia+pytorch+24+01.sqsh sh -c <cd \"$0\" && exec \"$@\"> /work hostname"), "{enroot}");
    }

    #[test]
    fn named_containers_are_enroot_s() {
        let named = Container { name: Some("mine".into()), ..Container::default() };
        insta::assert_snapshot!(shown(&named, Tool::Enroot, false), @"enroot start pyxis_mine hostname <-s x>");
        insta::assert_snapshot!(shown(&named, Tool::Podman, false), @"error: --container-name: podman keeps no container for the next step; leave the option out");
        let made = Container { name: Some("mine".into()), ..plain("/a.sqsh") };
        assert!(
            shown(&made, Tool::Enroot, false)
                .ends_with("> sh pyxis_mine /a.sqsh enroot start pyxis_mine hostname <-s x>")
        );
        assert!(shown(&Container::default(), Tool::Apptainer, false).starts_with("error: "));
    }
}
