//! Whether a part's condition depends on the row alone, so that a row which was not written stays in its part.

use super::Part;
use crate::model::Table;

/// Words of a condition that are no columns.
const KEYWORDS: [&str; 9] = ["and", "or", "not", "is", "null", "in", "between", "true", "false"];

impl Part {
    /// Returns whether its condition is made of columns of the table, literals and comparisons alone. What else
    /// SQL has (a function, a subquery, a cast, the current time or role) may depend on more than the row.
    #[must_use]
    pub fn depends_on_row_alone(&self, table: &Table) -> bool {
        let mut rest = self.condition.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '\'' => literal(rest),
                '=' | '<' | '>' | '!' | '(' | ')' | ',' => Some(1),
                '0'..='9' => Some(word(rest)),
                'a'..='z' | 'A'..='Z' | '_' => known(rest, table),
                _ => None,
            };
            let Some(length) = length else { return false };
            rest = rest[length..].trim_start();
        }
        true
    }
}

/// The length of the string that begins here.
fn literal(text: &str) -> Option<usize> {
    let end = text[1..].find(['\'', '\\'])? + 1;
    text[end..].starts_with('\'').then_some(end + 1)
}

/// The length of the word that begins here.
fn word(text: &str) -> usize {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
    text.find(ends).unwrap_or(text.len())
}

/// The length of the keyword or column that begins here, if it is one.
fn known(text: &str, table: &Table) -> Option<usize> {
    let length = word(text);
    let name = text[..length].to_ascii_lowercase();
    // A function or the prefix of a literal looks like a column.
    let alone = !text[length..].trim_start().starts_with('(') && !text[length..].starts_with('\'');
    let is_known = KEYWORDS.contains(&name.as_str()) || (alone && table.column(&name).is_some());
    is_known.then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Column, Profile};

    fn table(columns: &[&str]) -> Table {
        let column = |name: &&str| Column {
            name: (*name).into(),
            type_name: "text".into(),
            position: 1,
            identity: None,
            generated: false,
        };
        Table {
            name: "prefix".into(),
            namespace: None,
            columns: columns.iter().map(column).collect(),
            key: vec![],
            groups: vec![],
            unique: vec![],
            loose_unique: false,
            foreign_keys: vec![],
            triggers: vec![],
            sequences: vec![],
        }
    }

    fn alone(condition: &str) -> bool {
        let part = Profile::builtin().part("prefixes").expect("there is one");
        let part = Part { condition: condition.into(), ..Part::clone(part) };
        part.depends_on_row_alone(&table(&["source", "vrf_id", "routable", "level"]))
    }

    #[test]
    fn conditions_of_the_builtin_profile_depend_on_the_row_alone() {
        for part in Profile::builtin().parts_of("prefix") {
            assert!(part.depends_on_row_alone(&table(&["source", "vrf_id"])), "{}", part.condition);
        }
    }

    #[test]
    fn comparisons_of_columns_and_literals_depend_on_the_row_alone() {
        for condition in [
            "true",
            "routable",
            "NOT routable AND (level BETWEEN 1 AND 20.5 OR vrf_id IS NULL)",
            "source IN ('manual', 'it''s') AND vrf_id != source",
        ] {
            assert!(alone(condition), "{condition}");
        }
    }

    #[test]
    fn everything_else_may_depend_on_more() {
        for condition in [
            "created_at > level",
            "vrf_id IN (SELECT vrf_id FROM vrf)",
            "lower(source) = 'manual'",
            "source (1)",
            "level = current_date",
            "source = current_user",
            "source = 'a'::text",
            "source = date 'today'",
            "source = E'\\'' OR random() > '0'",
            "\"source\" = 'a'",
            "source ~ 'a'",
            "level + 1 = 2",
            "source = 'a' -- no",
            "source = $$a$$",
            "source = 'open",
        ] {
            assert!(!alone(condition), "{condition}");
        }
    }
}
