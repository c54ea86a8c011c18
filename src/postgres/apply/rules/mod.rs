//! What the catalog says about writing these tables: how keys compare, which indexes refuse which
//! rows, and which references stand in the way of which deletion.
//!
//! Values compare by the operators of the indexes and references themselves, and not by what `=` means
//! in this session: the types may come from an extension in a schema of its own.

mod read;

use std::collections::BTreeSet;

use crate::model::Table;
use crate::postgres::sql;

/// The rules of the tables of a schema, in its order, and the references to them.
#[derive(Debug, Default)]
pub struct Rules {
    /// One for each table.
    pub tables: Vec<TableRules>,
    /// The references to these tables, of these tables and of others.
    pub references: Vec<Reference>,
}

/// The rules of one table.
#[derive(Debug, Default)]
pub struct TableRules {
    /// The operators by which the columns of the key are equal.
    pub key: Vec<String>,
    /// Unique indexes and exclusion constraints besides the key.
    pub unique: Vec<UniqueRule>,
    /// The generated columns: the name, the expression, and the columns that it reads.
    pub generated: Vec<(String, String, Vec<String>)>,
    /// The columns whose type is a domain, and the type below it.
    pub domains: Vec<(String, String)>,
}

/// No two rows may have entries that are equal in all places.
#[derive(Debug)]
pub struct UniqueRule {
    /// The expressions that make an entry, each with its operator and its collation.
    pub entry: Vec<Compared>,
    /// Which rows have an entry; empty for all.
    pub predicate: String,
    /// Whether two nulls are equal.
    pub nulls_are_equal: bool,
    /// Whether each row is checked when it is written, and not at the end.
    pub immediate: bool,
    /// The columns that the entry and the predicate depend on.
    pub reads: BTreeSet<String>,
}

/// One place of an entry.
#[derive(Debug)]
pub struct Compared {
    /// The expression over the table's columns.
    pub expression: String,
    /// The operator that holds for equal values.
    pub operator: String,
    /// `COLLATE …`, or empty.
    pub collation: String,
}

/// A reference to one of the tables.
#[derive(Debug)]
pub struct Reference {
    /// The constraint's name.
    pub name: String,
    /// The referring table, qualified where that is needed.
    pub child: String,
    /// The referring table's place in the schema, if it is one of its tables.
    pub inside: Option<usize>,
    /// The place of the table referred to.
    pub parent: usize,
    /// The referring columns, and of each the column referred to, the operator and the collation.
    pub columns: Vec<(String, String, String, String)>,
    /// Whether the check can wait until the end of the transaction.
    pub deferrable: bool,
    /// What becomes of the referring row when the other one is deleted: `pg_constraint.confdeltype`.
    pub on_delete: char,
    /// The same when the column referred to changes: `confupdtype`.
    pub on_update: char,
}

impl Reference {
    /// Whether the referring rows stay as they are while a row that they refer to is deleted and made
    /// again.
    pub fn waits_on_delete(&self) -> bool {
        self.deferrable && self.on_delete == 'a'
    }

    /// Whether the columns referred to may change before the referring rows do.
    pub fn waits_on_update(&self) -> bool {
        self.deferrable && self.on_update == 'a'
    }

    /// `c` refers to `p`.
    pub fn holds(&self, (c, p): (&str, &str)) -> String {
        let pair = |(from, to, operator, collation): &(String, String, String, String)| {
            format!("{p}.{} {operator} {c}.{}{collation}", sql::name(to), sql::name(from))
        };
        self.columns.iter().map(pair).collect::<Vec<_>>().join(" AND ")
    }
}

impl TableRules {
    /// The stored columns that these columns depend on: of generated ones, those that they read.
    fn stored<'c>(&self, columns: impl IntoIterator<Item = &'c str>) -> BTreeSet<String> {
        let mut stored = BTreeSet::new();
        for column in columns {
            match self.generated.iter().find(|(name, ..)| name == column) {
                Some((_, _, reads)) => stored.extend(reads.iter().cloned()),
                None => drop(stored.insert(column.to_owned())),
            }
        }
        stored
    }
}

