//! Who may do what: three roles, each of which may do what those below it may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Backs up, verifies, previews, compares with the live database.
    Operator,
    /// Restores, deletes, cleans up, imports, reads the audit log.
    Admin,
}

/// The text is no role.
#[derive(Debug, thiserror::Error)]
#[error("unknown role {0:?}; the roles are viewer, operator and admin")]
pub struct UnknownRole(String);

impl Role {
    /// The role as text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Viewer, Self::Operator, Self::Admin];
        let named = all.into_iter().find(|role| role.name() == text);
        named.ok_or_else(|| UnknownRole(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_those_below_it_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        assert_eq!("operator".parse::<Role>().expect("a role").name(), "operator");
        assert!("Admin".parse::<Role>().is_err());
    }
}
