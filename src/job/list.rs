//! Jobs as they are handed on: what several of them share is said once.

use super::{Job, Request, Step};
use crate::slurm::array::ArraySpec;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};

/// Jobs for the wire or a file, written from references and read as records. A [`Job`] by itself is written without its
/// request and its array's specification, which are shared by many and stand here once, and without its steps, which not
/// all ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobList<J = Job, S = Step> {
    jobs: Vec<J>,
    requests: Vec<Arc<Request>>,
    specs: Vec<Arc<ArraySpec>>,
    /// For each job its request's place.
    request_of: Vec<u32>,
    /// For each job that is of an array the specification's place.
    spec_of: Vec<Option<u32>>,
    /// Each job's steps; none at all where they were not asked for.
    steps: Vec<Vec<S>>,
}

/// How much of jobs is handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// All.
    #[default]
    Whole,
    /// All but their steps.
    WithoutSteps,
    /// Their records without steps, and of their requests what [`Request::brief`] is.
    Brief,
}

impl<'a> JobList<&'a Job, &'a Step> {
    /// These jobs, in this order.
    pub fn new(jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        let list = Self::without_steps(jobs);
        let steps = list.jobs.iter().map(|job| job.steps.iter().collect()).collect();
        Self { steps, ..list }
    }

    /// The same of what has no need of steps.
    pub fn without_steps(jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        Self::with_requests(jobs, Places::place)
    }

    /// The same of what needs no more of their requests than [`Request::brief`]; those that are alike then are one.
    pub fn brief(jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        Self::with_requests(jobs, Places::place_brief)
    }

    fn with_requests(
        jobs: impl IntoIterator<Item = &'a Job>,
        place: fn(&mut Places<Request>, &Arc<Request>) -> u32,
    ) -> Self {
        let jobs: Vec<_> = jobs.into_iter().collect();
        let mut requests = Places::default();
        let mut specs = Places::default();
        let request_of = jobs.iter().map(|job| place(&mut requests, &job.request)).collect();
        let spec_of = jobs.iter().map(|job| job.array.as_ref().map(|array| specs.place(&array.spec))).collect();
        Self { jobs, requests: requests.all, specs: specs.all, request_of, spec_of, steps: Vec::new() }
    }

    /// As much of these jobs as was asked for.
    pub fn to_depth(depth: Depth, jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        match depth {
            Depth::Whole => Self::new(jobs),
            Depth::WithoutSteps => Self::without_steps(jobs),
            Depth::Brief => Self::brief(jobs),
        }
    }
}

impl JobList {
    /// The jobs, with what they share put back. A place that is not there leaves a job an empty request.
    pub fn into_jobs(mut self) -> Vec<Job> {
        for ((job, request), spec) in self.jobs.iter_mut().zip(self.request_of).zip(self.spec_of) {
            if let Some(request) = self.requests.get(request as usize) {
                job.request = Arc::clone(request);
            }
            if let (Some(array), Some(spec)) = (&mut job.array, spec.and_then(|place| self.specs.get(place as usize))) {
                array.spec = Arc::clone(spec);
            }
        }
        for (job, steps) in self.jobs.iter_mut().zip(self.steps) {
            job.steps = steps;
        }
        self.jobs
    }
}

/// Values and where they stand.
struct Places<T> {
    all: Vec<Arc<T>>,
    known: HashMap<*const T, u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { all: Vec::new(), known: HashMap::new() }
    }
}

impl<T> Places<T> {
    fn place(&mut self, value: &Arc<T>) -> u32 {
        *self.known.entry(Arc::as_ptr(value)).or_insert_with(|| {
            self.all.push(Arc::clone(value));
            self.all.len() as u32 - 1
        })
    }
}

impl Places<Request> {
    /// Jobs of one script mostly differ in what is not asked for, and stand side by side.
    fn place_brief(&mut self, request: &Arc<Request>) -> u32 {
        let Self { all, known } = self;
        *known.entry(Arc::as_ptr(request)).or_insert_with(|| {
            if !all.last().is_some_and(|last| request.is_alike(last)) {
                all.push(Arc::new(request.brief()));
            }
            all.len() as u32 - 1
        })
    }
}

/// One job with all it shares, as a field of something else: `#[serde(with = "whole")]`.
pub mod whole {
    use super::{Job, JobList};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// Writes it.
    pub fn serialize<S: Serializer>(job: &Job, to: S) -> Result<S::Ok, S::Error> {
        JobList::new([job]).serialize(to)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Job, D::Error> {
        JobList::deserialize(from)?.into_jobs().pop().ok_or_else(|| D::Error::custom("no job"))
    }
}

/// Several jobs with all they share: `#[serde(with = "all")]`.
pub mod all {
    use super::{Job, JobList};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes them.
    pub fn serialize<S: Serializer>(jobs: &[Job], to: S) -> Result<S::Ok, S::Error> {
        JobList::new(jobs).serialize(to)
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Job>, D::Error> {
        JobList::deserialize(from).map(JobList::into_jobs)
    }
}
