//! What a scancel command line means.

use crate::{
    agent::wire::Target,
    commands::who,
    slurm::{
        array::JobIdSpec,
        hostlist,
        options::{Command::Scancel, Options, Parsed, Refusal},
        signal::parse_signal,
        state::JobState,
    },
};

const KILL: i32 = 9;

/// What is to be done, and to which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The ids, each as it was written.
    pub ids: Vec<(String, JobIdSpec)>,
    /// `--account`
    pub account: Option<String>,
    /// `--name`: one name, a comma does not separate.
    pub name: Option<String>,
    /// `--nodelist`, as written and expanded.
    pub nodelist: Option<(String, Vec<String>)>,
    /// `--partition`
    pub partition: Option<String>,
    /// `--qos`
    pub qos: Option<String>,
    /// `--reservation`
    pub reservation: Option<String>,
    /// `--state`
    pub state: Option<JobState>,
    /// `--user`, `--me`: as it is shown, and the id.
    pub user: Option<(String, u32)>,
    /// `--wckey`
    pub wckey: Option<String>,
    /// `--signal`
    pub signal: Option<i32>,
    /// `--batch`
    pub batch: bool,
    /// `--full`
    pub full: bool,
    /// `--interactive`
    pub interactive: bool,
    /// `--quiet`
    pub quiet: bool,
    /// `--verbose`
    pub verbose: bool,
}

impl Plan {
    /// Reads a command line that has been parsed.
    pub fn read(parsed: &Parsed) -> Result<Self, Refusal> {
        let options = &parsed.options;
        let text = |name: &str| options.get(name).map(str::to_owned);
        let mut plan = Self {
            account: text("account"),
            name: text("name"),
            partition: text("partition"),
            qos: text("qos"),
            reservation: text("reservation"),
            wckey: text("wckey"),
            batch: options.is_set("batch"),
            full: options.is_set("full"),
            interactive: options.is_set("interactive"),
            quiet: options.is_set("quiet"),
            verbose: options.is_set("verbose"),
            ..Self::default()
        };
        plan.signal = options.get("signal").map(signal).transpose()?;
        plan.state = options.get("state").map(state).transpose()?;
        plan.nodelist = options.get("nodelist").map(nodes).transpose()?;
        plan.user = user_of(options)?;
        for operand in &parsed.operands {
            let text = operand.to_string_lossy();
            let wrong = || Refusal::error(Scancel, 1, format!("Invalid job id {text}"));
            let ids = JobIdSpec::parse_list(&text).map_err(|_| wrong())?;
            let named = |id: &JobIdSpec| id.step.as_ref().is_some_and(|s| s.parse::<u32>().is_err());
            if ids.is_empty() || ids.iter().any(named) {
                return Err(wrong());
            }
            let alone = ids.len() == 1;
            plan.ids.extend(ids.into_iter().map(|id| (if alone { text.to_string() } else { id.to_string() }, id)));
        }
        if plan.ids.is_empty() && !plan.filters() {
            return Err(Refusal::error(Scancel, 1, "No job identification provided"));
        }
        Ok(plan)
    }

    /// Whether jobs are to be looked for by something other than their id.
    pub fn filters(&self) -> bool {
        let texts = [&self.account, &self.name, &self.partition, &self.qos, &self.reservation, &self.wckey];
        texts.iter().any(|t| t.is_some()) || self.nodelist.is_some() || self.state.is_some() || self.user.is_some()
    }

    /// Whether the ids can be sent as they are: nothing has to be known about the jobs first.
    pub fn is_direct(&self) -> bool {
        !self.filters() && !self.interactive && !self.batch && self.signal.is_none()
    }

    /// The signal to send; `None` is to cancel. `--signal=KILL` to a job is to cancel it,
    /// as Slurm's controller takes it; to a step or the batch shell it is a signal.
    pub fn sends(&self, step: bool) -> Option<i32> {
        match self.signal {
            None if self.batch || step => Some(KILL),
            Some(KILL) if !self.batch && !step => None,
            signal => signal,
        }
    }

    /// Which processes it is for.
    pub fn target(&self) -> Target {
        match (self.batch, self.full || self.sends(false).is_none()) {
            (true, _) => Target::Batch,
            (false, true) => Target::Full,
            (false, false) => Target::Steps,
        }
    }

    /// What `--verbose` says before something is done to `what`.
    pub fn announcement(&self, what: &str, step: bool) -> String {
        let kind = match (step, self.batch, self.full) {
            (true, ..) => "step",
            (_, true, _) => "batch job",
            (_, _, true) => "full job",
            _ => "job",
        };
        match self.signal {
            Some(signal) => format!("scancel: Signal {signal} to {kind} {what}"),
            None => format!("scancel: Terminating {kind} {what}"),
        }
    }

