//! `skyslurm doctor`: what is configured, whether the SkyPilot API server can be used, and what to do where not.

#[cfg(test)]
mod tests;

use super::terminal;
use crate::{
    config::{Config, PartitionConfig},
    engine::skypilot::client::{API_VERSION, Client, Endpoint, Error, Health, InfraNode},
    host::directory,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
    process::{Command as Process, Stdio},
    time::Duration,
};

const USAGE: &str = "\
Usage: skyslurm doctor

Says what is configured, whether the SkyPilot API server can be used and what it offers, and
what to do where something is wrong. Nothing is changed. Exits with 1 if there is an error.
";

/// Where a SkyPilot API server is taken for granted, as the sky client does.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:46580";

/// How long one question may take. The doctor does not wait for servers that are away.
const LIMIT: Duration = Duration::from_secs(60);

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    Warning,
    Error,
}

/// One thing that was found.
#[derive(Debug, PartialEq)]
struct Finding {
    mark: Mark,
    text: String,
    /// What to do about it.
    advice: Option<String>,
}

/// What was gathered. The report follows from it alone.
struct Facts {
    config_file: PathBuf,
    /// Whether there is such a file.
    config_exists: bool,
    config: Result<Config, String>,
    endpoint: Result<Option<Found>, String>,
    /// Whether there is an ssh.
    has_ssh: bool,
}

/// An endpoint, and what its server says.
struct Found {
    endpoint: Endpoint,
    health: Result<Health, Error>,
    /// Asked for only where the server answers.
    enabled: Option<Result<Vec<String>, Error>>,
    /// By infra, for those of the partitions; all that are enabled if no partition has one.
    nodes: BTreeMap<String, Result<Vec<InfraNode>, Error>>,
}

/// Runs `skyslurm doctor`; `args` without its own name.
pub fn run(args: Vec<OsString>) -> u8 {
    match args.first().map(|a| a.to_string_lossy()) {
        None => {}
        Some(word) if word == "--help" || word == "-h" => return terminal::print(USAGE),
        Some(word) => {
            terminal::eprint(&format!("skyslurm doctor: unknown argument {word}"));
            terminal::eprint(USAGE.trim_end());
            return 1;
        }
    }
    let findings = report(&gather());
    let written = terminal::print(&page(&findings));
    written.max(u8::from(findings.iter().any(|f| f.mark == Mark::Error)))
}

/// Looks at everything.
fn gather() -> Facts {
    let config_file = directory::config_file();
    let config = Config::read(&config_file).map_err(|e| e.to_string());
    let configured = config.as_ref().ok().and_then(|c| c.skypilot.endpoint.clone());
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let needed = config.as_ref().is_ok_and(|c| c.partition.iter().any(|p| p.on_skypilot().is_some()));
    let endpoint = Endpoint::find(configured.as_deref(), &environment)
        .and_then(|found| match found {
            None if needed => Ok(Endpoint::find(Some(DEFAULT_ENDPOINT), &environment)?
                .map(|endpoint| Endpoint { found: "the sky client's default".into(), ..endpoint })),
            found => Ok(found),
        })
        .map_err(|e| e.to_string());
    let partitions = config.as_ref().map(|c| c.partition.as_slice()).unwrap_or_default();
    let endpoint = endpoint.and_then(|found| found.map(|endpoint| ask(endpoint, partitions)).transpose());
    let ssh = Process::new("ssh").arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    Facts { config_exists: config_file.exists(), config_file, config, endpoint, has_ssh: ssh.is_ok() }
}

