//! Is there such a row at all, say such a VRF? To restore what belongs to one that was never there would
//! succeed, and change nothing.

use crate::engine::{Engine, EngineError};
use crate::model::{BackupId, Manifest, Schema, Scope};
use crate::postgres::{ScopeValue, Selection, Session};
use crate::threads;
use crate::tree::{Cursor, Layout, fields, lookup, unescape};

/// A row that a restore can be narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRow {
    /// Its key.
    pub value: String,
    /// What else tells it apart.
    pub about: String,
}

impl ScopeRow {
    fn holds(&self, text: &str) -> bool {
        [&self.value, &self.about].iter().any(|cell| cell.to_lowercase().contains(text))
    }
}

fn text_of(field: &[u8]) -> Option<String> {
    (field != b"\\N").then(|| String::from_utf8_lossy(&unescape(field)).into_owned())
}

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

    /// The rows of a scope that a backup has and that hold this text: at most `limit`, by key.
    ///
    /// # Errors
    /// If there is no such backup, or its profile has no such scope; if a chunk on the way is damaged.
    pub async fn scope_values(
        &self,
        id: &BackupId,
        scope: &str,
        text: &str,
        limit: usize,
    ) -> Result<Vec<ScopeRow>, EngineError> {
        let manifest = self.store.manifest(id).await?;
        let unknown = || EngineError::UnknownScope(scope.chars().take(80).collect());
        let scope = manifest.profile().scope(scope).ok_or_else(unknown)?.clone();
        let reader = self.store.reader().await?;
        let text = text.trim().to_lowercase();
        let look = move || -> Result<_, EngineError> {
            let mut found = Vec::new();
            let Some(table) = manifest.schema.table(&scope.table) else { return Ok(found) };
            let (layout, key) = (Layout::from(table), table.column(&scope.column));
            let summary = &manifest.profile().summary_columns;
            let about = summary.iter().filter(|column| **column != scope.column);
            let about: Vec<_> = about.filter_map(|column| table.column(column)).collect();
            for part in manifest.parts.iter().filter(|part| part.table == scope.table) {
                let mut cursor = Cursor::new(&reader, &layout, &part.root)?;
                while let Some((_, row)) = cursor.next_row()? {
                    let cell = |place: usize| fields(&row).nth(place).and_then(text_of);
                    let Some(value) = key.and_then(cell) else { continue };
                    let about: Vec<_> = about.iter().filter_map(|place| cell(*place)).collect();
                    let row = ScopeRow { value, about: about.join(" · ") };
                    if row.holds(&text) {
                        found.push(row);
                    }
                    if found.len() >= limit {
                        return Ok(found);
                    }
                }
            }
            Ok(found)
        };
        threads::spawn(look).await.expect("reading does not panic")
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
