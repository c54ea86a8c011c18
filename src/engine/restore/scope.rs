//! Is there such a row at all, say such a VRF? To restore what belongs to one that was never there would
//! succeed, and change nothing.

use crate::engine::{Engine, EngineError};
use crate::model::{Manifest, Schema, Scope};
use crate::postgres::{ScopeValue, Selection, Session};
use crate::threads;
use crate::tree::{Layout, lookup};

impl Engine {
    /// Refuses a selection of a dataset or a scope that the backup does not know, or of a scope's row that
    /// neither the backup nor the database has.
    pub(in crate::engine) async fn refuse_unknown(
        &self,
        session: &mut Session,
        schema: &Schema,
        manifest: &Manifest,
        selection: &Selection,
    ) -> Result<(), EngineError> {
        for dataset in &selection.datasets {
            let dataset = manifest.profile().dataset(dataset.name())?;
            if !manifest.covers_dataset(&dataset) {
                return Err(EngineError::NotCovered { id: manifest.backup_id.clone(), dataset });
            }
        }
        let Some(ScopeValue { scope, value }) = &selection.scope else {
            return Ok(());
        };
        let unknown = || EngineError::UnknownScope(scope.chars().take(80).collect());
        let scope = manifest.profile().scope(scope).ok_or_else(unknown)?;
        if session.has_scope(schema, scope, value).await?
            || self.backup_has(manifest, scope, value).await?
        {
            return Ok(());
        }
        let (label, value) = (scope.label.clone(), value.chars().take(80).collect());
        Err(EngineError::NotInScope { label, value })
    }

    async fn backup_has(
        &self,
        manifest: &Manifest,
        scope: &Scope,
        value: &str,
    ) -> Result<bool, EngineError> {
        let Some(table) = manifest.schema.table(&scope.table) else { return Ok(false) };
        let layout = Layout::from(table);
        let Ok(key) = layout.key_of_values(std::iter::once(value)) else {
            return Ok(false);
        };
        let roots = manifest.parts.iter().filter(|part| part.table == scope.table);
        let roots: Vec<_> = roots.map(|part| part.root).collect();
        let reader = self.store.reader().await?;
        let find = move || -> Result<bool, EngineError> {
            for root in &roots {
                if lookup(&reader, &layout, root, &key)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        threads::spawn(find).await.expect("looking a row up does not panic")
    }
}
