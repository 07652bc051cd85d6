//! The engine: what the controller sees of SkyPilot.

use super::{
    client::{self, Client, Endpoint, EndpointError},
    follow::{self, Order},
    group::Group,
    inventory::{self, Inventory},
    names::{self, Names},
    poll::Poll,
    shared::{Places, Shared},
    submit, sweep,
    task::{Carrier, Facts, Task},
    together,
    vehicle::{Means, Vehicle},
    way_in,
};
use crate::{
    agent::{
        Layout, asking,
        remote::seal,
        wire::{Control, Which},
    },
    config::{Config, PartitionConfig},
    engine::{Candidate, Engine, Forecast, Given, Opening, Report, Schedule, Sending, Start, Unfit},
    host::directory,
    job::{Job, JobId, Kind, Needs, Node, Partition, Request, Shape},
    slurm::{errno::Errno, time::TimeLimit},
};
use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{
    mpsc::{self, UnboundedSender},
    oneshot,
};

/// Jobs of an array that are submitted in one request, at most.
const TOGETHER: u32 = 2000;

/// Logs that are followed at the same time, where nothing is configured.
const FOLLOWERS: u32 = 32;

/// Where the sky client looks for a server that nothing names.
const LOCAL_SERVER: &str = "http://127.0.0.1:46580";

/// Why there is no engine though one is configured.
#[derive(Debug, thiserror::Error)]
pub enum SkyPilotError {
    /// The server's address or the login.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The client.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// A file of ours.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A job that was handed over.
struct Handed {
    orders: UnboundedSender<Order>,
    /// Those it is submitted with; `None`: a former controller did that.
    group: Option<Arc<Group>>,
}

/// SkyPilot.
pub struct SkyPilot {
    shared: Arc<Shared>,
    names: Names,
    /// Jobs that are to be submitted together and are not all there yet, by name.
    gathering: HashMap<String, Arc<Group>>,
    jobs: HashMap<JobId, Handed>,
    /// What a former controller left has been looked for.
    is_swept: bool,
}

impl SkyPilot {
    /// The engine for this configuration, with its files below `state`; `None` if nothing names a server. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// When something names a server that cannot be used, or a file cannot be made.
    pub async fn new(
        config: &Config,
        state: &Path,
        reports: UnboundedSender<Report>,
    ) -> Result<Option<Self>, SkyPilotError> {
        let environment =
            std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))).collect();
        let is_wanted = config.partition.is_empty() || config.partition.iter().any(|p| p.on_skypilot().is_some());
        if !is_wanted {
            return Ok(None);
        }
        let endpoint = match Endpoint::find(config.skypilot.endpoint.as_deref(), &environment)? {
            None if config.partition.is_empty() => return Ok(None),
            None => Endpoint::find(Some(LOCAL_SERVER), &environment)?,
            found => found,
        };
        let Some(endpoint) = endpoint else { return Ok(None) };
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| SkyPilotError::File { path, source }
        };
        let spool = state.join("spool");
        directory::make_private(&spool).map_err(fail(&spool))?;
        let mark = state.join("skypilot.mark");
        let names = Names::open(&mark).map_err(fail(&mark))?;
        let key_file = state.join("skypilot.key");
        let key = key(&key_file).map_err(fail(&key_file))?;
        let mut client = Client::new(&endpoint)?;
        if let Some(seconds) = config.skypilot.answer_within {
            client = client.with_answers_within(Duration::from_secs(seconds.max(1).into()));
        }
        let inventory = Inventory::start(config, client.clone(), &state.join("skypilot.infra")).await;
        let shared = Arc::new(Shared {
            poll: Poll::start(client.clone()),
            client,
            places: Places::new(config.skypilot.followers.unwrap_or(FOLLOWERS)),
            progress: Arc::default(),
            uploading: tokio::sync::Mutex::default(),
            settings: config.skypilot.clone(),
            spool,
            program: "/proc/self/exe".into(),
            key,
            cluster: config.controller.cluster_name.clone(),
            kill_wait: config.controller.kill_wait,
            over_time_limit: config.controller.over_time_limit * 60,
            live: Mutex::default(),
            meets: Mutex::default(),
            inventory,
            names: names.clone(),
            gates: way_in::gate::Gates::default(),
            reports,
        });
        Ok(Some(Self { shared, names, gathering: HashMap::new(), jobs: HashMap::new(), is_swept: false }))
    }

    fn shape(&self, needs: &Needs, partition: &PartitionConfig) -> Result<Shape, String> {
        Shape::of(needs, partition.most_gpus())
    }

    /// The partition a candidate goes to.
    fn partition_of(&self, candidate: &Candidate) -> Option<(String, PartitionConfig)> {
        candidate.partitions.iter().find_map(|p| Some((p.clone(), self.shared.partition(p)?)))
    }

    /// A job is handed over now, and held until it is released.
    fn hand(&mut self, job: &Job, orders: UnboundedSender<Order>, group: Option<Arc<Group>>) {
        if let Some(remote) = &job.remote {
            self.shared.hold(&remote.name);
        }
        self.jobs.insert(job.id, Handed { orders, group });
    }

    fn submit(&self, group: Arc<Group>) {
        tokio::spawn(submit::run(Arc::clone(&self.shared), group));
    }
}