    /// What `--verbose` says when no job matches.
    pub fn no_match(&self) -> String {
        let mut line = String::from("scancel: error: No active jobs match ALL job filters, including: ");
        let filters = [
            ("account", self.account.as_deref()),
            ("job_name", self.name.as_deref()),
            ("nodelist", self.nodelist.as_ref().map(|n| n.0.as_str())),
            ("partition", self.partition.as_deref()),
            ("qos", self.qos.as_deref()),
            ("reservation", self.reservation.as_deref()),
            ("state", self.state.map(JobState::name)),
            ("user_name", self.user.as_ref().map(|u| u.0.as_str())),
            ("wckey", self.wckey.as_deref()),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                line.push_str(&format!("{name}={value} "));
            }
        }
        line
    }
}

fn signal(text: &str) -> Result<i32, Refusal> {
    parse_signal(text).map_err(|error| Refusal { lines: vec![error.to_string()], exit: 1 })
}

fn state(text: &str) -> Result<JobState, Refusal> {
    JobState::parse(text).ok_or_else(|| Refusal {
        lines: vec![
            format!("Invalid job state specified: {text}"),
            "Valid job states are PENDING, RUNNING, and SUSPENDED".to_owned(),
        ],
        exit: 1,
    })
}

fn nodes(text: &str) -> Result<(String, Vec<String>), Refusal> {
    match hostlist::expand(text) {
        Ok(nodes) => Ok((text.to_owned(), nodes)),
        Err(_) => Err(Refusal::error(Scancel, 1, format!("Invalid node list: {text}"))),
    }
}

/// `--user` takes a name or an id; both must be somebody's.
fn user_of(options: &Options) -> Result<Option<(String, u32)>, Refusal> {
    if options.is_set("me") {
        let uid = who::me();
        return Ok(Some((uid.to_string(), uid)));
    }
    let Some(text) = options.get("user") else { return Ok(None) };
    match who::by_name_or_uid(text) {
        Some(uid) => Ok(Some((text.to_owned(), uid))),
        None => Err(Refusal::error(Scancel, 1, format!("Invalid user name: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::options;

    fn plan(words: &str) -> Result<Plan, Vec<String>> {
        let args: Vec<_> = words.split_whitespace().map(Into::into).collect();
        let parsed = options::parse(Scancel, &args, &|_| None).map_err(|r| r.lines)?;
        Plan::read(&parsed).map_err(|r| r.lines)
    }

    #[test]
    fn refusals_are_those_of_scancel_txt() {
        let said = |words| plan(words).unwrap_err().join("\n");
        assert_eq!(said("abc"), "scancel: error: Invalid job id abc");
        assert_eq!(said("12x"), "scancel: error: Invalid job id 12x");
        assert_eq!(said("0"), "scancel: error: Invalid job id 0");
        assert_eq!(said("-- -1"), "scancel: error: Invalid job id -1");
        assert_eq!(said("7.batch"), "scancel: error: Invalid job id 7.batch");
        assert_eq!(said(""), "scancel: error: No job identification provided");
        assert_eq!(said("-b"), "scancel: error: No job identification provided");
        assert_eq!(said("-u no-such-user-here"), "scancel: error: Invalid user name: no-such-user-here");
        assert_eq!(said("-s BOGUS 1"), "Unknown job signal: BOGUS");
        assert_eq!(
            said("-t bogus"),
            "Invalid job state specified: bogus\nValid job states are PENDING, RUNNING, and SUSPENDED"
        );
    }

    #[test]
    fn signals_go_where_the_options_say() {
        let of = |words| plan(words).map(|p| (p.is_direct(), p.sends(false), p.target())).unwrap();
        assert_eq!(of("1"), (true, None, Target::Full));
        assert_eq!(of("-f 1"), (true, None, Target::Full));
        assert_eq!(of("1 --signal USR1"), (false, Some(10), Target::Steps));
        assert_eq!(of("-s 15 -f 1"), (false, Some(15), Target::Full));
        assert_eq!(of("-b -s USR1 1"), (false, Some(10), Target::Batch));
        assert_eq!(of("-b 1"), (false, Some(9), Target::Batch));
        assert_eq!(of("-s KILL 1"), (false, None, Target::Full));
        assert_eq!(plan("1.0").map(|p| p.sends(true)), Ok(Some(9)));
    }

    #[test]
    fn announcements_are_those_of_the_real_one() {
        let of = |words, step| plan(words).map(|p| p.announcement("7", step)).unwrap();
        assert_eq!(of("1", false), "scancel: Terminating job 7");
        assert_eq!(of("-f 1", false), "scancel: Terminating full job 7");
        assert_eq!(of("-s USR1 1", false), "scancel: Signal 10 to job 7");
        let none = plan("-n nosuch -t PD").unwrap().no_match();
        assert_eq!(
            none,
            "scancel: error: No active jobs match ALL job filters, including: job_name=nosuch state=PENDING "
        );
    }
}
