//! What changed since the newest backup, in words that people find a backup by.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::capture::base::Start;
use crate::engine::compare::trees::{changes, differing};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError};
use crate::model::{Profile, Table};
use crate::threads;
use crate::tree::{Layout, fields};

/// Changes that are looked at; what follows is not counted any more.
const MOST: usize = 20_000;
/// Groups that are named.
const NAMED: usize = 2;

/// The changes of a dataset.
#[derive(Default)]
struct Changed {
    rows: usize,
    /// Of these, those that only the time of the last touch tells.
    touched: usize,
    /// The groups that the rows belong to, such as VRFs.
    groups: BTreeSet<String>,
}

impl Engine {
    /// The changes from the newest backup to a snapshot whose chunks were written into the store; `None` if
    /// there is no such backup, or it cannot be compared.
    pub(in crate::engine) async fn describe_changes(
        &self,
        captured: &Snapshot<()>,
    ) -> Result<Option<String>, EngineError> {
        let Start::Since(base) = self.base().await? else { return Ok(None) };
        let (old, new) = (base.snapshot, captured.clone().readable(self.store.reader().await?));
        let same = |table: &Table| {
            old.schema.table(&table.name).is_some_and(|then| then.is_stored_as(table))
        };
        if !new.schema.tables.iter().all(same) || old.parts.len() != new.parts.len() {
            return Ok(Some("the tables were altered".into()));
        }
        let describe = move || describe(&old, &new);
        // A description is worth no backup.
        let described = threads::spawn(describe).await.expect("comparing does not panic");
        Ok(described.unwrap_or_else(|error| {
            tracing::warn!("could not describe the changes: {error}");
            None
        }))
    }
}

/// Says what differs, as "12 prefixes in prod-vrf, 1 VPC". Blocks.
fn describe(old: &Snapshot, new: &Snapshot) -> Result<Option<String>, EngineError> {
    let profile = &new.profile;
    let mut datasets: BTreeMap<String, Changed> = BTreeMap::new();
    let mut left = MOST;
    for part in differing(old, new)? {
        let table = new.schema.table(&part.table).expect("a part's table is in its schema");
        let (layout, group) = (Layout::from(table), group_of(profile, table));
        let changed = datasets.entry(part.dataset.name().to_owned()).or_default();
        for change in changes(&part, &layout, old, new)?.take(left) {
            let change = change?;
            left -= 1;
            changed.rows += 1;
            changed.touched += usize::try_from(change.counts(&layout).touched).unwrap_or(0);
            let row = change.new.as_deref().or(change.old.as_deref()).unwrap_or_default();
            let cell = group.and_then(|group| fields(row).nth(group));
            if changed.groups.len() <= NAMED {
                changed.groups.extend(cell.map(|cell| String::from_utf8_lossy(cell).into_owned()));
            }
        }
    }
    let said = profile.datasets.iter().filter_map(|dataset| {
        let changed = datasets.get(dataset.name.name())?;
        Some(changed.said(&dataset.label, left == 0))
    });
    let said = said.collect::<Vec<_>>().join(", ");
    Ok((!said.is_empty()).then_some(said))
}

/// The column that groups the rows of a table, as the profile's tree has it.
fn group_of(profile: &Profile, table: &Table) -> Option<usize> {
    let tree = profile.tree.as_ref().filter(|tree| tree.table == table.name)?;
    table.column(&tree.group)
}

impl Changed {
    fn said(&self, label: &str, more: bool) -> String {
        let more = if more { "at least " } else { "" };
        let rows = counted(label, self.rows);
        let touched = if self.touched == self.rows { " touched" } else { "" };
        let named: Vec<_> = self.groups.iter().map(String::as_str).collect();
        let groups = match named[..] {
            [] => String::new(),
            [..] if named.len() <= NAMED => format!(" in {}", named.join(" and ")),
            [first, ..] => format!(" in {first} and others"),
        };
        format!("{more}{rows}{touched}{groups}")
    }
}

/// A number of things that a label names in the plural: "1 VPC", "2 prefixes".
fn counted(label: &str, count: usize) -> String {
    let is_word = label.chars().nth(1).is_some_and(char::is_lowercase);
    let first: String = label.chars().take(1).collect();
    let name =
        if is_word { first.to_lowercase() + &label[first.len()..] } else { label.to_owned() };
    let one = name.strip_suffix("xes").map(|stem| format!("{stem}x"));
    let one = one.or_else(|| name.strip_suffix('s').map(str::to_owned));
    match one {
        Some(one) if count == 1 => format!("1 {one}"),
        _ => format!("{count} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_counted_in_words() {
        let all = [
            ("Prefixes", 1),
            ("Prefixes", 2),
            ("VPCs", 1),
            ("VRFs", 3),
            ("Public IPs", 1),
            ("Stock", 1),
        ];
        let said: Vec<_> = all.iter().map(|(label, count)| counted(label, *count)).collect();
        assert_eq!(said, ["1 prefix", "2 prefixes", "1 VPC", "3 VRFs", "1 public IP", "1 stock"]);
    }
}