/// The key of a state directory; made if it is not there.
fn key(path: &Path) -> io::Result<[u8; 32]> {
    if let Ok(known) = fs::read(path)
        && let Ok(key) = known.try_into()
    {
        return Ok(key);
    }
    let key: [u8; 32] = names::random()?;
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, &key)?;
    Ok(key)
}

impl Engine for SkyPilot {
    fn partitions(&self) -> Vec<Partition> {
        self.shared.inventory.partitions()
    }

    fn nodes(&self) -> Vec<Node> {
        self.shared.inventory.nodes()
    }

    fn fits(&self, needs: &Needs, partition: &str, _enforce: bool) -> Result<(), Unfit> {
        let unknown = Unfit { errno: Errno::InvalidPartition, before: None };
        let partition = self.shared.partition(partition).ok_or(unknown)?;
        let refused = |words: String| Unfit { errno: Errno::NodeConfigurationUnavailable, before: Some(words.into()) };
        self.shape(needs, &partition).map(drop).map_err(refused)
    }

    fn accepts(&self, request: &Request, partition: &str) -> Result<(), String> {
        let Some(partition) = self.shared.partition(partition) else { return Ok(()) };
        if let (Some(pool), true) = (&partition.pool, request.kind != Kind::Batch) {
            return Err(format!(
                "skyslurm: the workers of pool {pool} take batch jobs only: use sbatch, or a partition with an infra of its own"
            ));
        }
        if request.kind != Kind::Batch {
            self.shared.client.may_launch_clusters().map_err(|error| format!("skyslurm: {error}"))?;
            partition.infra.0.iter().try_for_each(|infra| way_in::leads_into(infra))?;
        }
        let shape = self.shape(&Needs::of(request, None), &partition)?;
        // Which types there are is asked when the job is submitted.
        let any = [("any".to_owned(), vec![shape.gpus])];
        let facts = Facts { partition: &partition, settings: &self.shared.settings, shape: &shape, offered: &any };
        let carrier = Carrier::Sealed { name: "job", payload: "", workdir: true, component: None };
        Task::of(request, &facts, &carrier).map(drop)
    }

    fn accepts_together(&self, jobs: &[Job]) -> Result<(), String> {
        together::accepts(&self.shared, jobs)
    }

    fn remote_name(&self, job: &Job) -> String {
        self.names.of_job(&job.request.name, job.id)
    }

    fn forecast(&self, job: &Job) -> Option<Forecast> {
        let (shared, job) = (Arc::clone(&self.shared), job.clone());
        let partition = shared.partition(job.partition.split(',').next()?)?;
        Some(Box::pin(async move { inventory::forecast(&shared, &job, &partition).await }))
    }

    fn out_of_reach(&self) -> Option<(i64, String)> {
        self.shared.poll.out_of_reach()
    }

    fn sending(&self, job: &Job) -> Sending {
        let group = self.jobs.get(&job.id).and_then(|handed| handed.group.as_ref());
        // One that was handed over a moment ago is in no group yet.
        let untold = job.remote.as_ref().is_some_and(|r| r.id.is_none());
        match group.map_or(untold, |g| g.is_on_its_way()) {
            true => self.shared.progress.now().map_or(Sending::Looking, |(done, total)| Sending::Sent(done, total)),
            false => Sending::Done,
        }
    }

    fn least_nodes(&self, needs: &Needs, partition: &str) -> u32 {
        let shape = self.shared.partition(partition).and_then(|p| self.shape(needs, &p).ok());
        shape.map_or(needs.min_nodes, |s| s.tasks.len() as u32)
    }

    fn schedule(&mut self, queue: &mut dyn Iterator<Item = Candidate>, _now: i64) -> Schedule {
        // The server has a queue of its own: all that may start is handed over.
        let handed = queue.filter_map(|c| {
            let (name, partition) = self.partition_of(&c)?;
            let together = partition.pool.is_some() || self.shared.client.may_take_arrays();
            let count = c.count.min(TOGETHER);
            let (times, each) = if together { (1, count) } else { (count, 1) };
            let others = c.others.iter().map(|other| Some((other.id, self.partition_of(other)?.0, 1)));
            // All components or none.
            let others = others.collect::<Option<Vec<_>>>()?;
            Some(std::iter::repeat_n((c.id, name.clone(), each), times as usize).chain(others))
        });
        Schedule { handed: handed.flatten().collect(), ..Schedule::default() }
    }

    fn would_start(&self, _candidate: &Candidate, _now: i64) -> Option<(i64, Vec<Given>)> {
        None
    }

