//! Brings changes into the staging tables: one thread compares, while the lines are copied.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::compare::{Side, changes, differing};
use super::{Engine, EngineError};
use crate::model::Schema;
use crate::postgres::{Apply, Rules, Staging};
use crate::threads;
use crate::tree::Layout;

/// A block of lines is sent once it has so many bytes.
const BLOCK: usize = 128 << 10;

impl Engine {
    /// Brings the changes from `live` to `target` into the staging tables: comparing on a thread
    /// of its own, copying meanwhile.
    pub(super) async fn stage_changes(
        &self,
        apply: &mut Apply<'_>,
        (schema, rules): (&Schema, &Rules),
        live: &Side,
        target: &Side,
    ) -> Result<(), EngineError> {
        let parts = differing(live, target)?;
        apply.create_staging(&parts.iter().map(|part| part.table).collect()).await?;
        let sides = Arc::new((live.clone(), target.clone()));
        for part in parts {
            let table = schema.table(part.table).expect("a part's table is in its schema");
            let (layout, staging) = (Layout::from(table), Staging::new(part, schema, rules));
            let (sender, lines) = mpsc::channel(4);
            let sides = sides.clone();
            let comparing = threads::spawn(move || -> Result<(), EngineError> {
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
            let staged = apply.stage(part, lines).await;
            comparing.await.expect("comparing does not panic")?;
            staged?;
        }
        Ok(apply.analyze_staging().await?)
    }
}
