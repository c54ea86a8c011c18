//! Types whose values get another text although no row is written. Only a superuser alters these.

use crate::incremental::{backup, reads, reads_whole};
use crate::restore_cases::plan;

#[tokio::test]
async fn type_whose_output_function_is_replaced_makes_its_table_read_as_a_whole() {
    let cycle = plan().await;
    let shown_as = |function: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION shown_out(shown) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT
             AS '{function}'"
        )
    };
    let text = shown_as("textout");
    cycle
        .database
        .sql_as_superuser(&format!(
            "CREATE TYPE shown;
             CREATE FUNCTION shown_in(cstring) RETURNS shown LANGUAGE internal IMMUTABLE STRICT AS 'textin';
             {text}; CREATE TYPE shown (INPUT = shown_in, OUTPUT = shown_out, LIKE = text);
             ALTER TABLE vrf ADD note shown[]; UPDATE vrf SET note = '{{abc}}'"
        ))
        .await;
    let before = backup(&cycle).await;
    reads(&cycle, 0).await;
    cycle.database.sql_as_superuser(&shown_as("byteaout")).await;
    let after = reads_whole(&cycle, "vrf", "its columns or their types").await;
    assert_ne!(before.part("vrfs"), after.part("vrfs"));
}

#[tokio::test]
async fn update_of_an_extension_makes_tables_with_its_types_read_as_a_whole() {
    let cycle = plan().await;
    cycle
        .database
        .sql_as_superuser(
            "CREATE EXTENSION hstore VERSION '1.4'; ALTER TABLE vrf ADD pairs hstore DEFAULT 'a => 1'",
        )
        .await;
    backup(&cycle).await;
    reads(&cycle, 0).await;
    cycle.database.sql_as_superuser("ALTER EXTENSION hstore UPDATE TO '1.5'").await;
    reads_whole(&cycle, "vrf", "its columns or their types").await;
    reads(&cycle, 0).await;
}
