//! The server itself: its port, what it is set to do wrong, and what it remembers of every request.

use super::{
    api, clusters,
    garbage::{self, Garbage, Then},
    http::{self, Answer, Request},
    jobs::{Job, Order},
    nodes, way,
};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{BufReader, Read},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

/// What the server is like. May be changed while it runs; whoever waits for a delay looks again.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `X-SkyPilot-API-Version` of its answers; what that version does not have it has not.
    pub api_version: u32,
    /// How long a request takes behind its POST.
    pub work: Duration,
    /// The same for single paths.
    pub work_of: BTreeMap<String, Duration>,
    /// How long a job is PENDING,
    pub pending: Duration,
    /// then STARTING before its script begins (after a preemption: RECOVERING),
    pub starting: Duration,
    /// (of clusters whose names begin so, so long)
    pub starting_of: BTreeMap<String, Duration>,
    /// then STARTING while it runs already;
    pub running_lag: Duration,
    /// how long it is RUNNING after its script has ended,
    pub ended_lag: Duration,
    /// and how long its cluster is there after that.
    pub teardown: Duration,
    /// `details` of a job that is STARTING.
    pub details: Option<String>,
    /// Why no job can be placed: FAILED_PRECHECKS.
    pub unsatisfiable: Option<String>,
    /// The token it wants.
    pub token: Option<String>,
    /// Infra that is enabled.
    pub enabled: Vec<String>,
    /// A log stream is cut each time it has come this many bytes further than one before.
    pub cut_log_every: Option<usize>,
    /// A log stream is cut when it has lasted so long.
    pub cut_log_after: Option<Duration>,
    /// Pause between heartbeats in a silent stream.
    pub heartbeat: Duration,
    /// Whether `/jobs/logs` still has what a cancelled job printed. The real server (0.14.1) has not.
    pub log_of_cancelled: bool,
    /// Whether a stream that waited for a job shows nothing of one that was short: the real server looks at it only
    /// every 15 seconds, and may find it over.
    pub misses_short_jobs: bool,
    /// A home for each node, as on Kubernetes, or one for all, as on Slurm.
    pub home_per_node: bool,
    /// Of so many answers one is right, and the others are garbage of all kinds; 0: all are right.
    pub garbage: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let short = Duration::from_millis(20);
        Self {
            api_version: 62,
            work: Duration::from_millis(5),
            work_of: BTreeMap::new(),
            pending: short,
            starting: short,
            starting_of: BTreeMap::new(),
            running_lag: short,
            ended_lag: short,
            teardown: Duration::from_millis(200),
            details: Some("Launching".into()),
            unsatisfiable: None,
            token: None,
            enabled: vec!["slurm/lab".into()],
            cut_log_every: None,
            cut_log_after: None,
            heartbeat: Duration::from_secs(30),
            log_of_cancelled: false,
            misses_short_jobs: false,
            home_per_node: false,
            garbage: 0,
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503, nothing done.
    Busy,
    /// The connection is cut, nothing done.
    Cut,
    /// All is done, and the connection cut before the answer.
    AnswerLost,
    /// Nothing happens for so long; then the request is done.
    Silence(Duration),
    /// All is done, and the answer comes so much later.
    Late(Duration),
    /// 401, nothing done.
    Unauthorized,
    /// This status and text, which may be nonsense; nothing done.
    Says(u16, &'static str),
    /// `/api/get` says RequestInterruptedError, nothing done.
    Interrupted,
    /// `/api/get` says RequestInterruptedError, and it was done.
    InterruptedAfter,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request as `/api/get` knows it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub name: &'static str,
    pub created: f64,
    pub finished: Option<f64>,
    /// The return value, or an exception's name and message.
    pub result: Option<Result<serde_json::Value, (String, String)>>,
    /// What `/api/stream` shows.
    pub said: String,
    /// The cluster it is about.
    pub cluster: String,
    /// It was cancelled.
    pub is_cancelled: bool,
}

/// All that changes.
pub struct State {
    pub settings: Settings,
    pub jobs: BTreeMap<u32, Job>,
    pub requests: HashMap<String, Record>,
    pub recorded: Vec<Recorded>,
    pub faults: Vec<(String, Fault, usize)>,
    /// How often the server went down: whoever began before that is cut off.
    pub generation: u64,
    pub up: bool,
    pub stopping: bool,
    pub connections: Vec<(u64, TcpStream)>,
    pub most_connections: usize,
    /// What garbage was answered, by path.
    pub garbage: BTreeMap<(String, Garbage), usize>,
    /// Jobs that no answer has any more.
    pub forgotten: std::collections::BTreeSet<u32>,
    ids: u64,
}

impl State {
    /// The garbage that is to be answered to a request for `path`, if any: each path has all kinds in turn.
    fn next_garbage(&mut self, path: &str) -> Option<Garbage> {
        let one_in = self.settings.garbage;
        let so_far = self.recorded.iter().filter(|r| r.path == path).count();
        if one_in == 0 || so_far % one_in == 0 {
            return None;
        }
        // Paths do not begin with the same.
        let turn = self.garbage.iter().filter(|((p, _), _)| p == path).map(|(_, n)| n).sum::<usize>() + path.len();
        let kind = garbage::ALL[turn % garbage::ALL.len()];
        *self.garbage.entry((path.to_owned(), kind)).or_default() += 1;
        Some(kind)
    }
}

/// What all threads of the server share.
pub struct Shared {
    pub root: PathBuf,
    pub state: Mutex<State>,
    pub changed: Condvar,
}

impl Shared {
    /// Looks at the state, or changes it; whoever waits looks again.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let got = look(&mut self.lock());
        self.changed.notify_all();
        got
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits until the state gives something.
    pub fn wait<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.lock();
        loop {
            if let Some(got) = look(&mut state) {
                drop(state);
                self.changed.notify_all();
                return got;
            }
            let step = Duration::from_millis(20);
            state = self.changed.wait_timeout(state, step).unwrap_or_else(|p| p.into_inner()).0;
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// A new request id.
    pub fn request_id(&self) -> String {
        self.with(|s| {
            s.ids += 1;
            format!("{:08x}-0000-4000-8000-{:012x}", s.ids.wrapping_mul(0x9e37_79b9) as u32, s.ids)
        })
    }
}

/// A SkyPilot API server of this test. Its jobs are processes of this machine; all end with it.
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    _root: tempfile::TempDir,
}

impl Server {
    /// A server that is up.
    pub fn start() -> Self {
        let root = tempfile::Builder::new().prefix("sky-fake-").tempdir_in("/tmp").unwrap();
        let state = State {
            settings: Settings::default(),
            jobs: BTreeMap::new(),
            requests: HashMap::new(),
            recorded: Vec::new(),
            faults: Vec::new(),
            generation: 0,
            up: false,
            stopping: false,
            connections: Vec::new(),
            most_connections: 0,
            garbage: BTreeMap::new(),
            forgotten: std::collections::BTreeSet::new(),
            ids: 0,
        };
        let shared = Shared { root: root.path().to_owned(), state: Mutex::new(state), changed: Condvar::new() };
        let mut server = Self { shared: Arc::new(shared), port: 0, _root: root };
        let listener = free_port();
        server.port = listener.local_addr().unwrap().port();
        server.listen(listener);
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes what it is like.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.shared.with(|s| change(&mut s.settings));
    }

    /// The next `count` requests to `path` go wrong so.
    pub fn fault(&self, path: &str, fault: Fault, count: usize) {
        self.shared.with(|s| s.faults.push((path.into(), fault, count)));
    }

    /// Whether all faults have been met.
    pub fn faults_are_used_up(&self) -> bool {
        self.shared.lock().faults.is_empty()
    }

    /// Connections are cut, and refused from now on. Its jobs go on.
    pub fn down(&self) {
        self.shared.with(|s| {
            s.up = false;
            s.generation += 1;
            s.connections.iter().for_each(|(_, c)| drop(c.shutdown(Shutdown::Both)));
        });
        // Wakes the thread that waits for connections, which then closes the port.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Answers again on the same port.
    pub fn up(&self) {
        if self.shared.lock().up {
            return;
        }
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match TcpListener::bind(("127.0.0.1", self.port)) {
                Ok(listener) => return self.listen(listener),
                Err(e) => assert!(Instant::now() < until, "port {}: {e}", self.port),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// As good as new: up, no faults, no delays.
    pub fn heal(&self) {
        self.shared.with(|s| {
            s.faults.clear();
            s.settings = Settings { enabled: s.settings.enabled.clone(), ..Settings::default() };
        });
        self.up();
    }

    /// Takes a job's nodes away; SkyPilot will recover it.
    pub fn preempt(&self, job: u32) {
        self.order(job, Order::Preempt);
    }

    /// Takes a job's nodes away for good: FAILED_NO_RESOURCE or FAILED_CONTROLLER.
    pub fn vanish(&self, job: u32, status: &'static str, reason: &str) {
        self.order(job, Order::Fail(status, reason.into()));
    }

    /// Restarts what leads the jobs. It goes on with those that run, if they are known to; of others it cannot know what their clusters are,
    /// and recovers them (`force_transit_to_recovering` of SkyPilot's jobs controller).
    pub fn restart_jobs_controller(&self) {
        let unsure = |status: &str| ["STARTING", "RECOVERING"].contains(&status);
        let jobs = self.jobs();
        jobs.iter().filter(|(.., status)| unsure(status)).for_each(|(id, ..)| self.preempt(*id));
    }

    fn order(&self, job: u32, order: Order) {
        self.shared.with(|s| s.jobs.get_mut(&job).expect("a job of this number").order = Some(order));
        self.shared.wait(|s| s.jobs[&job].order.is_none().then_some(()));
    }

    /// Every job's number, name and status.
    pub fn jobs(&self) -> Vec<(u32, String, &'static str)> {
        let state = self.shared.lock();
        let managed = state.jobs.values().filter(|j| j.own_cluster.is_none());
        managed.map(|j| (j.id, j.task.name.clone(), j.status)).collect()
    }

    /// Every cluster that was launched: its name and status, `QUEUED` before it is in the table, `GONE` after it was.
    pub fn clusters(&self) -> Vec<(String, &'static str)> {
        let state = self.shared.lock();
        state.jobs.values().filter_map(|j| Some((j.own_cluster.clone()?, j.status))).collect()
    }

    /// Somebody else cancels what makes a cluster.
    pub fn cancel_launch(&self, name: &str) {
        clusters::cancel_launch(&self.shared, name);
    }

    /// Takes a cluster's nodes away, as its cloud would.
    pub fn lose_cluster(&self, name: &str) {
        clusters::lose(&self.shared, name);
    }

    /// Ends what runs on a cluster's nodes, which stay.
    pub fn kill_on_cluster(&self, name: &str) {
        clusters::kill(&self.shared, name);
    }

    /// Forgets all managed jobs, whose processes go on: its database is lost.
    pub fn forget_jobs(&self) {
        self.shared.with(|s| s.forgotten = s.jobs.keys().copied().collect());
    }

    /// Forgets all requests, and ends those it works on, as a restart does.
    pub fn forget_requests(&self) {
        self.shared.with(|s| s.requests.clear());
    }

    /// What a task of a job group is found by here.
    pub fn part(&self, job: u32, part: u32) -> u32 {
        api::part_of(&self.shared.lock(), job, part)
    }

    /// How often which garbage was answered, by path.
    pub fn garbage(&self) -> BTreeMap<(String, Garbage), usize> {
        self.shared.lock().garbage.clone()
    }

    /// A job's status.
    pub fn status(&self, job: u32) -> &'static str {
        self.shared.lock().jobs.get(&job).map_or("", |j| j.status)
    }

    /// How many runs of any job have begun: scripts that were started on nodes, a recovery counted again.
    pub fn runs(&self) -> usize {
        self.shared.lock().jobs.values().map(|j| j.runs as usize).sum()
    }

    /// The requests to a path, in order.
    pub fn requests(&self, path: &str) -> Vec<Recorded> {
        self.shared.lock().recorded.iter().filter(|r| r.path == path).cloned().collect()
    }

    /// The most connections there were at once.
    pub fn most_connections(&self) -> usize {
        self.shared.lock().most_connections
    }

    /// A job's home on its first node, as long as its last run's files are there.
    pub fn home(&self, job: u32) -> PathBuf {
        self.shared.lock().jobs[&job].homes[0].clone()
    }

    /// Fails if `secret` stands in any request, or in any file that was uploaded.
    #[track_caller]
    pub fn assert_never_sent(&self, secret: &str) {
        let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        let recorded = self.shared.lock().recorded.clone();
        for request in &recorded {
            assert!(!has(&request.body), "the secret is in the body of {} {}", request.method, request.path);
            assert!(
                !request.query.iter().any(|(_, v)| has(v.as_bytes())),
                "the secret is in the query of {}",
                request.path
            );
        }
        for file in files(&self.shared.root.join("blobs")) {
            assert!(!fs::read(&file).is_ok_and(|b| has(&b)), "the secret is in {}", file.display());
        }
    }

    /// Loses all files that came the older way.
    pub fn lose_files(&self) {
        fs::remove_dir_all(self.shared.root.join("blobs/clients")).unwrap();
    }

    fn listen(&self, listener: TcpListener) {
        let shared = self.shared.clone();
        let generation = shared.with(|s| {
            s.up = true;
            s.generation
        });
        thread::spawn(move || {
            for (connection, number) in listener.incoming().zip(0_u64..) {
                let Ok(connection) = connection else { continue };
                let key = (generation << 32) | number;
                let mut state = shared.lock();
                if state.generation != generation {
                    return;
                }
                let Ok(copy) = connection.try_clone() else { continue };
                state.connections.push((key, copy));
                state.most_connections = state.most_connections.max(state.connections.len());
                drop(state);
                let shared = shared.clone();
                thread::spawn(move || {
                    serve(&shared, connection);
                    shared.with(|s| s.connections.retain(|(k, _)| *k != key));
                });
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.with(|s| s.stopping = true);
        self.down();
        nodes::sweep(&self.shared.root);
    }
}

/// A port that is nobody's, outside of those that the kernel gives to clients: it is still ours after a pause.
fn free_port() -> TcpListener {
    let mut bytes = [0; 2];
    loop {
        fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).unwrap();
        let port = 20_000 + u16::from_le_bytes(bytes) % 12_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// One connection, request after request.
fn serve(shared: &Arc<Shared>, mut connection: TcpStream) {
    let _ = connection.set_nodelay(true);
    let Ok(copy) = connection.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Ok(Some(request)) = Request::read(&mut reader) {
        let (fault, garbage, version) = shared.with(|s| {
            s.recorded.push(Recorded {
                method: request.method.clone(),
                path: request.path.clone(),
                query: request.query.clone(),
                body: request.body.clone(),
            });
            let next = s.faults.iter().position(|(path, _, _)| *path == request.path);
            let fault = next.map(|at| {
                s.faults[at].2 -= 1;
                let fault = s.faults[at].1;
                s.faults.retain(|(_, _, left)| *left > 0);
                fault
            });
            (fault, s.next_garbage(&request.path), s.settings.api_version)
        });
        if let Some(garbage) = garbage {
            let then = garbage.send(&request.path, &mut connection);
            let generation = shared.lock().generation;
            if then.is_ok_and(|then| then == Then::Hold) {
                shared.wait(|s| (s.stopping || s.generation != generation).then_some(()));
            }
            break;
        }
        let refuse = |status, detail: &str| Answer {
            status,
            id: shared.request_id(),
            body: serde_json::json!({ "detail": detail }).to_string(),
        };
        let done = match fault {
            Some(Fault::Cut) => return,
            Some(Fault::Busy) => http::send(&mut connection, version, &refuse(503, "The server is overloaded")),
            Some(Fault::Says(status, text)) => {
                let answer = Answer { status, id: shared.request_id(), body: text.to_owned() };
                http::send(&mut connection, version, &answer)
            }
            Some(Fault::Unauthorized) => {
                http::send(&mut connection, version, &refuse(401, "Invalid or expired service account token"))
            }
            _ => {
                if let Some(Fault::Silence(time)) = fault {
                    let until = Instant::now() + time;
                    shared.wait(|s| (s.stopping || !s.up || Instant::now() > until).then_some(()));
                }
                let authorized = api::is_authorized(shared, &request);
                if request.path == way::PATH && authorized {
                    let _ = connection.try_clone().and_then(|socket| way::serve(shared, &request, socket));
                    break;
                }
                api::answer(shared, &request, fault, &mut connection)
            }
        };
        if done.is_err() {
            break;
        }
    }
    let _ = connection.shutdown(Shutdown::Both);
}
