//! Which database a backup was taken from, and whether another one is the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SnapshotInfo;

/// A database, as far as its server tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The database's name.
    pub database: String,
    /// The server's host and port as connected, `[local]` for a socket. Older backups do not say.
    pub server: Option<String>,
    /// The cluster's identifier, where the role may read it.
    pub system_identifier: Option<String>,
    /// The database's oid. Older backups do not say.
    #[serde(skip)]
    pub database_oid: Option<u32>,
}

/// What comparing two databases tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sameness {
    /// One database; perhaps with a remark.
    Same(Option<String>),
    /// Two databases, and what tells them apart.
    Other(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server.as_deref().unwrap_or("a server that is not recorded");
        write!(f, "{} at {server}", self.database)?;
        match &self.system_identifier {
            Some(system) => write!(f, " (system {system})"),
            None => write!(f, " (system identifier not known)"),
        }
    }
}

impl From<&SnapshotInfo> for Source {
    fn from(snapshot: &SnapshotInfo) -> Self {
        Self {
            database: snapshot.database.clone(),
            server: snapshot.server.clone(),
            system_identifier: snapshot.system_identifier.clone(),
            database_oid: snapshot.database_oid,
        }
    }
}

impl Source {
    /// Whether `live` is the database that this is: in the same cluster under the same oid or name. A
    /// copy of a whole cluster has its identifier, so another server is remarked.
    #[must_use]
    pub fn compare(&self, live: &Self) -> Sameness {
        let same_name = self.database == live.database;
        let clusters = self.system_identifier.as_ref().zip(live.system_identifier.as_ref());
        let (then, now) = (&self.database, &live.database);
        match clusters {
            Some((then, now)) if then != now => Sameness::Other(format!(
                "the backup was taken from another cluster: its system identifier is {then}, and this \
                 one's {now}"
            )),
            Some(_) if same_name => Sameness::Same(self.remark_server(live)),
            Some(_) if self.database_oid.is_some() && self.database_oid == live.database_oid => {
                Sameness::Same(Some(format!("the database was called {then} then")))
            }
            _ if !same_name => Sameness::Other(format!(
                "the backup was taken from the database {then}, and this one is {now}"
            )),
            _ => Sameness::Same(Some(format!(
                "that {now} is the database of the backup is known by its name alone: no system \
                 identifier {}",
                if self.system_identifier.is_none() {
                    "stands in the backup"
                } else {
                    "can be read here"
                }
            ))),
        }
    }

    fn remark_server(&self, live: &Self) -> Option<String> {
        let (then, now) = self.server.as_ref().zip(live.server.as_ref())?;
        (then != now).then(|| {
            format!(
                "the backup was read at {then} and this is {now}: a copy of a whole cluster cannot be \
                 told from the cluster itself"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(database: &str, server: Option<&str>, system: Option<&str>, oid: u32) -> Source {
        Source {
            database: database.into(),
            server: server.map(Into::into),
            system_identifier: system.map(Into::into),
            database_oid: (oid > 0).then_some(oid),
        }
    }

    #[test]
    fn database_is_the_same_by_cluster_and_name_or_oid() {
        let backup = source("plan", Some("db:5432"), Some("7"), 5);
        let same = |live: &Source| matches!(backup.compare(live), Sameness::Same(_));
        assert_eq!(backup.compare(&backup), Sameness::Same(None));
        assert!(same(&source("plan", Some("copy:5432"), Some("7"), 5)), "another server");
        assert!(same(&source("renamed", Some("db:5432"), Some("7"), 5)), "renamed");
        assert!(same(&source("plan", Some("db:5432"), Some("7"), 6)), "made anew");
        assert!(same(&source("plan", Some("db:5432"), None, 5)), "nothing told");
        assert!(!same(&source("plan", Some("db:5432"), Some("8"), 5)), "another cluster");
        assert!(!same(&source("other", Some("db:5432"), Some("7"), 6)), "another database");
        assert!(!same(&source("other", Some("db:5432"), None, 5)), "another name, nothing told");
    }

    #[test]
    fn what_cannot_be_told_is_remarked() {
        let old = source("plan", None, None, 0);
        let live = source("plan", Some("db:5432"), Some("7"), 5);
        let remark = |sameness| match sameness {
            Sameness::Same(Some(remark)) => remark,
            other => panic!("{other:?}"),
        };
        assert!(remark(old.compare(&live)).contains("stands in the backup"));
        assert!(remark(live.compare(&old)).contains("can be read here"));
        let copy = source("plan", Some("copy:5432"), Some("7"), 5);
        assert!(remark(live.compare(&copy)).contains("copy:5432"));
    }
}
