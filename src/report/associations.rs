//! Who may use what: the associations of users, accounts and the cluster, as far as there are such things here.
//!
//! A system is one user's: of each account there is, the user is a member, and nothing is limited.

use crate::job::Cluster;

/// The account that Slurm hangs all others on.
pub const ROOT: &str = "root";

/// An association: a node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association<'a> {
    /// Its number, from 1.
    pub id: u32,
    /// The account.
    pub account: &'a str,
    /// The account above it; that of a user and of the root has none.
    pub parent: Option<&'a str>,
    /// The user; `None` for the account itself.
    pub user: Option<&'a str>,
    /// How far down the tree it stands.
    pub depth: usize,
}

/// The accounts: those that are configured, or the one that jobs get; none if any name will do.
pub fn accounts(cluster: &Cluster) -> Vec<&str> {
    let mut accounts: Vec<&str> = cluster.accounts.iter().map(String::as_str).collect();
    if let Some(default) = cluster.default_account.as_deref().filter(|name| !accounts.contains(name)) {
        accounts.push(default);
    }
    // As sacctmgr lists them (limits.txt).
    accounts.sort_unstable();
    accounts
}

/// The user's account of jobs that name none.
pub fn default_account(cluster: &Cluster) -> &str {
    cluster.default_account.as_deref().unwrap_or_default()
}

/// The tree, from the root down: an account, then its user.
pub fn tree<'a>(cluster: &'a Cluster, user: &'a str) -> Vec<Association<'a>> {
    let mut tree = vec![Association { id: 1, account: ROOT, parent: None, user: None, depth: 0 }];
    for account in accounts(cluster).into_iter().filter(|name| *name != ROOT) {
        let id = tree.len() as u32 + 1;
        tree.push(Association { id, account, parent: Some(ROOT), user: None, depth: 1 });
        tree.push(Association { id: id + 1, account, parent: None, user: Some(user), depth: 2 });
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    /// Asked of a real one with this account and this user (besides root's own).
    #[test]
    fn the_tree_is_slurms() {
        let cluster = samples::cluster();
        let found: Vec<_> = tree(&cluster, "alice").into_iter().map(|a| (a.account, a.user, a.parent)).collect();
        let expected = [("root", None, None), ("research", None, Some("root")), ("research", Some("alice"), None)];
        assert_eq!(found, expected);
        let any = Cluster { default_account: None, ..cluster };
        assert_eq!((accounts(&any).len(), tree(&any, "alice").len(), default_account(&any)), (0, 1, ""));
        let several = Cluster { accounts: vec!["a".into(), "b".into()], default_account: Some("b".into()), ..any };
        assert_eq!(accounts(&several), ["a", "b"]);
    }
}
