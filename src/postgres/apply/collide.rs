//! Where the entries of two rows collide in a unique index, or in an exclusion constraint.

use super::rules::{Compared, UniqueRule};
use super::stage::Stage;
use crate::postgres::sql;

/// The rows of a table as an index sees them: the key, and each place of the entry as `rewind_N`.
fn entries(stage: &Stage<'_>, rule: &UniqueRule, more: &str, rows: &str, which: &str) -> String {
    let entry = rule.entry.iter().enumerate();
    let entry = entry.map(|(place, it)| format!(", ({}) AS rewind_{place}", it.expression));
    let predicate = if rule.predicate.is_empty() { "true" } else { &rule.predicate };
    format!(
        "(SELECT {}{more}{} FROM {rows} WHERE {which} AND ({predicate}))",
        sql::names(stage.table.key_names()),
        entry.collect::<String>(),
    )
}

/// The entries of staged rows that are there in the end.
fn staged(stage: &Stage<'_>, rule: &UniqueRule, more: &str, which: &str) -> String {
    let read = |name: &String| rule.reads.contains(name);
    let generated = stage
        .rules
        .generated
        .iter()
        .filter(|(name, ..)| read(name) && stage.table.column(name).is_none());
    let generated: String = generated
        .map(|(name, expression, _)| format!(", ({expression}) AS {}", sql::name(name)))
        .collect();
    let rows = if generated.is_empty() {
        stage.changes()
    } else {
        format!("(SELECT g.ctid, g.*{generated} FROM {} g) AS g", stage.changes())
    };
    entries(stage, rule, more, &rows, &format!("rewind_op <> 'd' AND {which}"))
}

/// The entries of the live rows.
fn live(stage: &Stage<'_>, rule: &UniqueRule) -> String {
    entries(stage, rule, "", &stage.live(), "true")
}

fn equal(rule: &UniqueRule, (a, b): (&str, &str)) -> String {
    let pair = |(place, it): (usize, &Compared)| {
        let (operator, collation) = (&it.operator, &it.collation);
        let equal =
            format!("{a}.rewind_{place}{collation} {operator} {b}.rewind_{place}{collation}");
        if rule.nulls_are_equal {
            format!("({equal} OR ({a}.rewind_{place} IS NULL AND {b}.rewind_{place} IS NULL))")
        } else {
            equal
        }
    };
    rule.entry.iter().enumerate().map(pair).collect::<Vec<_>>().join(" AND ")
}

/// Staged rows that get what a live row holds which changes, too: the waiting row, whether it is an
/// insert, and the change of the holder.
pub fn waiting(stage: &Stage<'_>, rule: &UniqueRule) -> String {
    let leaves = |row: &str| {
        format!("EXISTS (SELECT FROM {} l WHERE {})", stage.leaving(), stage.same_key(("l", row)))
    };
    format!(
        "SELECT w.rewind_row::text, w.rewind_new OR {}, h.ctid::text
         FROM {} w JOIN {} t ON {} JOIN {} h ON {}
         WHERE h.rewind_op IN ('u', 'k') AND NOT ({}) AND NOT {}",
        leaves("w"),
        staged(
            stage,
            rule,
            ", ctid AS rewind_row, rewind_op = 'i' AS rewind_new",
            "rewind_indexed"
        ),
        live(stage, rule),
        equal(rule, ("w", "t")),
        stage.changes(),
        stage.same_key(("h", "t")),
        stage.same_key(("w", "t")),
        leaves("h"),
    )
}

/// Whether the live row of the staged row `s` holds what another, chosen row gets.
pub fn in_the_way(stage: &Stage<'_>, rule: &UniqueRule) -> String {
    format!(
        "EXISTS (SELECT FROM {} t JOIN {} n ON {} WHERE {} AND NOT ({}))",
        live(stage, rule),
        staged(stage, rule, "", "rewind_chosen"),
        equal(rule, ("t", "n")),
        stage.same_key(("t", "s")),
        stage.same_key(("t", "n")),
    )
}
