//! The shape of the backed-up tables, as the catalog told it when the snapshot was taken.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Hash, Profile};

/// All backed-up tables of a database, referenced ones before those that refer to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The tables that exist at this site.
    pub tables: Vec<Table>,
    /// The tables that are backed up where they exist, and that this site has not. Older backups do
    /// not say why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingTable>,
}

/// Why a table is missing, where there is nothing more to say.
pub const NOT_THERE: &str = "not there";

/// A table that belongs to a backup, but is not in this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingTable {
    /// Its name.
    pub table: String,
    /// Why not.
    pub reason: String,
}

impl fmt::Display for MissingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.reason)
    }
}

/// One table. Its rows are stored with the columns in the order of `columns`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The name, without its schema.
    pub name: String,
    /// The schema that holds it at this site. Older backups do not say; a restore does not need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The stored columns: those of the key first, in its order, then the others by name. So the
    /// order in which a site happened to add its columns does not matter.
    pub columns: Vec<Column>,
    /// The primary key; always the first columns.
    pub key: Vec<KeyColumn>,
    /// Columns (by position) that share a chunk, all groups of a leaf being cut at the same rows.
    /// The first group holds the key.
    pub groups: Vec<Vec<usize>>,
    /// The columns of each unique constraint or index besides the key.
    pub unique: Vec<Vec<String>>,
    /// Whether uniqueness is also ruled by what columns alone do not tell: expressions, partial
    /// indexes, exclusions, nulls that are not distinct.
    #[serde(default)]
    pub loose_unique: bool,
    /// The references that this table makes.
    pub foreign_keys: Vec<ForeignKey>,
    /// The user triggers.
    pub triggers: Vec<Trigger>,
    /// The sequences that feed its columns.
    pub sequences: Vec<String>,
}

/// A stored column. Generated columns are computed by the database and not stored, but in a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// The type as `format_type` writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The place among the table's columns at that site; for showing them in the known order.
    pub position: i16,
    /// Whether and how strictly the database numbers its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Whether the database computes it; only in a key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

/// `GENERATED … AS IDENTITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// An insert must override it in so many words, and an update can never set it.
    Always,
    /// A value that is given wins.
    ByDefault,
}

/// A column of the primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// The column's name.
    pub column: String,
    /// How its values compare.
    pub kind: KeyKind,
}

/// How the values of a key column compare; no locale has a say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// By the bytes of the UTF-8 text. Also every type without a rule of its own, by its text.
    Text,
    /// By the 16 bytes.
    Uuid,
    /// By value, 64 bits with a sign.
    Integer,
}

/// A reference from one table to another or to itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub references: String,
    /// The columns referred to, one for each referring column.
    pub referenced_columns: Vec<String>,
    /// Whether rows that were there before it need not keep it (`NOT VALID`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_valid: bool,
}

/// A user trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub name: String,
    /// `pg_trigger.tgenabled`: `O`, `D`, `R` or `A`.
    pub enabled: char,
}

impl Table {
    /// The position of a stored column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether a mere touch changes this column: such ones are stored apart, after the first group.
    #[must_use]
    pub fn is_volatile(&self, place: usize) -> bool {
        self.groups.iter().skip(1).any(|group| group.contains(&place))
    }

