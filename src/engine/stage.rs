//! Brings changes into the staging tables: one thread compares, while the lines are copied.

use tokio::sync::mpsc;

use super::compare::{Side, changes, differing};
use super::{Engine, EngineError};
use crate::model::Schema;
use crate::postgres::{Session, Staging};
use crate::threads;
use crate::tree::Layout;

/// A block of lines is sent once it has so many bytes.
const BLOCK: usize = 128 << 10;

impl Engine {
    /// Brings the changes from `live` to `target` into the staging tables: comparing on a thread
    /// of its own, copying meanwhile.
    pub(super) async fn stage_changes(
        &self,
        session: &mut Session,
        schema: &Schema,
        live: &Side,
        target: &Side,
    ) -> Result<(), EngineError> {
        session.create_staging(schema).await?;
        for part in differing(live, target)? {
            let table = schema.table(part.table).expect("a part's table is in its schema");
            let (sender, lines) = mpsc::channel(4);
            let (sides, owned) = ((live.clone(), target.clone()), table.clone());
            let comparing = threads::spawn(move || -> Result<(), EngineError> {
                let (layout, staging) = (Layout::from(&owned), Staging::new(part, &owned));
                let mut block = Vec::with_capacity(2 * BLOCK);
                for change in changes(part, &layout, &sides.0, &sides.1)? {
                    staging.write(&change?, &mut block);
                    if block.len() >= BLOCK {
                        let full = std::mem::replace(&mut block, Vec::with_capacity(2 * BLOCK));
                        if sender.blocking_send(full).is_err() {
                            return Ok(());
                        }
                    }
                }
                // A receiver that went away has its own reason to tell.
                let _ = sender.blocking_send(block);
                Ok(())
            });
            let staged = session.stage(table, lines).await;
            comparing.await.expect("comparing does not panic")?;
            staged?;
        }
        Ok(session.analyze_staging(schema).await?)
    }
}