impl Rules {
    /// The columns of a table that decide what its indexes say of a row; a change of no other column
    /// can collide.
    #[must_use]
    pub fn indexed(&self, table: usize) -> BTreeSet<String> {
        let rules = &self.tables[table];
        let immediate = rules.unique.iter().filter(|rule| rule.immediate);
        rules.stored(immediate.flat_map(|rule| rule.reads.iter().map(String::as_str)))
    }

    /// The columns of a table whose change no UPDATE can make: those that only the database numbers,
    /// and those by which rows refer to it now.
    #[must_use]
    pub fn remaking(&self, number: usize, table: &Table) -> BTreeSet<String> {
        let strict =
            |it: &&Reference| it.parent == number && !(it.waits_on_update() && it.inside.is_some());
        let referred = self.references.iter().filter(strict).flat_map(|it| &it.columns);
        let referred = self.tables[number].stored(referred.map(|(_, to, ..)| to.as_str()));
        let key: BTreeSet<_> = table.key_names().collect();
        let numbered = table.numbered().map(str::to_owned);
        referred
            .into_iter()
            .filter(|column| !key.contains(column.as_str()))
            .chain(numbered)
            .collect()
    }

    /// Whether a row of this table can be given a key of another text that equals its own.
    #[must_use]
    pub fn keys_can_be_written(&self, number: usize, table: &Table) -> bool {
        let to_key = |it: &Reference| {
            it.columns.iter().any(|(_, to, ..)| table.key_names().any(|key| key == to))
        };
        let mut referring = self.references.iter().filter(|it| it.parent == number && to_key(it));
        referring.all(|it| it.on_update == 'a')
    }

    /// The tables in groups, each after those that it refers to. Tables that refer to each other in a
    /// circle, and whose references cannot wait, are one group.
    #[must_use]
    pub fn parents_first(&self) -> Vec<Vec<usize>> {
        let strict =
            self.references.iter().filter(|it| !(it.waits_on_delete() && it.waits_on_update()));
        let edges: Vec<_> = strict.filter_map(|it| Some((it.inside?, it.parent))).collect();
        let reaches: Vec<_> = (0..self.tables.len()).map(|table| reached(&edges, table)).collect();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut waiting: Vec<usize> = (0..self.tables.len()).collect();
        while !waiting.is_empty() {
            let comes_before = |&&table: &&usize, other: &usize| {
                reaches[table].contains(other) && !reaches[*other].contains(&table)
            };
            let ready = |table: &&usize| !waiting.iter().any(|other| comes_before(table, other));
            let first = *waiting.iter().find(ready).expect("groups do not run in circles");
            let together = |other: &usize| {
                *other == first
                    || (reaches[first].contains(other) && reaches[*other].contains(&first))
            };
            let (group, rest) = waiting.into_iter().partition(together);
            groups.push(group);
            waiting = rest;
        }
        groups
    }

    /// Whether rows of this table refer to rows of its own group by references that cannot wait.
    #[must_use]
    pub fn refers_to_its_group(&self, group: &[usize]) -> bool {
        self.references.iter().any(|it| {
            !it.waits_on_update()
                && it.inside.is_some_and(|child| group.contains(&child))
                && group.contains(&it.parent)
        })
    }
}

/// The tables that a table refers to, by however many others.
fn reached(edges: &[(usize, usize)], from: usize) -> BTreeSet<usize> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(table) = open.pop() {
        let next =
            edges.iter().filter(|(child, parent)| *child == table && !reached.contains(parent));
        let next: Vec<_> = next.map(|(_, parent)| *parent).collect();
        reached.extend(next.iter().copied());
        open.extend(next);
    }
    reached
}
