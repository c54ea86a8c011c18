//! Which jobs may run beside which, which are refused, and how many may wait. Pure.

use crate::service::jobs::job::JobKind;

/// Jobs that may wait, all kinds together.
pub const LONGEST_QUEUE: usize = 16;

/// Of these, jobs of one caller: nobody keeps the schedule and others out.
pub const MOST_OF_ONE_CALLER: usize = 8;

/// Previews and comparisons that read the live database at a time.
const READERS: usize = 2;

impl JobKind {
    /// Whether it changes the store or the database.
    fn writes(self) -> bool {
        matches!(self, Self::Backup | Self::Restore | Self::Cleanup | Self::Delete | Self::Import)
    }

    /// Whether it removes what others may be reading.
    fn removes(self) -> bool {
        matches!(self, Self::Cleanup | Self::Delete)
    }

    /// Whether only one of its like may be asked for at a time: who asks for a second one has not
    /// seen what the first does.
    fn excludes(self) -> bool {
        matches!(self, Self::Restore | Self::Cleanup | Self::Delete)
    }

    /// Whether it only reads, and is gone without a trace.
    fn reads(self) -> bool {
        matches!(self, Self::Preview | Self::Diff)
    }

    /// Whether a job of this kind can be ended while it runs. What removes backups has done so
    /// before anybody could change their mind.
    pub fn can_be_ended(self) -> bool {
        !self.removes()
    }
}

/// A job that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    pub kind: JobKind,
    /// Whether the service queued it by itself.
    pub scheduled: bool,
}

/// Returns whether a job may begin before one that came earlier and still waits: the cleanup that the service
/// queued by itself gives way to whatever else changes something, however long it has to wait for a
/// verification.
fn overtakes(kind: JobKind, waiting: Waiting) -> bool {
    waiting.scheduled && waiting.kind.removes() && kind.writes()
}

/// Whether a job of the kind `new` is refused while one of the kind `other` runs or waits.
pub fn refuses(other: JobKind, new: JobKind) -> bool {
    new.excludes() && other.excludes()
}

/// Whether two jobs may not run side by side.
fn conflict(one: JobKind, other: JobKind) -> bool {
    let verifies = |kind| kind == JobKind::Verify;
    (one.writes() && other.writes())
        || (verifies(one) && (verifies(other) || other.removes()))
        || (one.removes() && verifies(other))
        // A copy may wait for another store for hours, so nothing waits for a copy.
        || (one == JobKind::Copy && other == JobKind::Copy)
}

/// Whether a job may begin beside those that run, not overtaking those that wait before it.
pub fn may_begin(kind: JobKind, running: &[JobKind], before: &[Waiting]) -> bool {
    let readers = running.iter().filter(|other| other.reads()).count();
    let waits = |other: &Waiting| conflict(kind, other.kind) && !overtakes(kind, *other);
    !running.iter().any(|other| conflict(kind, *other))
        && !before.iter().any(waits)
        && (!kind.reads() || readers < READERS)
}

#[cfg(test)]
mod tests {
    use super::JobKind::{Backup, Cleanup, Copy, Delete, Diff, Import, Preview, Restore, Verify};
    use super::*;

    #[test]
    fn one_writer_at_a_time_and_none_is_overtaken() {
        for writer in [Backup, Restore, Cleanup, Delete, Import] {
            assert!(may_begin(writer, &[Preview], &[]));
            assert!(!may_begin(writer, &[Backup], &[]));
            assert!(!may_begin(writer, &[], &[waiting(Import)]), "{writer:?} overtakes");
            assert!(!may_begin(writer, &[], &[waiting(Cleanup)]), "{writer:?} overtakes");
        }
    }

    fn waiting(kind: JobKind) -> Waiting {
        Waiting { kind, scheduled: false }
    }

    #[test]
    fn cleanup_that_the_service_queued_gives_way_to_writers_and_to_no_verification() {
        let cleanup = Waiting { kind: Cleanup, scheduled: true };
        for writer in [Backup, Restore, Cleanup, Delete, Import] {
            let begins = may_begin(writer, &[Verify], &[cleanup]);
            assert_eq!(begins, !writer.removes(), "{writer:?}");
        }
        assert!(!may_begin(Verify, &[], &[cleanup]), "or it would wait for ever");
        let backup = Waiting { kind: Backup, scheduled: true };
        assert!(!may_begin(Restore, &[], &[backup]));
    }

    #[test]
    fn restores_cleanups_and_deletions_refuse_each_other_and_nothing_else_does() {
        let kinds = [Backup, Restore, Preview, Verify, Cleanup, Delete, Import, Diff, Copy];
        for other in kinds {
            for new in kinds {
                let both =
                    [other, new].iter().all(|kind| [Restore, Cleanup, Delete].contains(kind));
                assert_eq!(refuses(other, new), both, "{new:?} while {other:?}");
            }
        }
    }

    #[test]
    fn a_verification_runs_beside_whatever_removes_nothing() {
        assert!(may_begin(Verify, &[Backup], &[]));
        assert!(may_begin(Restore, &[Verify], &[]));
        assert!(!may_begin(Verify, &[Verify], &[]));
        assert!(!may_begin(Verify, &[Cleanup], &[]));
        assert!(!may_begin(Delete, &[Verify], &[]));
    }

    #[test]
    fn nothing_but_another_copy_waits_for_a_copy() {
        for kind in [Backup, Restore, Preview, Verify, Cleanup, Delete, Import, Diff] {
            assert!(may_begin(kind, &[Copy], &[waiting(Copy)]), "{kind:?}");
            assert!(may_begin(Copy, &[kind], &[waiting(kind)]), "{kind:?}");
        }
        assert!(!may_begin(Copy, &[Copy], &[]));
    }

    #[test]
    fn two_readers_run_at_a_time() {
        assert!(may_begin(Diff, &[Preview, Restore], &[]));
        assert!(!may_begin(Diff, &[Preview, Diff], &[]));
    }
}
