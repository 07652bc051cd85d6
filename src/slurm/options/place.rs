//! The places where a job may run. What becomes of sbatch's options depends on it, and only the controller knows which
//! place a partition is.

use super::{Class, Command, Options, Refusal, Row, Setting, parse, skypilot, table::ALLOCATIONS};
use serde::{Deserialize, Serialize};

/// Where the nodes of a partition are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// This machine; also where nobody knows.
    #[default]
    Here,
    /// SkyPilot.
    SkyPilot,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 2] = [Place::Here, Place::SkyPilot];

    /// What becomes of an option of `command` here; `None`: the command does not know it.
    pub fn class(self, command: Command, row: &Row) -> Option<Class> {
        match self {
            Place::Here => row.used_by(command).map(|u| u.class),
            Place::SkyPilot => skypilot::class(command, row),
        }
    }

    /// The same of an option with its value.
    pub(super) fn class_of(self, command: Command, setting: &Setting) -> Option<Class> {
        match self {
            Place::Here => self.class(command, setting.row),
            Place::SkyPilot => skypilot::class_of(command, setting),
        }
    }

    /// Whether an option that does not do all it says here is worth a warning.
    pub(super) fn warns(self, setting: &Setting) -> bool {
        self == Place::Here || skypilot::warns(setting)
    }

    /// Whether one of the options is refused here.
    ///
    /// # Errors
    /// The first one that was read, in the command's words.
    pub fn refuse(self, options: &Options) -> Result<(), Refusal> {
        parse::refuse_by(options, &|row| self.class(options.command(), row))
    }
}

/// The places that refuse one of the options, with what they say. For the controller, when they do not all say the same.
///
/// # Errors
/// What every place says: no controller need be asked.
pub fn refusals(options: &Options) -> Result<Vec<(Place, Refusal)>, Refusal> {
    each(|place| place.refuse(options))
}

/// The same for srun as it makes an allocation.
///
/// # Errors
/// What every place says.
pub fn refusals_of_allocation(options: &Options) -> Result<Vec<(Place, Refusal)>, Refusal> {
    each(|place| parse::refuse_by(options, &|row| class_of_allocation(place, row)))
}

fn each(refuse: impl Fn(Place) -> Result<(), Refusal>) -> Result<Vec<(Place, Refusal)>, Refusal> {
    let said = Place::ALL.into_iter().filter_map(|place| Some((place, refuse(place).err()?)));
    let mut said: Vec<_> = said.collect();
    match said.first() {
        Some((_, first)) if said.len() == Place::ALL.len() && said.iter().all(|(_, other)| other == first) => {
            Err(said.swap_remove(0).1)
        }
        _ => Ok(said),
    }
}

/// What becomes here of an option of srun that makes an allocation: what belongs to that is as sbatch's.
pub(super) fn class_of_allocation(place: Place, row: &Row) -> Option<Class> {
    let own = Place::Here.class(Command::Srun, row)?;
    let of_sbatch = || place.class(Command::Sbatch, row);
    if own == ALLOCATIONS { of_sbatch().or(Some(Class::Honoured)) } else { place.class(Command::Srun, row) }
}

#[cfg(test)]
mod tests {
    use super::{super::read_batch, *};
    use std::ffi::OsString;

    fn options(args: &[&str]) -> Options {
        let words: Vec<OsString> = args.iter().map(Into::into).collect();
        read_batch(&words, &|_| None, &mut |_, _| Ok(None)).unwrap().0.options
    }

    fn said(args: &[&str]) -> Result<Vec<(Place, String)>, String> {
        match refusals(&options(args)) {
            Ok(list) => Ok(list.into_iter().map(|(place, refusal)| (place, refusal.to_string())).collect()),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    #[test]
    fn what_only_one_place_refuses_is_left_to_the_controller() {
        assert_eq!(said(&["-N2", "--mail-type=END", "--tmp=1G"]), Ok(vec![]));
        let image = "sbatch: error: --container-image: containers are for partitions on SkyPilot; on this machine start \
                     the container in the script";
        assert_eq!(said(&["--container-image=ubuntu"]), Ok(vec![(Place::Here, image.into())]));
        let nodes = "sbatch: error: --nodelist: nodes are made for the job and have no names before it starts; leave it \
                     out";
        assert_eq!(said(&["-w", "node1"]), Ok(vec![(Place::SkyPilot, nodes.into())]));
        // Each place has its own first word.
        let reboot = "sbatch: error: --reboot: nodes cannot be rebooted; leave the option out";
        let both = Ok(vec![(Place::Here, image.into()), (Place::SkyPilot, reboot.into())]);
        assert_eq!(said(&["--container-image=ubuntu", "--reboot"]), both);
    }

    #[test]
    fn what_all_refuse_is_refused_at_once() {
        let reboot = "sbatch: error: --reboot: nodes cannot be rebooted; leave the option out";
        assert_eq!(said(&["--reboot", "--container-image=ubuntu"]), Err(reboot.into()));
    }

    #[test]
    fn warnings_are_of_the_place() {
        let spec = options(&["-S1"]).warnings(Place::SkyPilot);
        assert_eq!(
            spec,
            ["sbatch: error: Ignoring -S since it's not allowed by configuration (AllowSpecResourcesUsage = No)"]
        );
        let options = options(&["--tmp=1G", "--mail-type=END", "--qos=high", "--nodes=2", "--nice=5"]);
        let tmp = "sbatch: warning: --tmp: temporary disk is not counted: none is set aside for the job";
        assert_eq!(options.warnings(Place::Here), [tmp]);
        let nice = "sbatch: warning: --nice: it is taken from SkyPilot's priority, which ends at -1000";
        assert_eq!(options.warnings(Place::SkyPilot), [nice]);
    }
}
