//! Who the caller is, and whom a name means. On a node that was made for a job elsewhere the user there and the job's owner are one.

use crate::host::{directory, user};

/// The owner of the job this runs in, where that is known by another number.
struct Owner {
    uid: u32,
    name: String,
}

impl Owner {
    fn find() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        Self::of(&variable, user::uid()).filter(|_| !directory::has_controller(&directory::state()))
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>, caller: u32) -> Option<Self> {
        let uid = variable("SLURM_JOB_UID")?.parse().ok().filter(|uid| *uid != caller)?;
        Some(Self { uid, name: variable("SLURM_JOB_USER").unwrap_or_default() })
    }

    fn is_meant(&self, word: &str, caller: u32) -> bool {
        word == self.name || word == caller.to_string() || user::name_of(caller) == word
    }
}

/// The caller's user id, as the controller knows it.
pub(super) fn me() -> u32 {
    Owner::find().map_or_else(user::uid, |owner| owner.uid)
}

/// The caller's name, as the controller knows it.
pub(super) fn my_name() -> String {
    Owner::find().map_or_else(|| user::name_of(user::uid()), |owner| owner.name)
}

/// The user of this name; `None`: there is none.
pub(super) fn by_name(name: &str) -> Option<u32> {
    match Owner::find() {
        Some(owner) if owner.is_meant(name, user::uid()) => Some(owner.uid),
        _ => user::by_name(name).map(|user| user.uid),
    }
}

/// The user of this name or number; `None`: there is none.
pub(super) fn by_name_or_uid(word: &str) -> Option<u32> {
    by_name(word).or_else(|| word.parse().ok().filter(|uid| is_known(*uid)))
}

/// Whether there is such a user.
pub(super) fn is_known(uid: u32) -> bool {
    Owner::find().is_some_and(|owner| owner.uid == uid) || user::by_uid(uid).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_another_s_node_the_owner_is_meant() {
        let variable = |name: &str| match name {
            "SLURM_JOB_UID" => Some("123456".to_owned()),
            "SLURM_JOB_USER" => Some("alice".to_owned()),
            _ => None,
        };
        let owner = Owner::of(&variable, 0).unwrap();
        assert!(owner.uid == 123_456 && owner.is_meant("alice", 0) && owner.is_meant("root", 0));
        assert!(owner.is_meant("0", 0) && !owner.is_meant("bob", 0));
        assert!(Owner::of(&variable, 123_456).is_none() && Owner::of(&|_| None, 0).is_none());
    }
}
