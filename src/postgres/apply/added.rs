//! Columns that the staged rows do not have, since they were added after the backup: a live row that is
//! deleted and made anew keeps what stands in them.

use super::Apply;
use super::stage::Stage;
use crate::postgres::error::DatabaseError;
use crate::postgres::sql;

impl<'a> Apply<'a> {
    /// Puts the values of rows that go aside; those of rows that do not come back are of no use.
    pub(super) async fn keep_added(&mut self) -> Result<(), DatabaseError> {
        for (stage, added) in self.with_added() {
            let keep = format!(
                "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS
                 SELECT {}, {} FROM {} t JOIN {} d ON {}",
                kept(&stage),
                stage.key_of("t"),
                sql::names_of("t", added.iter().map(String::as_str)),
                stage.live(),
                stage.leaving(),
                stage.same_key(("t", "d"))
            );
            self.run("keep the columns that were added", keep).await?;
        }
        Ok(())
    }

    /// Brings the values back to the rows that were made anew.
    pub(super) async fn bring_added_back(&mut self) -> Result<(), DatabaseError> {
        for (stage, added) in self.with_added() {
            let column = |name: &String| format!("{0} = k.{0}", sql::name(name));
            let back = format!(
                "UPDATE {} t SET {} FROM {} k WHERE {}",
                stage.live(),
                added.iter().map(column).collect::<Vec<_>>().join(", "),
                kept(&stage),
                stage.same_key(("t", "k"))
            );
            self.run("bring the columns that were added back", back).await?;
        }
        Ok(())
    }

    fn with_added(&self) -> Vec<(Stage<'a>, &'a Vec<String>)> {
        let Some(added) = self.added else { return Vec::new() };
        let stages = self.stages().into_iter();
        stages.filter_map(|stage| Some((stage, added.get(&stage.table.name)?))).collect()
    }
}

fn kept(stage: &Stage<'_>) -> String {
    format!("pg_temp.rewind_kept_{}", stage.number)
}
