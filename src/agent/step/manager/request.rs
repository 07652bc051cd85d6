//! Whether a step that srun asks for can be, now or later.

use super::{Waiting, afar, ports};
use crate::agent::{
    agent::{Agent, Role},
    step::{
        StepRequest, ToClient,
        account::{NoPlan, Plan},
    },
};

/// Why there is no step.
enum No {
    /// There may be one later.
    Busy,
    /// In Slurm's words.
    Never(String),
}

impl From<NoPlan> for No {
    fn from(no: NoPlan) -> Self {
        match no {
            NoPlan::Busy(_) => Self::Busy,
            no => Self::Never(no.to_string()),
        }
    }
}

impl Agent {
    pub(in crate::agent) fn on_step_request(&mut self, client: u64, mut requests: Vec<StepRequest>) {
        self.set_role(client, Role::Client);
        for request in requests.iter_mut().filter(|request| request.from_afar) {
            afar::settle(&self.launch, request);
        }
        let immediate = requests.iter().any(|request| request.immediate);
        match self.plan_step(&requests) {
            Ok(plans) => self.start_step(client, requests, plans, false),
            Err(No::Busy) if !immediate => {
                self.send(client, &ToClient::Busy);
                self.manager.waiting.push(Waiting { client, requests });
            }
            Err(No::Busy) => {
                let job = requests.first().map_or(0, |request| request.job);
                self.send(client, &ToClient::Refused(NoPlan::Busy(job).to_string()));
            }
            Err(No::Never(text)) => self.send(client, &ToClient::Refused(text)),
        }
    }

    /// Starts what has waited and fits now, in the order it came.
    pub(super) fn start_waiting(&mut self) {
        let mut at = 0;
        while let Some(next) = self.manager.waiting.get(at) {
            match self.plan_step(&next.requests) {
                Ok(plans) => {
                    let next = self.manager.waiting.remove(at);
                    self.start_step(next.client, next.requests, plans, true);
                }
                Err(_) => at += 1,
            }
        }
    }

    /// Tells those who wait for what will not come any more.
    pub(in crate::agent) fn refuse_waiting(&mut self) {
        let (gone, waiting) = std::mem::take(&mut self.manager.waiting).into_iter().partition(|waiting: &Waiting| {
            waiting.requests.iter().any(|request| self.ending.is_some() || self.component_ends(request.component()))
        });
        self.manager.waiting = waiting;
        let gone: Vec<Waiting> = gone;
        let text = self.over();
        gone.into_iter().for_each(|waiting| self.send(waiting.client, &ToClient::Refused(text.clone())));
    }

    fn over(&self) -> String {
        format!("Unable to create step for job {}: Job/step already completing or completed", self.launch.job.id)
    }

    /// What each component of the step would get.
    fn plan_step(&self, requests: &[StepRequest]) -> Result<Vec<Plan>, No> {
        let job = self.launch.job.id;
        let refused = |why: &str| No::Never(format!("Unable to create step for job {job}: {why}"));
        let ends = |request: &StepRequest| self.component_ends(request.component());
        if self.closing || self.ending.is_some() || requests.iter().any(ends) {
            return Err(No::Never(self.over()));
        }
        if let Some(other) = requests.iter().find(|request| request.job != job) {
            let text = format!("Unable to create step for job {}: Invalid job id specified", other.job);
            return Err(No::Never(text));
        }
        let plans = match self.launch.others.is_empty() {
            true => self.plan_in_one(requests)?,
            false => self.plan_in_several(requests)?,
        };
        for (request, plan) in requests.iter().zip(&plans) {
            if let Some(text) = plan.outside(request) {
                return Err(No::Never(text));
            }
            if request.setup.ports.is_some_and(|n| n > ports::MOST) {
                return Err(refused("Requires more ports than can be reserved"));
            }
        }
        Ok(plans)
    }

    /// In a heterogeneous job, each in its component.
    fn plan_in_several(&self, requests: &[StepRequest]) -> Result<Vec<Plan>, No> {
        let highest = self.launch.others.len();
        // srun takes the first one only where the job's own variables say that it has several.
        if requests.iter().any(|request| request.component.is_none()) {
            return Err(No::Never(NO_DIRECTIVES.into()));
        }
        let plan = |request: &StepRequest| match self.manager.accounts.get(request.component() as usize) {
            Some(account) => Ok(account.plan(request)?),
            None => Err(beyond(request.component(), highest)),
        };
        requests.iter().map(plan).collect()
    }

    /// In another job; several components of a step share its nodes out among them.
    fn plan_in_one(&self, requests: &[StepRequest]) -> Result<Vec<Plan>, No> {
        let Some(account) = self.manager.accounts.first() else { return Ok(Vec::new()) };
        let highest = requests.iter().map(StepRequest::component).max().unwrap_or(0);
        match requests {
            [one] if one.component.is_none() => return Ok(vec![account.plan(one)?]),
            [one] if highest == 0 && one.component.is_some() => {
                return Err(No::Never(NO_DIRECTIVES.into()));
            }
            all if highest as usize >= all.len() => return Err(beyond(highest, 0)),
            _ => {}
        }
        let mut plans: Vec<Plan> = Vec::new();
        for request in requests {
            let taken: Vec<String> = plans
                .iter()
                .flat_map(|plan| plan.nodes.iter().map(|share| self.manager.name(share.index).to_owned()))
                .collect();
            let (all, had) = (account.names().count(), taken.len());
            let least = request.nodes.map_or(1, |(least, _)| least.max(1));
            if (least as usize) > all.saturating_sub(had) && had > 0 {
                return Err(No::Never(format!(
                    "Allocation failure of {least} nodes: job size of {all}, already allocated {had} nodes to previous \
                     components."
                )));
            }
            let mut request = request.clone();
            request.exclude.extend(taken);
            plans.push(account.plan(&request)?);
        }
        Ok(plans)
    }
}

/// Nothing says which component a step is for.
const NO_DIRECTIVES: &str = "No directives to start application on any available hetjob components";

fn beyond(component: u32, highest: usize) -> No {
    No::Never(format!("Requested het-group offset exceeds highest hetjob index ({component} > {highest})"))
}

impl StepRequest {
    /// The component it is for.
    pub(in crate::agent) fn component(&self) -> u32 {
        self.component.unwrap_or(0)
    }
}
