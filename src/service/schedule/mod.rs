//! When what is due: the timetable of the backups, the round of the verifications, and what is
//! remembered of both. Pure; `upkeep` does the work.

mod record;
mod round;
mod timetable;

pub use record::{CopyRecord, LastRun, Record};
pub use round::{Proof, Round};
pub use timetable::{Timetable, TimetableError, Upcoming};
