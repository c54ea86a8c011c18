//! What there is to know of all backups together: the newest good one, and how well all are proven.

use chrono::{DateTime, Utc};

use crate::engine::{BackupInfo, BackupList, Engine, EngineError};
use crate::model::{BackupId, BackupKind, Status};
use crate::service::schedule::Proof;

/// The backup that the live rows were last set to by a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRestored {
    pub backup_id: BackupId,
    /// When it was restored.
    pub at: DateTime<Utc>,
    /// When it was made, by the clock of then.
    pub made: DateTime<Utc>,
    /// Whether it was ever verified.
    pub verified: bool,
}

/// The newest backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    pub backup_id: BackupId,
    /// When it was made, by the clock of then.
    pub made: DateTime<Utc>,
    /// Whether its last verification found damage.
    pub damaged: bool,
    /// Whether it was ever verified.
    pub verified: bool,
}

/// All backups at a glance.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The newest backup that can be read, safety backups apart.
    pub newest: Option<Newest>,
    /// The backup that was restored since the newest one was made, if it is not known to be damaged. The
    /// live rows come from this one then, and the newest holds what somebody wanted to get away from.
    pub restored: Option<LastRestored>,
    /// The backups that are not known to be damaged, newest first, and when each was made.
    pub good: Vec<(BackupId, DateTime<Utc>)>,
    /// The newest backup that is not known to be damaged, and when it was made; safety backups apart.
    pub newest_good: Option<(BackupId, DateTime<Utc>)>,
    /// When each good backup was made, by the clock of then; safety backups apart.
    pub good_made: Vec<DateTime<Utc>>,
    /// How well each is proven.
    pub proofs: Vec<Proof>,
    /// Backups that are damaged, as far as is known; those that cannot be read among them.
    pub damaged: usize,
    /// The backup whose full read found other rows than the changes had told, if that keeps the newest from
    /// being the base of another.
    pub mismatch: Option<BackupId>,
}

impl LastRestored {
    fn of(info: &BackupInfo) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(info.last_restore.as_deref()?).ok()?.to_utc();
        let (backup_id, verified) = (info.backup_id.clone(), info.verification.is_some());
        Some(Self { backup_id, at, made: info.made(), verified })
    }
}

impl Overview {
    /// Takes a look.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn of(engine: &Engine) -> Result<Self, EngineError> {
        Ok(Self::new(&engine.list().await?))
    }

    /// What this list tells.
    #[must_use]
    pub fn new(list: &BackupList) -> Self {
        let good = |info: &&BackupInfo| info.status == Status::Completed;
        let infos = || list.backups.iter().map(|listed| &listed.info);
        // A safety backup holds what somebody wanted to get away from: it is the newest only where
        // there is no other.
        let deliberate = |info: &&BackupInfo| info.backup_type != BackupKind::PreRestore;
        let only_safety = !infos().any(|info| deliberate(&info));
        let counted = || infos().filter(|info| only_safety || deliberate(info));
        let newest_good = counted().find(good).map(|info| (info.backup_id.clone(), info.made()));
        let damaged = infos().filter(|info| info.status == Status::Corrupt).count();
        let newest = counted().next().map(|info| Newest {
            backup_id: info.backup_id.clone(),
            made: info.made(),
            damaged: info.status == Status::Corrupt,
            verified: info.verification.is_some(),
        });
        let made_here = infos().find_map(|info| info.capture.as_ref());
        let restored = infos().filter(good).filter_map(LastRestored::of).max_by_key(|it| it.at);
        let since = newest.as_ref().map(|newest| newest.made);
        let restored = restored.filter(|it| since.is_none_or(|made| it.at > made));
        Self {
            mismatch: made_here.and_then(|capture| capture.stopped_by.clone()),
            newest,
            restored,
            good: infos().filter(good).map(|info| (info.backup_id.clone(), info.made())).collect(),
            newest_good,
            good_made: counted().filter(good).map(BackupInfo::made).collect(),
            proofs: infos().map(Proof::of).collect(),
            damaged: damaged + list.unreadable.len(),
        }
    }

    /// The backup that the live rows are compared with: the one restored since the newest was made, else
    /// the newest.
    #[must_use]
    pub fn reference(&self) -> Option<&BackupId> {
        let restored = self.restored.as_ref().map(|restored| &restored.backup_id);
        restored.or(self.newest.as_ref().map(|newest| &newest.backup_id))
    }

    /// When the latest good backup was made that is not dated in the future.
    #[must_use]
    pub fn latest_made(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.good_made.iter().copied().filter(|made| *made <= now).max()
    }

    /// Since when the backup with the oldest proof is unproven.
    #[must_use]
    pub fn oldest_proof(&self) -> Option<DateTime<Utc>> {
        self.proofs.iter().map(|proof| proof.since).min()
    }
}
