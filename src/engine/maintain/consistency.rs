//! Whether the rows of a backup keep the unique keys and the references of its tables: rows that do not
//! could never be restored. Of a backup that was made of a database, the database itself saw to that. Of
//! one that was imported it is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};

use crate::engine::{Engine, EngineError};
use crate::model::{ForeignKey, Manifest, PartManifest, Table, visible};
use crate::store::{Reader, StoreError};
use crate::threads;
use crate::tree::{Cursor, Layout, fields, unescape};

/// So many rows are named in one sentence.
const NAMED: usize = 5;

impl Engine {
    /// Which rules the rows of an imported backup break, a sentence each.
    pub(in crate::engine) async fn broken_rules(
        &self,
        manifest: &Manifest,
    ) -> Result<Vec<String>, EngineError> {
        if !manifest.imported {
            return Ok(Vec::new());
        }
        let (reader, manifest) = (self.store.reader().await?, manifest.clone());
        let found = threads::spawn(move || broken_rules(&manifest, &reader)).await;
        Ok(found.expect("reading rows does not panic")?)
    }

    /// Refuses a backup whose rows could not be restored.
    pub(in crate::engine) async fn refuse_broken_rules(
        &self,
        manifest: &Manifest,
    ) -> Result<(), EngineError> {
        let damage = self.broken_rules(manifest).await?;
        if damage.is_empty() {
            return Ok(());
        }
        Err(EngineError::Damaged { id: manifest.backup_id.clone(), damage })
    }
}

/// Blocks.
fn broken_rules(manifest: &Manifest, reader: &Reader) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for table in &manifest.schema.tables {
        let rows = Rows { manifest, reader, table };
        let key: Vec<_> = table.key_names().map(str::to_owned).collect();
        for columns in std::iter::once(&key).chain(&table.unique) {
            found.extend(rows.equal(columns)?);
        }
        for key in table.foreign_keys.iter().filter(|key| !key.not_valid) {
            found.extend(rows.dangling(key)?);
        }
    }
    Ok(found)
}

/// The rows of one table.
struct Rows<'a> {
    manifest: &'a Manifest,
    reader: &'a Reader,
    table: &'a Table,
}

impl Rows<'_> {
    /// Calls `take` with the values of these columns of each row that has them all, and with the row.
    fn each(
        &self,
        places: &[usize],
        mut take: impl FnMut(Vec<u8>, &[u8]),
    ) -> Result<(), StoreError> {
        let layout = Layout::from(self.table);
        let of_table = |part: &&PartManifest| part.table == self.table.name;
        for part in self.manifest.parts.iter().filter(of_table) {
            let mut cursor = Cursor::new(self.reader, &layout, &part.root)?;
            while let Some((_, row)) = cursor.next_row()? {
                let cells: Vec<_> = fields(&row).collect();
                let values: Vec<_> = places.iter().map(|place| cells[*place]).collect();
                if values.iter().all(|value| *value != b"\\N") {
                    take(values.join(&b'\t'), &row);
                }
            }
        }
        Ok(())
    }

    /// The hashes of the values of these columns, in order. Eight bytes a row, however long its values are.
    fn hashes(&self, places: &[usize]) -> Result<Vec<u64>, StoreError> {
        let mut hashes = Vec::new();
        self.each(places, |values, _| hashes.push(hash(&values)))?;
        hashes.sort_unstable();
        Ok(hashes)
    }

    fn places(&self, columns: &[String]) -> Option<Vec<usize>> {
        columns.iter().map(|name| self.table.column(name)).collect()
    }

    /// Says which rows have the same values in columns whose values are unique.
    fn equal(&self, columns: &[String]) -> Result<Option<String>, StoreError> {
        let Some(places) = self.places(columns) else { return Ok(None) };
        let hashes = self.hashes(&places)?;
        let twice = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let twice: BTreeSet<_> = twice.collect();
        if twice.is_empty() {
            return Ok(None);
        }
        let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        self.each(&places, |values, _| {
            if twice.contains(&hash(&values)) {
                *counts.entry(values).or_default() += 1;
            }
        })?;
        counts.retain(|_, count| *count > 1);
        let named: Vec<_> = counts.keys().take(NAMED).map(|values| shown(values)).collect();
        Ok((!counts.is_empty()).then(|| {
            format!(
                "its rows could not be restored: {} values of ({}) are in several rows of {}: {}",
                counts.len(),
                columns.join(", "),
                self.table.name,
                named.join("; ")
            )
        }))
    }

    /// Says which rows refer to a row that is not there. Not if the rows that are referred to are not all
    /// covered, or if values of two types would be compared.
    fn dangling(&self, key: &ForeignKey) -> Result<Option<String>, StoreError> {
        let Some(parent) = self.manifest.schema.table(&key.references) else { return Ok(None) };
        let parents = Rows { table: parent, ..*self };
        let places = self.places(&key.columns).zip(parents.places(&key.referenced_columns));
        let Some((here, there)) = places else { return Ok(None) };
        let alike = here.iter().zip(&there).all(|(here, there)| {
            self.table.columns[*here].type_name == parent.columns[*there].type_name
        });
        if !alike || self.manifest.is_silent_on(&parent.name) {
            return Ok(None);
        }
        let known = parents.hashes(&there)?;
        let (mut count, mut named) = (0_u64, Vec::new());
        let own_key = self.table.key.len();
        self.each(&here, |values, row| {
            if known.binary_search(&hash(&values)).is_err() {
                count += 1;
                if named.len() < NAMED {
                    let own: Vec<_> = fields(row).take(own_key).collect();
                    named.push(format!("{} to {}", shown(&own.join(&b'\t')), shown(&values)));
                }
            }
        })?;
        Ok((count > 0).then(|| {
            format!(
                "its rows could not be restored: {count} rows of {} refer to a row of {} that it does not have: {}",
                self.table.name,
                parent.name,
                named.join("; ")
            )
        }))
    }
}

fn hash(values: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(values);
    hasher.finish()
}

/// Values as people read them.
fn shown(values: &[u8]) -> String {
    let values = values.split(|byte| *byte == b'\t').map(|field| {
        let text: String = String::from_utf8_lossy(&unescape(field)).chars().take(80).collect();
        visible(&text)
    });
    values.collect::<Vec<_>>().join(", ")
}
