//! Whether a manifest from outside can be what a backup's manifest is. Nothing that reads a manifest
//! of the store asks this: what this program wrote, and its checksum proves unchanged, is sound.

use super::{FORMAT_VERSION, Manifest, PARTS, Part, Schema, Table};

impl Manifest {
    /// Checks everything that readers rely on, but for what the rows themselves prove.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.format != FORMAT_VERSION {
            let format = self.format;
            return Err(format!("it has format {format}, this program knows {FORMAT_VERSION}"));
        }
        refuse_control_characters(self)?;
        self.schema.check()?;
        let expected = PARTS.iter().filter(|part| self.schema.table(part.table).is_some());
        let expected = expected.map(|part| (part.name, part.dataset, part.table));
        let parts = self.parts.iter();
        let named = parts.map(|part| (part.name.as_str(), part.dataset, part.table.as_str()));
        if expected.eq(named) {
            Ok(())
        } else {
            Err("its parts are not those of its tables".into())
        }
    }
}

/// Names and versions are shown to people; only a description may hold anything.
fn refuse_control_characters(manifest: &Manifest) -> Result<(), String> {
    let mut value = serde_json::to_value(manifest).expect("a manifest is plain data");
    value["description"] = serde_json::Value::Null;
    // In JSON a control character is an escape of a letter that no other escape has.
    let text = value.to_string();
    let escapes = ["\\u00", "\\b", "\\f", "\\n", "\\r", "\\t"];
    let text = text.replace("\\\\", "");
    let found =
        escapes.iter().any(|escape| text.contains(escape)) || text.chars().any(char::is_control);
    if found { Err("a name in it has control characters".into()) } else { Ok(()) }
}

impl Schema {
    fn check(&self) -> Result<(), String> {
        let known = Part::tables();
        for (place, table) in self.tables.iter().enumerate() {
            let again = self.tables[..place].iter().any(|other| other.name == table.name);
            if again || !known.contains(&table.name.as_str()) {
                return Err(format!("a table {:?} does not belong into it", table.name));
            }
            table.check().map_err(|why| format!("the table {}: {why}", table.name))?;
        }
        let lacks = |part: &&Part| !part.optional && self.table(part.table).is_none();
        match PARTS.iter().find(lacks) {
            Some(part) => Err(format!("the table {} is missing", part.table)),
            None => Ok(()),
        }
    }
}

impl Table {
    fn check(&self) -> Result<(), &'static str> {
        let names: Vec<_> = self.column_names().collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != names.len() {
            return Err("two columns have the same name");
        }
        if self.key.is_empty() || !names.iter().copied().take(self.key.len()).eq(self.key_names()) {
            return Err("its key is not its first columns");
        }
        let mut grouped: Vec<_> = self.groups.iter().flatten().copied().collect();
        grouped.sort_unstable();
        let key_first = self
            .groups
            .first()
            .is_some_and(|first| (0..self.key.len()).all(|column| first.contains(&column)));
        let filled = self.groups.iter().all(|group| !group.is_empty());
        if key_first && filled && grouped.into_iter().eq(0..names.len()) {
            Ok(())
        } else {
            Err("its groups do not hold each column once, the key first")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest that this program wrote.
    fn sound() -> Manifest {
        let text = include_str!("../../tests/fixtures/golden/store/20250920_143022/manifest.json");
        serde_json::from_str(text).expect("a manifest")
    }

    #[test]
    fn what_this_program_writes_is_sound() {
        sound().check().expect("sound");
    }

    #[test]
    fn what_no_backup_has_is_refused() {
        type Case = (&'static str, fn(&mut Manifest));
        let cases: [Case; 10] = [
            ("another format", |m| m.format = 9),
            ("a part too few", |m| drop(m.parts.pop())),
            ("parts in another order", |m| m.parts.swap(0, 1)),
            ("a table twice", |m| m.schema.tables.push(m.schema.tables[0].clone())),
            ("a table of its own", |m| m.schema.tables[0].name = "users".into()),
            ("no key", |m| m.schema.tables[0].key.clear()),
            ("a column in no group", |m| {
                m.schema.tables[0].groups[0].pop();
            }),
            ("a group of nothing", |m| m.schema.tables[0].groups.push(vec![])),
            ("a column twice", |m| {
                m.schema.tables[0].columns[1].name = m.schema.tables[0].columns[2].name.clone();
            }),
            ("a terminal's commands", |m| m.snapshot.server_version = "15\u{1b}[2J".into()),
        ];
        for (what, change) in cases {
            let mut manifest = sound();
            change(&mut manifest);
            assert!(manifest.check().is_err(), "{what}");
        }
    }

    #[test]
    fn a_backslash_is_no_control_character() {
        let mut manifest = sound();
        manifest.created_by = r"DOMAIN\name".into();
        manifest.check().expect("sound");
    }
}
