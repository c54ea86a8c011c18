//! What there is to know of all backups together: the newest good one, and how well all are proven.

use chrono::{DateTime, Utc};

use crate::engine::{BackupList, Engine, EngineError};
use crate::model::{BackupId, Status};
use crate::service::schedule::Proof;

/// All backups at a glance.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The newest backup that is not known to be damaged, and when it was made.
    pub newest_good: Option<(BackupId, DateTime<Utc>)>,
    /// How well each is proven.
    pub proofs: Vec<Proof>,
    /// Backups that are damaged, as far as is known; those that cannot be read among them.
    pub damaged: usize,
}

impl Overview {
    /// Takes a look.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn of(engine: &Engine) -> Result<Self, EngineError> {
        Ok(Self::new(&engine.list().await?))
    }

    fn new(list: &BackupList) -> Self {
        let good =
            |info: &&_| matches!(info, crate::engine::BackupInfo { status: Status::Completed, .. });
        let infos = || list.backups.iter().map(|listed| &listed.info);
        let newest_good = infos().find(good).map(|info| (info.backup_id.clone(), info.made()));
        let damaged = infos().filter(|info| info.status == Status::Corrupt).count();
        Self {
            newest_good,
            proofs: infos().map(Proof::of).collect(),
            damaged: damaged + list.unreadable.len(),
        }
    }

    /// Since when the backup with the oldest proof is unproven.
    #[must_use]
    pub fn oldest_proof(&self) -> Option<DateTime<Utc>> {
        self.proofs.iter().map(|proof| proof.since).min()
    }
}
