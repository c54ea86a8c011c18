//! What two snapshots of a table have in common when its columns were altered in between.

use super::schema::same_type;
use super::{Schema, Table};

impl Table {
    /// This table with the columns alone that `other` has, too, with the same type; `None` if they have
    /// no key in common. A column of the key may have got another type that compares alike.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Self> {
        if self.key != other.key {
            return None;
        }
        let is_common = |place: &usize| {
            let column = &self.columns[*place];
            let same = |it: &&super::Column| it.name == column.name;
            let of_key = *place < self.key.len();
            let found = other.columns.iter().find(same);
            found.is_some_and(|found| of_key || same_type(&found.type_name, &column.type_name))
        };
        let kept: Vec<usize> = (0..self.columns.len()).filter(is_common).collect();
        let place = |old: &usize| kept.iter().position(|kept| kept == old);
        let group = |group: &Vec<usize>| group.iter().filter_map(place).collect::<Vec<_>>();
        let groups = self.groups.iter().map(group).filter(|group| !group.is_empty()).collect();
        let columns = kept.iter().map(|kept| self.columns[*kept].clone()).collect();
        Some(Self { columns, groups, ..self.clone() })
    }

    /// Whether rows of the one are stored as rows of the other are.
    #[must_use]
    pub fn is_stored_as(&self, other: &Self) -> bool {
        self.column_names().eq(other.column_names())
            && self.groups == other.groups
            && self.key == other.key
    }

    /// The columns that `earlier` lacks.
    #[must_use]
    pub fn added_since(&self, earlier: &Self) -> Vec<String> {
        let added = self.column_names().filter(|name| earlier.column(name).is_none());
        added.map(str::to_owned).collect()
    }

    /// What cannot be compared, one sentence each.
    fn not_in_common(&self, other: &Self) -> Vec<String> {
        let name = |column: &str| format!("{}.{column}", self.name);
        let mut found = Vec::new();
        for column in &self.columns[self.key.len()..] {
            match other.columns.iter().find(|it| it.name == column.name) {
                None => found.push(format!("{} is in the first alone", name(&column.name))),
                Some(it) if !same_type(&it.type_name, &column.type_name) => found.push(format!(
                    "{} is {} in the first, {} in the second",
                    name(&column.name),
                    column.type_name,
                    it.type_name
                )),
                Some(_) => {}
            }
        }
        let added = other.added_since(self).into_iter();
        found.extend(added.map(|column| format!("{} is in the second alone", name(&column))));
        found
    }
}

/// What two snapshots have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// The tables and columns of both.
    pub schema: Schema,
    /// What only one of them has, one sentence each.
    pub left_out: Vec<String>,
}

impl Schema {
    /// What these have in common. An error is what makes a table incomparable, one sentence each.
    ///
    /// # Errors
    /// If a table has another primary key.
    pub fn common(&self, other: &Self) -> Result<Common, Vec<String>> {
        let (mut tables, mut left_out, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for table in &self.tables {
            match other.table(&table.name) {
                None => left_out.push(format!("the table {} is in the first alone", table.name)),
                Some(found) => match table.common(found) {
                    None => faults.push(format!("the primary key of {} is another", table.name)),
                    Some(common) => {
                        left_out.extend(table.not_in_common(found));
                        tables.push(common);
                    }
                },
            }
        }
        let added = other.tables.iter().filter(|table| self.table(&table.name).is_none());
        left_out.extend(added.map(|it| format!("the table {} is in the second alone", it.name)));
        if faults.is_empty() {
            Ok(Common { schema: Schema { tables, ..self.clone() }, left_out })
        } else {
            Err(faults)
        }
    }
}
