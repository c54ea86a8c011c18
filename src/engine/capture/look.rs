//! Looks whether anything changed since the newest backup, without making one.

use chrono::{DateTime, Utc};

use crate::engine::capture::base::{Reading, Start};
use crate::engine::capture::reading::{Tables, read};
use crate::engine::capture::sink::Nowhere;
use crate::engine::{Engine, EngineError, Run};
use crate::model::{BackupId, CaptureInfo, Hash, PartManifest, ReadPoint};

/// What earlier looks told. One belongs to one store and database.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// Where the server's WAL stood, and the newest backup, when nothing had changed.
    quiet: Option<(ReadPoint, BackupId)>,
    /// When all rows were last read and agreed.
    checked: Option<DateTime<Utc>>,
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
        let Start::Since(base) = self.base().await? else {
            return self.look_at_all(looked, run).await;
        };
        let id = base.id.clone().expect("the newest backup has an id");
        let due = self.is_full_due(base.snapshot.capture.as_ref(), looked.checked);
        if let Some((quiet, newest)) = &looked.quiet
            && *newest == id
            && !due
        {
            let mut session = self.connect(run).await?;
            if session.is_quiet_since(quiet).await? {
                session.close().await?;
                return Ok(Look::Quiet);
            }
        }
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
        if due {
            looked.checked = Some(self.now());
        }
        looked.quiet = point.map(|point| (point, id));
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
