//! What the check before the commit finds although it reads only what the restore wrote: everything else that
//! happened to the rows meanwhile.

use ipam_rewind::engine::{EngineError, RestoreOptions, VerifyResult};

use super::backup;
use crate::restore_cases::site;
use crate::support::cycle::{Cycle, words};

/// A VPC that nothing but its association refers to.
const ALONE: &str = "
    INSERT INTO vpc (vpc_id, provider, provider_vpc_id)
        VALUES ('00000000-0000-0000-0000-000000000008', 'gcp', 'vpc-alone');
    INSERT INTO vpc_prefix_association VALUES ('00000000-0000-0000-0000-000000000018',
        '00000000-0000-0000-0000-000000000008', '10.1.3.0/24', true, 'north')";

/// The restore must find that the rows are not those of the backup, whichever way it reads them.
async fn finds(cycle: &Cycle, id: &ipam_rewind::model::BackupId) {
    for verify_result in [VerifyResult::Changed, VerifyResult::Full] {
        let options = RestoreOptions { verify_result, ..RestoreOptions::default() };
        let error = cycle.refuses(id, &options).await;
        assert!(
            matches!(error, EngineError::ProofFailed(_)),
            "{verify_result:?}: {}",
            words(&error)
        );
    }
}

/// A plan in which a row that the restore writes sets off this statement, by way of a function of a CHECK, as a
/// wrong statement of the restore itself would.
async fn sets_off(statement: &str) {
    let cycle = site(ALONE).await;
    let id = backup(&cycle).await.backup_id;
    cycle
        .sql(
            "UPDATE vrf SET description = 'changed' WHERE vrf_id = 'lab';
        UPDATE device42_ipaddress SET notes = 'changed' WHERE label = 'mail'",
        )
        .await;
    let function = format!(
        "CREATE FUNCTION meddle(description text) RETURNS bool LANGUAGE plpgsql AS $$
         BEGIN
             IF description = 'Laboratory' AND current_setting('application_name') = 'ipam-rewind' THEN
                 {statement};
             END IF;
             RETURN true;
         END $$;
         ALTER TABLE vrf ADD CONSTRAINT meddles CHECK (meddle(description)) NOT VALID"
    );
    cycle.sql(&function).await;
    finds(&cycle, &id).await;
}

#[tokio::test]
async fn value_that_is_rewritten_is_found() {
    sets_off("UPDATE prefix SET tags = '{\"x\": 1}' WHERE prefix_id = 'six'").await;
}

#[tokio::test]
async fn row_that_is_removed_is_found() {
    sets_off("DELETE FROM device42_ipaddress WHERE label = 'web'").await;
}

#[tokio::test]
async fn row_that_is_added_is_found() {
    sets_off(
        "INSERT INTO vpc (vpc_id, provider, provider_vpc_id)
        VALUES ('00000000-0000-0000-0000-000000000009', 'gcp', 'new')",
    )
    .await;
}

#[tokio::test]
async fn row_that_takes_the_place_of_another_is_found() {
    sets_off(
        "DELETE FROM device42_ipaddress WHERE label = 'web';
        INSERT INTO device42_ipaddress (id, ip_address, label) VALUES (99, '203.0.113.1', 'web')",
    )
    .await;
}

#[tokio::test]
async fn row_that_moves_to_another_dataset_is_found() {
    sets_off("UPDATE prefix SET vrf_id = 'public-vrf' WHERE prefix_id = 'six'").await;
}

#[tokio::test]
async fn rule_that_rewrites_a_value_is_found() {
    sets_off(
        "CREATE RULE rewrites AS ON UPDATE TO device42_ipaddress
         DO ALSO UPDATE vpc SET region = 'rule' WHERE provider_vpc_id = 'vpc-north'",
    )
    .await;
}

#[tokio::test]
async fn reference_that_cascades_is_found() {
    // Its association goes with it.
    sets_off("DELETE FROM vpc WHERE provider_vpc_id = 'vpc-alone'").await;
}
