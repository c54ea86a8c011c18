//! Looks whether anything changed since the newest backup, without making one.

use chrono::{DateTime, Utc};

use crate::engine::capture::base::{Reading, Start};
use crate::engine::capture::reading::{Tables, read};
use crate::engine::capture::sink::Nowhere;
use crate::engine::{Engine, EngineError, Run};
use crate::model::{CaptureInfo, Hash, PartManifest, ReadPoint};

/// What earlier looks told. One belongs to one store and database.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    quiet: Option<Quiet>,
    /// When all rows were last read and agreed.
    checked: Option<DateTime<Utc>>,
}

/// A look that saw the rows of the newest backup.
#[derive(Debug, Clone)]
struct Quiet {
    /// Where the server's history stood.
    point: ReadPoint,
    /// When all rows had last been read.
    last_full: Option<DateTime<Utc>>,
}

/// What a look told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The server wrote nothing since the look before.
    Quiet,
    /// The tables were passed over: they have the rows of the newest backup.
    Same,
    /// They have not, or there is no backup.
    Changed,
}

impl Looked {
    /// How the backup that follows a look is to read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading { checked: self.checked, ..Reading::default() }
    }
}

impl Engine {
    /// Looks whether a backup would hold other rows than the newest one. Reads changes, once a day all rows.
    ///
    /// # Errors
    /// If the database or the store cannot be read.
    pub async fn look_for_changes(
        &self,
        looked: &mut Looked,
        run: &Run,
    ) -> Result<Look, EngineError> {
        // As long as the server is quiet the store is not asked, either.
        if let Some(quiet) = &looked.quiet
            && !self.is_full_due(quiet.last_full)
        {
            let mut session = self.connect(run).await?;
            let is_quiet = session.is_quiet_since(&quiet.point).await?;
            session.close().await?;
            if is_quiet {
                return Ok(Look::Quiet);
            }
        }
        let Start::Since(base) = self.base().await? else {
            return self.look_at_all(looked, run).await;
        };
        let last_full = base.last_full().max(looked.checked);
        let due = self.is_full_due(last_full);
        let before = base.snapshot.parts.clone();
        let fingerprint = base.snapshot.info.schema_fingerprint;
        let start = if due {
            Start::Check { base, reason: "it is due".into() }
        } else {
            Start::Since(base)
        };
        let (point, parts, info, now) = self.read_nowhere(start, run).await?;
        if parts != before || now != fingerprint || !info.mismatch.is_empty() {
            looked.quiet = None;
            return Ok(Look::Changed);
        }
        let last_full = if due { Some(self.now()) } else { last_full };
        looked.checked = last_full;
        looked.quiet = point.map(|point| Quiet { point, last_full });
        Ok(Look::Same)
    }

    /// Without a base all rows are compared with those of the newest backup.
    async fn look_at_all(&self, looked: &mut Looked, run: &Run) -> Result<Look, EngineError> {
        looked.quiet = None;
        let Some(newest) = self.newest().await else { return Ok(Look::Changed) };
        let (_, parts, ..) = self.read_nowhere(Start::full("there is no base"), run).await?;
        Ok(if parts == newest.parts { Look::Same } else { Look::Changed })
    }

    async fn read_nowhere(
        &self,
        start: Start,
        run: &Run,
    ) -> Result<(Option<ReadPoint>, Vec<PartManifest>, CaptureInfo, Hash), EngineError> {
        let (mut sessions, schema) = self.snapshot(&self.profile, run).await?;
        let info = sessions[0].snapshot_info(&schema).await?;
        let tables = Tables { profile: &self.profile, schema: &schema, info: &info };
        let mut readers: Vec<_> = sessions.iter_mut().collect();
        let reading = read(&mut readers, tables, start, self.tree_rules(), &Nowhere, run);
        let (parts, how) = Box::pin(reading).await?;
        for session in sessions {
            session.close().await?;
        }
        Ok((info.point, parts, how, info.schema_fingerprint))
    }
}
