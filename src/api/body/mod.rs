//! The JSON documents that the API answers with, and that the command line prints with `--json`.
//!
//! A response body is a struct of this module, made of the plain value that the engine or the service
//! returned. A plain value that goes into a body as it is has only a description here.

mod audit;
mod backup;
mod cleanup;
mod command;
mod compare;
mod comparison;
mod copy;
pub(in crate::api) mod describe;
mod health;
mod job;
mod notice;
mod problem;
mod profile;
mod restore;
mod schedule;
mod statistics;
mod values;
mod verify;

pub use audit::AuditLog;
pub use backup::{Annotated, BackupCreated, BackupList, DetailedInfo, Details, Imported, Listed};
pub use cleanup::{CleanupReport, Deleted};
pub use command::{
    Exported, ExportedFolder, ListedToken, StoreCheck, TokenCreated, TokenList, TokenRevoked,
};
pub use compare::{Changes, DiffReport, History, Moment, RowVersion};
pub use comparison::{FoundChanges, FoundTree};
pub use copy::CopyReport;
pub use health::{Health, LiveStatus};
pub use job::{Accepted, Job, JobList, JobResult, OneJob};
pub use notice::{NoticeTarget, NoticeTrials, notice};
pub use problem::Problem;
pub use profile::Profile;
pub use restore::{Preview, Report, Restored, ScopeValues};
pub use schedule::{RetentionStatus, ScheduleStatus};
pub use statistics::{Disk, Sizes, Statistics, StoreStatistics};
pub use verify::VerifyReport;

/// The `status` of a body that says what was done or found.
const SUCCESS: &str = "success";