/// Asks the server.
fn ask(endpoint: Endpoint, partitions: &[PartitionConfig]) -> Result<Found, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let late = |_| Error::Unreachable { endpoint: endpoint.url.clone(), why: "no answer within a minute".into() };
        let client = Client::new(&endpoint).map(|client| client.with_patience(Duration::from_secs(3)));
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                return Ok(Found { endpoint, health: Err(error), enabled: None, nodes: BTreeMap::new() });
            }
        };
        let health = tokio::time::timeout(LIMIT, client.health()).await.unwrap_or_else(|e| Err(late(e)));
        let mut enabled = None;
        let mut nodes = BTreeMap::new();
        if health.is_ok() {
            let answer = tokio::time::timeout(LIMIT, client.enabled()).await.unwrap_or_else(|e| Err(late(e)));
            let ours: BTreeSet<&String> = partitions.iter().flat_map(|p| &p.infra.0).collect();
            let offered = answer.as_deref().unwrap_or_default();
            let asked: BTreeSet<&String> = if ours.is_empty() { offered.iter().collect() } else { ours };
            for infra in asked.into_iter().filter(|i| offered.iter().any(|o| covers(o, i)) && has_nodes(i)) {
                let answer = tokio::time::timeout(LIMIT, client.nodes(infra)).await.unwrap_or_else(|e| Err(late(e)));
                nodes.insert(infra.clone(), answer);
            }
            enabled = Some(answer);
        }
        Ok(Found { endpoint, health, enabled, nodes })
    })
}

fn has_nodes(infra: &str) -> bool {
    ["slurm", "kubernetes", "k8s", "ssh"].contains(&infra.split('/').next().unwrap_or_default())
}

/// Whether `infra` is `offered`, or a part of it, or the other way round: `slurm/lab/gpu` and `slurm/lab`, `kubernetes`
/// and `kubernetes/research`.
fn covers(offered: &str, infra: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let mut parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        if let Some(kind) = parts.first_mut() {
            kind.make_ascii_lowercase();
            if kind == "k8s" {
                *kind = "kubernetes".into();
            }
        }
        parts
    };
    parts(offered).iter().zip(parts(infra)).all(|(a, b)| *a == b || b == "*")
}

/// What is found, in order.
fn report(facts: &Facts) -> Vec<Finding> {
    let mut all = Findings(Vec::new());
    let file = facts.config_file.display();
    let config = match &facts.config {
        Ok(config) => {
            all.ok(match facts.config_exists {
                true => format!("configuration: {file}"),
                false => format!("configuration: none ({file} does not exist)"),
            });
            Some(config)
        }
        Err(why) => {
            all.error(format!("configuration: {why}"), "correct the file; docs/CONFIG.md has every key");
            None
        }
    };
    let partitions = config.map(|c| c.partition.as_slice()).unwrap_or_default();
    for partition in partitions {
        all.ok(format!("partition {}: {}", partition.name, place(partition)));
    }
    let found = match &facts.endpoint {
        Ok(Some(found)) => found,
        Ok(None) => {
            all.ok("SkyPilot: no endpoint is configured; jobs run on this machine".into());
            return all.0;
        }
        Err(why) => {
            all.error(format!("SkyPilot: {why}"), "correct it; nothing was sent to any server");
            return all.0;
        }
    };
    server(&mut all, found);
    if !facts.has_ssh {
        let text = "ssh: not installed; salloc, and srun outside a job, get to no node through SkyPilot";
        all.warning(text.into(), "install OpenSSH's client");
    }
    if let Some(Ok(enabled)) = &found.enabled {
        infra(&mut all, enabled, partitions);
        found.nodes.iter().for_each(|(infra, nodes)| nodes_of(&mut all, infra, nodes));
    }
    all.0
}

fn place(partition: &PartitionConfig) -> String {
    match (partition.infra.0.as_slice(), &partition.pool) {
        ([], None) => "this machine".into(),
        ([], Some(pool)) => format!("SkyPilot pool {pool}"),
        (infra, _) => format!("SkyPilot, {}", infra.join(", else ")),
    }
}

/// The endpoint, the credentials, and whether the server takes them.
fn server(all: &mut Findings, found: &Found) {
    let endpoint = &found.endpoint;
    all.ok(format!("endpoint: {} (from {})", endpoint.url, endpoint.found));
    all.ok(format!("credentials: {}", credentials(endpoint)));
    let health = match &found.health {
        Ok(health) => health,
        Err(error) => return all.failed("server", error),
    };
    all.ok(format!(
        "server: SkyPilot {}, API version {} (skyslurm was written for {API_VERSION})",
        or(&health.version, "of an unknown version"),
        health.api_version
    ));
    if health.status != "healthy" {
        let text = format!("server: it says that it is \"{}\"", health.status);
        match health.status.as_str() {
            "needs_auth" => all.error(text, LOG_IN),
            _ => all.warning(text, "ask whoever runs the server; `sky api info` may tell more"),
        }
    }
    let user = health.user.as_ref().unwrap_or(&endpoint.user_name);
    all.ok(format!("user: {user} (id {})", endpoint.user_id));
    if let Some(Err(error)) = &found.enabled {
        all.failed("enabled infra", error);
    }
}

