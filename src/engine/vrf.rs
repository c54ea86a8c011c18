//! Is there such a VRF at all? To restore one that was never there would succeed, and change nothing.

use super::{Engine, EngineError};
use crate::model::{Manifest, Schema};
use crate::postgres::{Selection, Session};
use crate::threads;
use crate::tree::{Layout, lookup};

impl Engine {
    /// Refuses a selection of a VRF that neither the backup nor the database has.
    pub(super) async fn refuse_unknown_vrf(
        &self,
        session: &mut Session,
        schema: &Schema,
        manifest: &Manifest,
        selection: &Selection,
    ) -> Result<(), EngineError> {
        let Some(vrf) = &selection.vrf else {
            return Ok(());
        };
        if session.has_vrf(schema, vrf).await? || self.backup_has_vrf(manifest, vrf).await? {
            return Ok(());
        }
        Err(EngineError::UnknownVrf(vrf.chars().take(80).collect()))
    }

    async fn backup_has_vrf(&self, manifest: &Manifest, vrf: &str) -> Result<bool, EngineError> {
        let table = manifest.schema.table("vrf");
        let tree = manifest.parts.iter().find(|part| part.table == "vrf");
        let Some((table, tree)) = table.zip(tree) else {
            return Ok(false);
        };
        let (layout, root) = (Layout::from(table), tree.root);
        let Ok(key) = layout.key_of_values(std::iter::once(vrf)) else {
            return Ok(false);
        };
        let reader = self.store.reader().await?;
        let find = move || lookup(&reader, &layout, &root, &key);
        let found = threads::spawn(find).await.expect("looking a row up does not panic")?;
        Ok(found.is_some())
    }
}
