//! The error of a lease that ran out.

use crate::store::lock::Holder;

/// A lease that ran out, and who ended it.
#[derive(Debug)]
pub struct Lost {
    /// The lock's name.
    pub lock: &'static str,
    /// The holder who found that it had run out, if that is known.
    pub by: Option<Box<Holder>>,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the lock {:?} was lost: its lease was not renewed in time, as happens to a process ",
            self.lock
        )?;
        f.write_str("that was suspended or could not reach the store; ")?;
        if let Some(by) = &self.by {
            write!(f, "it was ended by {by}; ")?;
        }
        f.write_str("what was published before is whole, so run the command again")
    }
}