const LOG_IN: &str = "log in with `sky api login`, or set SKYPILOT_SERVICE_ACCOUNT_TOKEN";

/// Their kind, never themselves.
fn credentials(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint { token: Some(_), .. } => "the token of a service account".into(),
        Endpoint { basic: Some((user, _)), .. } => format!("user {user} and a password, in the address"),
        Endpoint { cookies: Some(path), .. } => format!("cookies in {}", path.display()),
        _ => "none".into(),
    }
}

/// What is enabled, and whether that is what the partitions need.
fn infra(all: &mut Findings, enabled: &[String], partitions: &[PartitionConfig]) {
    if enabled.is_empty() {
        all.error("enabled infra: none".into(), "run `sky check`: it says what is missing");
        return;
    }
    all.ok(format!("enabled infra: {}", enabled.join(", ")));
    for partition in partitions {
        for infra in &partition.infra.0 {
            if infra != "*" && !enabled.iter().any(|e| covers(e, infra)) {
                let text = format!("partition {}: {infra} is not enabled", partition.name);
                let kind = infra.split('/').next().unwrap_or_default();
                let advice = format!("run `sky check {kind}`, or choose another infra for the partition");
                match partition.infra.0.len() {
                    1 => all.error(text, &advice),
                    _ => all.warning(text, &advice),
                }
            }
        }
    }
}

fn nodes_of(all: &mut Findings, infra: &str, nodes: &Result<Vec<InfraNode>, Error>) {
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(error) => {
            let text = format!("{infra}: its nodes are not known: {error}");
            return all.warning(text, "jobs may run all the same; sinfo cannot show the nodes");
        }
    };
    let ready = nodes.iter().filter(|n| n.ready).count();
    let cpus: u64 = nodes.iter().map(|n| u64::from(n.cpus)).sum();
    let mut gpus: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for node in nodes.iter().filter(|n| n.gpus > 0) {
        let (total, free) = gpus.entry(node.gpu_type.as_deref().unwrap_or("GPU")).or_default();
        *total += u64::from(node.gpus);
        *free += u64::from(node.gpus_free);
    }
    let gpus: String = gpus.iter().map(|(kind, (total, free))| format!(", {total} {kind} ({free} free)")).collect();
    let text = format!("{infra}: {ready} of {} nodes ready, {cpus} CPUs{gpus}", nodes.len());
    match ready {
        0 => all.warning(text, "jobs wait there until a node is ready; see the infra's own tools (sinfo, kubectl)"),
        _ => all.ok(text),
    }
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, text: String) {
        self.0.push(Finding { mark: Mark::Ok, text, advice: None });
    }
    fn warning(&mut self, text: String, advice: &str) {
        self.0.push(Finding { mark: Mark::Warning, text, advice: Some(advice.into()) });
    }
    fn error(&mut self, text: String, advice: &str) {
        self.0.push(Finding { mark: Mark::Error, text, advice: Some(advice.into()) });
    }
    /// A call that failed, with what to do about it.
    fn failed(&mut self, what: &str, error: &Error) {
        let advice = match error {
            Error::Unreachable { .. } => "start it with `sky api start`, or correct the endpoint",
            Error::Login(_) => LOG_IN,
            Error::Version(_) => "upgrade the older of the two",
            _ => "see `sky api info` and the server's log",
        };
        self.error(format!("{what}: {error}"), advice);
    }
}

/// The findings as lines: the mark, what was found, and below it what to do.
fn page(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.mark {
            Mark::Ok => "ok",
            Mark::Warning => "warning",
            Mark::Error => "error",
        };
        let lines = finding.text.trim_end().replace('\n', "\n         ");
        text.push_str(&format!("{mark:7}  {lines}\n"));
        if let Some(advice) = &finding.advice {
            text.push_str(&format!("         -> {advice}\n"));
        }
    }
    text
}
