//! Abilities of an object store beyond reading and writing. Each missing one has a fallback with a guarantee
//! of its own.

use serde::{Deserialize, Serialize};

/// Outcome of a write under a condition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It is refused for that reason.
    Honoured,
    /// It is done all the same.
    Ignored,
    /// Any write under a condition is refused.
    Refused,
}

/// Abilities that an object store was found to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// `If-None-Match: *` of a PUT.
    pub conditional_create: Condition,
    /// `If-Match` of a PUT.
    pub conditional_replace: Condition,
    /// Removal of objects, with the credentials that asked.
    pub remove: bool,
    /// Listings that show at once what was written.
    pub list_after_write: bool,
    /// Time when this was found out, RFC 3339.
    pub checked_at: String,
}

impl Abilities {
    /// Returns the loss for each missing ability, and the guarantee that holds instead, a sentence each.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !self.honours_conditions() {
            missing.push(
                "the object store does not support conditional writes (If-None-Match, If-Match): changes \
                 of small objects take turns with a lease instead, so hosts may use the store at the same \
                 time, but a request that arrives more than two minutes late may undo a newer change",
            );
        }
        if !self.remove {
            missing.push(
                "the object store does not let these credentials remove objects: backups go on, but \
                 `delete` and `cleanup` fail, and each lock leaves two small objects below locks/",
            );
        }
        if !self.list_after_write {
            missing.push(
                "the object store's listings lag behind its writes: two hosts must not use the store at \
                 the same time",
            );
        }
        missing
    }

    /// Returns whether conditions on writes do what they are for.
    #[must_use]
    pub fn honours_conditions(&self) -> bool {
        let conditions = [self.conditional_create, self.conditional_replace];
        conditions.iter().all(|condition| *condition == Condition::Honoured)
    }
}
