//! Whether a profile makes sense, wherever it comes from: its names stand in paths and in SQL, its labels on
//! terminals.

use super::{Belongs, Profile};
use crate::model::is_hidden;

impl Profile {
    /// Whether everything it names is there, once.
    pub(super) fn check(&self) -> Result<(), String> {
        once("table", self.table_names().chain(self.records.iter().map(|it| &*it.table)))?;
        let records = self.records.iter().map(|it| it.name.as_str());
        once("dataset", self.datasets.iter().map(|it| it.name.name()).chain(records.clone()))?;
        once("part", self.parts.iter().map(|part| part.name.as_str()).chain(records))?;
        let files = self.records.iter().map(|it| it.file.as_str());
        once("file", self.datasets.iter().map(|it| it.file.as_str()).chain(files))?;
        self.check_labels()?;
        once("scope", self.scopes.iter().map(|scope| scope.name.as_str()))?;
        for part in &self.parts {
            self.knows_table(&part.table)?;
            self.dataset(part.dataset.name()).map_err(|error| error.to_string())?;
            for referred in part.beside.iter().filter_map(|beside| beside.of.as_ref()) {
                self.part(&referred.part).ok_or_else(|| unknown("part", &referred.part))?;
            }
        }
        for table in self.table_names() {
            if self.parts_of(table).next().is_none() {
                return Err(format!("the table {table} has no part"));
            }
        }
        for scope in &self.scopes {
            self.knows_table(&scope.table)?;
            for rows in &scope.rows {
                self.knows_table(&rows.table)?;
                let Some(within) = &rows.within else { continue };
                let direct = |it: &&Belongs| it.table == within.table && it.within.is_none();
                scope.rows.iter().find(direct).ok_or_else(|| {
                    format!("the rows of {} belong to no {}", within.table, scope.name)
                })?;
            }
        }
        self.tree.iter().try_for_each(|tree| self.knows_table(&tree.table))
    }

    fn knows_table(&self, name: &str) -> Result<(), String> {
        if self.has_table(name) { Ok(()) } else { Err(unknown("table", name)) }
    }

    /// Labels are shown to people.
    fn check_labels(&self) -> Result<(), String> {
        let datasets = self.datasets.iter().map(|it| &it.label);
        let scopes = self.scopes.iter().flat_map(|it| [&it.label, &it.example]);
        let tables = self.tables.iter().map(|it| &it.example);
        let records = self.records.iter().map(|it| &it.label);
        let mut all = datasets.chain(scopes).chain(tables).chain(records).chain([&self.name]);
        match all.find(|label| label.chars().any(is_hidden)) {
            Some(label) => Err(format!("{label:?} has control characters")),
            None => Ok(()),
        }
    }
}

fn unknown(what: &str, name: &str) -> String {
    format!("it has no {what} {name:?}")
}

/// Refuses a name that stands there twice, or that is no plain word: names stand in paths and in SQL.
fn once<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Result<(), String> {
    let mut seen = Vec::new();
    for name in names {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
            return Err(format!("{name:?} is no name of a {what}"));
        }
        if seen.contains(&name) {
            return Err(format!("the {what} {name} is there twice"));
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_that_contradicts_itself_is_refused() {
        type Case = (&'static str, fn(&mut Profile));
        let cases: [Case; 13] = [
            ("a table twice", |p| p.tables.push(p.tables[0].clone())),
            ("a table that is a path", |p| p.tables[0].name = "../vrf".into()),
            ("a table without a part", |p| drop(p.parts.remove(0))),
            ("a part of no table", |p| drop(p.tables.remove(0))),
            ("a part of no dataset", |p| drop(p.datasets.remove(0))),
            ("a part twice", |p| p.parts.push(p.parts[0].clone())),
            ("a dataset twice", |p| p.datasets.push(p.datasets[0].clone())),
            ("records that are a dataset", |p| {
                p.records.as_mut().expect("there").name = "vrfs".into();
            }),
            ("a file elsewhere", |p| p.datasets[0].file = "../../vrfs".into()),
            ("a file twice", |p| p.records.as_mut().expect("there").file = "vrfs".into()),
            ("a label that commands a terminal", |p| p.scopes[0].label = "VRF\u{1b}[2J".into()),
            ("a scope over no table", |p| p.scopes[0].rows[0].table = "users".into()),
            ("a tree of no table", |p| p.tree.as_mut().expect("there").table = "users".into()),
        ];
        for (what, change) in cases {
            let mut profile = Profile::clone(Profile::builtin());
            change(&mut profile);
            assert!(profile.check().is_err(), "{what}");
        }
        assert!(Profile::from_toml("name = 'x'\nvolatile_colums = []").is_err());
    }
}
