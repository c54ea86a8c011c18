//! What a backup does not cover: parts of which its source has no rows. They are neither empty nor missing
//! from the database, so that a restore leaves them alone and a comparison says nothing of them.

use super::{Dataset, Manifest, MissingTable, Profile, Schema};

/// Why rows are not in a backup whose source does not have them.
pub const NOT_COVERED: &str = "not covered";

impl Profile {
    /// Whether all parts of this table are among these.
    fn all_of_table(&self, table: &str, parts: &[String]) -> bool {
        self.parts_of(table).all(|part| parts.contains(&part.name))
    }
}

impl Schema {
    /// The tables that have rows in a part other than these. The others are missing.
    #[must_use]
    pub fn covered(mut self, profile: &Profile, not_covered: &[String]) -> Self {
        let left_out = |table: &str| profile.all_of_table(table, not_covered);
        self.tables.retain(|table| !left_out(&table.name));
        self.missing.retain(|missing| !left_out(&missing.table));
        let missing = profile.table_names().filter(|table| left_out(table));
        self.missing.extend(
            missing.map(|table| MissingTable { table: table.into(), reason: NOT_COVERED.into() }),
        );
        self
    }

    /// The tables that belong to a backup and are not in this one, and of its own tables the parts that are
    /// not covered.
    #[must_use]
    pub fn lacking_or_not_covered(
        &self,
        profile: &Profile,
        not_covered: &[String],
    ) -> Vec<MissingTable> {
        let parts = not_covered.iter().filter_map(|name| profile.part(name));
        let parts = parts.filter(|part| self.table(&part.table).is_some()).map(|part| {
            let table = format!("{} ({})", part.table, part.name);
            MissingTable { table, reason: NOT_COVERED.into() }
        });
        self.lacking(profile).into_iter().chain(parts).collect()
    }
}

impl Manifest {
    /// The tables, and parts of tables, that belong to a backup and are not in this one.
    #[must_use]
    pub fn lacking(&self) -> Vec<MissingTable> {
        self.schema.lacking_or_not_covered(self.profile(), &self.not_covered)
    }

    /// Whether this part is covered.
    #[must_use]
    pub fn covers(&self, part: &str) -> bool {
        !self.not_covered.iter().any(|name| name == part)
    }

    /// Whether a part of this dataset is covered.
    #[must_use]
    pub fn covers_dataset(&self, dataset: &Dataset) -> bool {
        self.profile().parts_of_dataset(dataset).iter().any(|part| self.covers(&part.name))
    }

    /// Whether of each table either all parts are covered or none.
    #[must_use]
    pub fn covers_whole_tables(&self) -> bool {
        self.schema.tables.iter().all(|table| !self.is_silent_on(&table.name))
    }

    /// Whether any part of this table is not covered.
    #[must_use]
    pub fn is_silent_on(&self, table: &str) -> bool {
        self.profile().parts_of(table).any(|part| !self.covers(&part.name))
    }

    /// What is not covered is named once, and of a table of which nothing is covered there is nothing.
    pub(super) fn check_coverage(&self) -> Result<(), String> {
        for (place, name) in self.not_covered.iter().enumerate() {
            let Some(part) = self.profile().part(name) else {
                return Err(format!("it does not cover {name:?}, which is no part"));
            };
            if self.not_covered[..place].contains(name) {
                return Err(format!("it does not cover {name}, twice"));
            }
            let all = self.profile().all_of_table(&part.table, &self.not_covered);
            if all && self.schema.table(&part.table).is_some() {
                return Err(format!("it has the table {}, which it does not cover", part.table));
            }
        }
        if self.profile().parts.iter().all(|part| !self.covers(&part.name)) {
            return Err("it covers nothing".into());
        }
        Ok(())
    }
}