    /// The stored columns' names, in the stored order.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The key columns' names.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|key| key.column.as_str())
    }

    /// The columns that an UPDATE may set: all but the key and those that only the database numbers.
    pub fn settable(&self) -> impl Iterator<Item = &str> {
        let free = |column: &&Column| column.identity != Some(Identity::Always);
        self.columns[self.key.len()..].iter().filter(free).map(|column| column.name.as_str())
    }

    /// The columns of the key that an UPDATE may set.
    pub fn settable_key(&self) -> impl Iterator<Item = &str> {
        let free =
            |column: &&Column| column.identity != Some(Identity::Always) && !column.generated;
        self.columns[..self.key.len()].iter().filter(free).map(|column| column.name.as_str())
    }

    /// The columns that an INSERT gives: all but those that the database computes.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        let given = self.columns.iter().filter(|column| !column.generated);
        given.map(|column| column.name.as_str())
    }

    /// The columns besides the key that only the database numbers.
    pub fn numbered(&self) -> impl Iterator<Item = &str> {
        let numbered = |column: &&Column| column.identity == Some(Identity::Always);
        self.columns[self.key.len()..].iter().filter(numbered).map(|column| column.name.as_str())
    }

    /// What rows of this table must have to be exchangeable with rows of `live`, one sentence for
    /// each difference.
    #[must_use]
    pub fn misfits(&self, live: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for column in &self.columns {
            match live.columns.iter().find(|other| other.name == column.name) {
                None => found.push(format!("{}.{} is missing", self.name, column.name)),
                Some(other) if !same_type(&other.type_name, &column.type_name) => {
                    found.push(format!(
                        "{}.{} is {}, but was {}",
                        self.name, column.name, other.type_name, column.type_name
                    ));
                }
                Some(_) => {}
            }
        }
        let added = live.columns.iter().filter(|column| self.column(&column.name).is_none());
        found.extend(added.map(|column| {
            format!("{}.{} is new: the backup has no values for it", self.name, column.name)
        }));
        if self.key != live.key {
            found.push(format!("the primary key of {} is another", self.name));
        }
        found
    }

    /// This table with the stored columns of another.
    #[must_use]
    pub fn with_columns_of(&self, other: &Self) -> Self {
        let has = |columns: &Vec<String>| columns.iter().all(|name| other.column(name).is_some());
        // How strictly a column is numbered now is what a write must mind.
        let column = |column: &Column| {
            let now = self.columns.iter().find(|now| now.name == column.name);
            Column { identity: now.and_then(|now| now.identity), ..column.clone() }
        };
        Self {
            columns: other.columns.iter().map(column).collect(),
            groups: other.groups.clone(),
            unique: self.unique.iter().filter(|columns| has(columns)).cloned().collect(),
            foreign_keys: self
                .foreign_keys
                .iter()
                .filter(|key| has(&key.columns))
                .cloned()
                .collect(),
            ..self.clone()
        }
    }
}

/// Whether two type names may mean the same type. A name is qualified where the search path does not
/// lead to the type, which may be so at one time and not at another.
pub(super) fn same_type(one: &str, other: &str) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|schema| schema.ends_with('.'))
    };
    one == other || ends(one, other) || ends(other, one)
}

impl Schema {
    /// The table with this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The tables, each after those that it refers to; as they come where references run in circles.
    #[must_use]
    pub fn parents_first(&self) -> Vec<&Table> {
        let mut waiting: Vec<_> = self.tables.iter().collect();
        let mut sorted: Vec<&Table> = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let ready = |table: &&Table| {
                table.foreign_keys.iter().all(|key| {
                    let parent = &key.references;
                    *parent == table.name || sorted.iter().any(|placed| placed.name == *parent)
                })
            };
            let next = waiting.iter().position(ready).unwrap_or(0);
            sorted.push(waiting.remove(next));
        }
        sorted
    }

    /// The tables without their references to others than these.
    #[must_use]
    pub fn closed(mut self) -> Self {
        let names: Vec<_> = self.tables.iter().map(|table| table.name.clone()).collect();
        for table in &mut self.tables {
            table.foreign_keys.retain(|key| names.contains(&key.references));
        }
        self
    }

    /// The tables that belong to a backup and are not in this one, with the reason where it is known.
    #[must_use]
    pub fn lacking(&self, profile: &Profile) -> Vec<MissingTable> {
        let lacks = |name: &&str| self.table(name).is_none();
        let with_reason = |name: &str| {
            let known = self.missing.iter().find(|missing| missing.table == name).cloned();
            known.unwrap_or_else(|| MissingTable { table: name.into(), reason: NOT_THERE.into() })
        };
        profile.table_names().filter(lacks).map(with_reason).collect()
    }

    /// That a table is missing, in words.
    #[must_use]
    pub fn without(&self, name: &str) -> String {
        match self.missing.iter().find(|missing| missing.table == name) {
            Some(missing) if missing.reason != NOT_THERE => format!("the table {missing}"),
            _ => format!("the table {name} is missing"),
        }
    }

    /// The SHA-256 of everything but where the tables are and whether triggers are switched on.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        let mut plain = self.clone();
        plain.missing.clear();
        for table in &mut plain.tables {
            table.namespace = None;
            for trigger in &mut table.triggers {
                trigger.enabled = 'O';
            }
        }
        Hash::of(&serde_json::to_vec(&plain).expect("a schema is plain data"))
    }
}
