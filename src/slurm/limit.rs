//! What a QOS or an account allows its jobs, in the words of sacctmgr(1), and what is said to a job that asks for more.

use super::{gres::Tres, memory, reason::Reason, time::TimeLimit};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Who has limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A quality of service.
    Qos,
    /// An account.
    Account,
}

/// Over which jobs a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of all users that run: `Grp*`.
    Group,
    /// One: `MaxTRES`, `MaxTRESPerJob`.
    Job,
    /// Those of a user that run: `Max*PerUser` of a QOS, `MaxJobs` of an account.
    User,
}

/// What a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Jobs that run.
    Jobs,
    /// A trackable resource.
    Tres(Resource),
}

/// A trackable resource that can be limited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `cpu`
    Cpu,
    /// `mem`, in MiB.
    Mem,
    /// `node`
    Node,
    /// `gres/NAME`, `gres/NAME:TYPE`
    Gres(String, Option<String>),
}

/// `cpu=8,mem=10G,node=2,gres/gpu=4`: the most there may be of each. 0 is a limit, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MostTres(pub Vec<(Resource, u64)>);

/// `[qos.NAME]` and `[account.NAME]`: the limits of a QOS or an account, named as in sacctmgr(1). None is set by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// `MaxJobsPerUser`, of an account `MaxJobs`: a user's running at a time.
    pub max_jobs: Option<u32>,
    /// `MaxSubmitJobsPerUser`, of an account `MaxSubmitJobs`: a user's in the queue or running.
    pub max_submit_jobs: Option<u32>,
    /// `MaxWall`: the longest time limit.
    #[serde(with = "time_text")]
    pub max_wall: Option<TimeLimit>,
    /// `MaxTRESPerJob`: what one job may have.
    pub max_tres: MostTres,
    /// `MaxTRESPerUser`, of a QOS alone: what a user's jobs may have at a time.
    pub max_tres_per_user: MostTres,
    /// `GrpJobs`: running at a time.
    pub grp_jobs: Option<u32>,
    /// `GrpSubmitJobs`: in the queue or running.
    pub grp_submit_jobs: Option<u32>,
    /// `GrpTRES`: what all jobs may have at a time.
    pub grp_tres: MostTres,
    /// `Flags=DenyOnLimit`, of a QOS alone: a job that can never keep to them is refused, instead of waiting for ever.
    pub deny_on_limit: bool,
}

/// A time limit as it is typed: in the configuration, and on the wire as well.
mod time_text {
    use super::TimeLimit;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(limit: &Option<TimeLimit>, to: S) -> Result<S::Ok, S::Error> {
        limit.as_ref().map(TimeLimit::scontrol).unwrap_or_default().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TimeLimit>, D::Error> {
        let text = String::deserialize(from)?;
        let read = |text: String| text.parse().map_err(|e| D::Error::custom(format!("\"{text}\": {e}")));
        Some(text).filter(|text| !text.is_empty()).map(read).transpose()
    }
}

/// Of CPUs, memory, nodes, generic resources.
type ByResource = [Reason; 4];

/// Why a job waits that finds too little of a resource left.
const OF_TRES: [(Holder, Scope, ByResource); 5] = {
    use {Holder::*, Reason::*, Scope::*};
    [
        (Qos, Group, [QosGrpCpuLimit, QosGrpMemLimit, QosGrpNodeLimit, QosGrpGres]),
        (Qos, Job, [QosMaxCpuPerJobLimit, QosMaxMemoryPerJob, QosMaxNodePerJobLimit, QosMaxGresPerJob]),
        (Qos, User, [QosMaxCpuPerUserLimit, QosMaxMemoryPerUser, QosMaxNodePerUserLimit, QosMaxGresPerUser]),
        (Account, Group, [AssocGrpCpuLimit, AssocGrpMemLimit, AssocGrpNodeLimit, AssocGrpGres]),
        (Account, Job, [AssocMaxCpuPerJobLimit, AssocMaxMemPerJob, AssocMaxNodePerJobLimit, AssocMaxGresPerJob]),
    ]
};

impl Holder {
    /// Why a job waits that finds too little left of what is limited.
    pub fn reason(self, scope: Scope, counted: &Counted) -> Reason {
        let resource = match (counted, self, scope) {
            (Counted::Jobs, Holder::Qos, Scope::Group) => return Reason::QosGrpJobsLimit,
            (Counted::Jobs, Holder::Qos, _) => return Reason::QosMaxJobsPerUserLimit,
            (Counted::Jobs, Holder::Account, Scope::Group) => return Reason::AssocGrpJobsLimit,
            (Counted::Jobs, Holder::Account, _) => return Reason::AssocMaxJobsLimit,
            (Counted::Tres(resource), ..) => resource,
        };
        let at = match resource {
            Resource::Cpu => 0,
            Resource::Mem => 1,
            Resource::Node => 2,
            Resource::Gres(..) => 3,
        };
        let row = OF_TRES.iter().find(|(holder, of, _)| (*holder, *of) == (self, scope));
        // An account limits its users' jobs one by one, or all of them.
        row.map_or(Reason::AssocGrpGres, |(.., reasons)| reasons[at])
    }

