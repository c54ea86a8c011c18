//! Rows that stay although the staged changes come from a backup that does not have them.

use super::Apply;
use super::stage::Stage;
use crate::model::Profile;
use crate::postgres::error::DatabaseError;
use crate::postgres::sql;

const CANNOT: &str = "select the rows that stay";

impl Apply<'_> {
    /// Drops every staged deletion, but of rows that move from one part to another: what is left adds and
    /// updates rows.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn keep_rows(&mut self) -> Result<(), DatabaseError> {
        for stage in self.stages() {
            let keep = format!(
                "DELETE FROM {0} d WHERE d.rewind_op = 'd'
                 AND NOT EXISTS (SELECT FROM {0} n WHERE n.rewind_op <> 'd' AND {1})",
                stage.changes(),
                stage.same_key(("d", "n"))
            );
            self.run(CANNOT, keep).await?;
        }
        Ok(())
    }

    /// Stages that new rows leave those of these parts which hold them now: parts that were not compared.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn stage_moves(
        &mut self,
        profile: &Profile,
        parts: &[String],
    ) -> Result<(), DatabaseError> {
        for stage in self.stages() {
            if let Some(moves) = moves(profile, &stage, parts) {
                self.run(CANNOT, moves).await?;
            }
        }
        Ok(())
    }
}

fn moves(profile: &Profile, stage: &Stage<'_>, parts: &[String]) -> Option<String> {
    let left = profile.parts_of(&stage.table.name).filter(|part| parts.contains(&part.name));
    let cases: String = left
        .map(|part| format!(" WHEN ({}) THEN {}", part.condition, sql::literal(&part.name)))
        .collect();
    let key = sql::names(stage.table.key_names());
    (!cases.is_empty()).then(|| {
        format!(
            "INSERT INTO {0} (rewind_op, rewind_part, rewind_indexed, {key})
             SELECT 'd', t.rewind_left, false, {1}
             FROM (SELECT {key}, CASE{cases} END AS rewind_left FROM {2}) t JOIN {0} s ON {3}
             WHERE s.rewind_op = 'i' AND t.rewind_left IS NOT NULL",
            stage.changes(),
            stage.key_of("t"),
            stage.live(),
            stage.same_key(("t", "s")),
        )
    })
}