    fn start(&mut self, start: Start) -> io::Result<()> {
        let id = start.job.id;
        let remote = start.job.remote.clone().ok_or(io::ErrorKind::InvalidInput)?;
        let layout = Layout::new(&self.shared.spool, id);
        match fs::remove_dir_all(&layout.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&layout.dir)?,
        }
        let means = Means::of(&start.job);
        let make = || Arc::new(Group::new(remote.name.clone(), means, remote.count, start.again));
        let group = Arc::clone(self.gathering.entry(remote.name.clone()).or_insert_with(make));
        let (orders, ordered) = mpsc::unbounded_channel();
        tokio::spawn(follow::submitted(Arc::clone(&self.shared), start.job.clone(), Arc::clone(&group), ordered));
        self.hand(&start.job, orders, Some(Arc::clone(&group)));
        for job in &start.others {
            let (orders, ordered) = mpsc::unbounded_channel();
            tokio::spawn(follow::component::submitted(Arc::clone(&self.shared), job.clone(), group.stage(), ordered));
            self.hand(job, orders, Some(Arc::clone(&group)));
        }
        if group.add(start) {
            self.gathering.remove(&remote.name);
            self.submit(group);
        }
        Ok(())
    }

    fn started_all(&mut self) {
        // Of these some were taken out before they came here, or ended under a former controller.
        for (_, group) in std::mem::take(&mut self.gathering) {
            self.submit(group);
        }
        // All that are ours have been taken up now.
        if !std::mem::replace(&mut self.is_swept, true) {
            tokio::spawn(sweep::run(Arc::clone(&self.shared), self.names.clone()));
        }
    }

    fn adopt(&mut self, job: &Job) {
        let Some(number) = job.remote.as_ref().and_then(|r| r.id) else { return };
        let (shared, (orders, ordered)) = (Arc::clone(&self.shared), mpsc::unbounded_channel());
        match job.leads() {
            true => drop(tokio::spawn(follow::adopted(shared, job.clone(), number, ordered, Vec::new()))),
            false => drop(tokio::spawn(follow::component::adopted(shared, job.clone(), number, ordered))),
        }
        self.hand(job, orders, None);
    }

    fn control(&mut self, job: JobId, control: Control) {
        if let Some(handed) = self.jobs.get(&job) {
            let _ = handed.orders.send(Order::Control(control));
        }
    }

    fn way_in(&mut self, job: JobId) -> Option<Opening> {
        let (answer, opened) = oneshot::channel();
        let orders = &self.jobs.get(&job)?.orders;
        let _ = orders.send(Order::WayIn(answer));
        Some(Box::pin(async { opened.await.unwrap_or_else(|_| Err("the job does not run any more".into())) }))
    }

    fn question(&self, job: JobId, which: Which, sealed: &str) -> Option<Vec<u8>> {
        seal::open(sealed, &asking::question_about(job, which), &self.shared.key)
    }

    fn answer(&mut self, job: JobId, which: Which, answer: oneshot::Receiver<Vec<u8>>) {
        let Some(orders) = self.jobs.get(&job).map(|handed| handed.orders.downgrade()) else { return };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let Ok(frame) = answer.await else { return };
            match seal::seal(&frame, &asking::answer_about(job, which), &shared.key) {
                Ok(answer) => {
                    let order = Order::Control(Control::Answer { number: which.1, answer });
                    drop(orders.upgrade().map(|orders| orders.send(order)));
                }
                Err(error) => tracing::error!(job, %error, "answer not sealed"),
            }
        });
    }

    fn limit_changed(&mut self, job: &Job) {
        let minutes = match job.time_limit {
            TimeLimit::Unlimited => None,
            TimeLimit::Minutes(minutes) => Some(minutes),
        };
        let component = job.het.map(|het| het.offset);
        self.control(job.leader_id(), Control::TimeLimit(minutes).of(component));
    }

    fn release(&mut self, job: &Job) {
        let Some(handed) = self.jobs.remove(&job.id) else { return };
        if let Some(remote) = &job.remote {
            self.shared.let_go(&remote.name);
        }
        let number = job.remote.as_ref().and_then(|r| r.id);
        if !job.leads() {
            // The cluster of one is its own; a task of a group ends with the first component's.
            if let Some(vehicle) = number.map(|number| Vehicle::of(job, number)).filter(Vehicle::stays) {
                tokio::spawn(vehicle.see_off(Arc::clone(&self.shared), true));
            }
            return;
        }
        self.shared.forget_meet(job.id);
        // One that is still followed was ended here and goes on there.
        let number = number.filter(|_| !handed.orders.is_closed());
        if let Some(number) = number {
            let (shared, vehicle) = (Arc::clone(&self.shared), Vehicle::of(job, number));
            tokio::spawn(async move { vehicle.surely_end(&shared.client).await });
        }
        let layout = Layout::new(&self.shared.spool, job.id);
        if let Some(remote) = job.remote.as_ref().filter(|_| layout.way_in().exists()) {
            let (layout, cluster) = (layout.clone(), remote.name.clone());
            // The controller itself may end before it comes to the rest.
            way_in::dismiss(&layout, &cluster);
            tokio::spawn(async move { way_in::close(&layout, &cluster).await });
        }
        let dir = layout.dir;
        if let Err(error) = fs::remove_dir_all(&dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(job = job.id, %error, "spool directory not removed");
        }
    }
}