    /// What is said of one more job in the queue than there may be.
    pub fn too_many_submitted(self, scope: Scope) -> Reason {
        match (self, scope) {
            (Holder::Qos, Scope::Group) => Reason::QosGrpSubmitJobsLimit,
            (Holder::Qos, _) => Reason::QosMaxSubmitJobPerUserLimit,
            (Holder::Account, Scope::Group) => Reason::AssocGrpSubmitJobsLimit,
            (Holder::Account, _) => Reason::AssocMaxSubmitJobLimit,
        }
    }

    /// Why a job waits that asks for more time than there may be.
    pub fn too_long(self) -> Reason {
        match self {
            Holder::Qos => Reason::QosMaxWallDurationPerJobLimit,
            Holder::Account => Reason::AssocMaxWallDurationPerJobLimit,
        }
    }
}

impl Limits {
    /// How many jobs and how much of resources there may be, in the order in which Slurm looks at them.
    pub fn all(&self) -> impl Iterator<Item = (Scope, Counted, u64)> {
        let jobs = [(Scope::Group, self.grp_jobs), (Scope::User, self.max_jobs)];
        let jobs = jobs.into_iter().filter_map(|(scope, most)| Some((scope, Counted::Jobs, u64::from(most?))));
        let tres =
            [(Scope::Group, &self.grp_tres), (Scope::Job, &self.max_tres), (Scope::User, &self.max_tres_per_user)];
        jobs.chain(tres.into_iter().flat_map(|(scope, most)| {
            most.0.iter().map(move |(resource, most)| (scope, Counted::Tres(resource.clone()), *most))
        }))
    }
}

impl Resource {
    /// How much of it there is among trackable resources.
    pub fn of(&self, tres: &Tres) -> u64 {
        match self {
            Resource::Cpu => tres.cpu,
            Resource::Mem => tres.mem.0,
            Resource::Node => tres.node,
            Resource::Gres(name, None) => tres.gres.total(name),
            Resource::Gres(name, kind) => {
                let same = tres.gres.0.iter().filter(|gres| gres.name == *name && gres.type_ == *kind);
                same.map(|gres| gres.count).fold(0, u64::saturating_add)
            }
        }
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| !name.is_empty() && !name.contains([':', '/']);
        match (text, text.strip_prefix("gres/")) {
            ("cpu", _) => Ok(Resource::Cpu),
            ("mem", _) => Ok(Resource::Mem),
            ("node", _) => Ok(Resource::Node),
            (_, Some(gres)) => {
                let (name, kind) = gres.split_once(':').map_or((gres, None), |(name, kind)| (name, Some(kind)));
                match is_name(name) && kind.is_none_or(is_name) {
                    true => Ok(Resource::Gres(name.to_owned(), kind.map(str::to_owned))),
                    false => Err(format!("{text} is not cpu, mem, node or gres/NAME")),
                }
            }
            _ => Err(format!("{text} is not cpu, mem, node or gres/NAME")),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Cpu => f.write_str("cpu"),
            Resource::Mem => f.write_str("mem"),
            Resource::Node => f.write_str("node"),
            Resource::Gres(name, None) => write!(f, "gres/{name}"),
            Resource::Gres(name, Some(kind)) => write!(f, "gres/{name}:{kind}"),
        }
    }
}

impl FromStr for MostTres {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all: Vec<(Resource, u64)> = Vec::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (name, most) = part.split_once('=').ok_or_else(|| format!("{part} is not NAME=COUNT"))?;
            let resource: Resource = name.parse()?;
            let most = match resource {
                Resource::Mem => memory::parse_mem(most).map(|mem| mem.0).map_err(|e| e.to_string())?,
                _ => most.parse().map_err(|e| format!("{name}={most}: {e}"))?,
            };
            all.retain(|(other, _)| *other != resource);
            all.push((resource, most));
        }
        Ok(Self(all))
    }
}

impl TryFrom<String> for MostTres {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<MostTres> for String {
    fn from(most: MostTres) -> Self {
        most.to_string()
    }
}

impl fmt::Display for MostTres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (resource, most)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match resource {
                Resource::Mem => write!(f, "{comma}mem={}", memory::Mebibytes(*most).tres())?,
                resource => write!(f, "{comma}{resource}={most}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn resources_are_read_and_written() {
        let text = "cpu=8,mem=10G,node=2,gres/gpu=0,gres/gpu:h100=4";
        let most: MostTres = text.parse().unwrap();
        assert_eq!(most.to_string(), text);
        let tres: Tres = "cpu=4,mem=2G,node=1,gres/gpu:h100=2,gres/gpu:a=1".parse().unwrap();
        let there: Vec<u64> = most.0.iter().map(|(resource, _)| resource.of(&tres)).collect();
        assert_eq!(there, [4, 2048, 1, 3, 2]);
        for (bad, words) in [
            ("cpu", "cpu is not NAME=COUNT"),
            ("cpus=1", "cpus is not cpu, mem, node or gres/NAME"),
            ("gres/=1", "gres/ is not cpu, mem, node or gres/NAME"),
            ("cpu=x", "cpu=x: invalid digit found in string"),
            ("mem=x", "Invalid memory specification"),
        ] {
            assert_eq!(bad.parse::<MostTres>().unwrap_err(), words);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "((cpu|mem|gres/gpu|ä|:)=?[0-9]{0,3}[,G]?){0,4}") {
            if let Ok(most) = text.parse::<MostTres>() {
                prop_assert_eq!(most.to_string().parse::<MostTres>().unwrap(), most);
            }
        }
    }
}
