//! Restoring a part: the selected rows come back with what they need; all others stay as they are.

use ipam_rewind::engine::{Kind, RestoreOptions, Restored, ScopeValue};
use ipam_rewind::model::{BackupId, Profile};
use ipam_rewind::postgres::Selection;

use super::{plan, site};
use crate::support::cycle::{Contents, Cycle, assert_same, changed};

fn dataset(dataset: &str) -> Selection {
    Selection { datasets: vec![dataset.into()], scope: None }
}

fn vrf(id: &str) -> Selection {
    Selection { datasets: Vec::new(), scope: Some(ScopeValue::vrf(id.into())) }
}

/// Restores a part. A restore of all of the safety backup must then undo it, and once more the
/// same part must come out the same.
async fn restore_part(cycle: &Cycle, id: &BackupId, selection: Selection) -> Restored {
    let options = RestoreOptions { selection, ..RestoreOptions::default() };
    let disturbed = cycle.contents().await;
    let restored = cycle.restore_with(id, &options).await;
    let after = cycle.contents().await;
    cycle.undo(&restored).await;
    assert_same(&cycle.contents().await, &disturbed);
    cycle.restore_with(id, &options).await;
    assert_same(&cycle.contents().await, &after);
    cycle.triggers_refuse_what_they_must().await;
    restored
}

/// The rows of `then` that are `selected`, and those of `now` that are not.
fn mixed(then: &Contents, now: &Contents, selected: &dyn Fn(&str, &[&str]) -> bool) -> Contents {
    let table = |(name, now): (&String, &String)| {
        let is = |row: &&str| selected(name, &row.split('\t').collect::<Vec<_>>());
        let mut rows: Vec<_> = then[name].lines().filter(is).collect();
        rows.extend(now.lines().filter(|row| !is(row)));
        if name != "triggers" {
            rows.sort_by_key(|row| row.split('\t').next());
        }
        let ended = rows.iter().map(|row| format!("{row}\n"));
        (name.clone(), ended.collect())
    };
    now.iter().map(table).collect()
}

/// Contents whose every line ends with a line end, to compare with those of [`mixed`].
fn as_lines(contents: &Contents) -> Contents {
    mixed(contents, contents, &|_, _| false)
}

/// The dataset of a row of a dump, told from its table and its cells.
fn dataset_of(table: &str, cells: &[&str]) -> Option<&'static str> {
    match table {
        "vrf" => Some("vrfs"),
        "prefix" if cells[1] == "public-vrf" => Some("public_ips"),
        "prefix" if cells[6] == "manual" => Some("prefixes"),
        "prefix" | "vpc" | "vpc_prefix_association" => Some("vpcs"),
        "device42_ipaddress" | "sequence device42_ipaddress_id_seq" => Some("public_ips"),
        _ => None,
    }
}

/// Changes of all kinds in each dataset, none of which needs another: nobody's parent changes.
const EVERYWHERE: &str = "
    INSERT INTO vrf (vrf_id) VALUES ('new-vrf');
    UPDATE vrf SET description = 'changed' WHERE vrf_id IN ('corp', 'lab');
    UPDATE prefix SET tags = '{\"changed\": 1}' WHERE prefix_id IN
        ('six', 'south-a', 'subnet-north', 'public-1', 'lab-a');
    DELETE FROM prefix WHERE prefix_id IN ('north-a', 'public-2', 'subnet-south');
    INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable, vpc_id) VALUES
        ('new', 'corp', '192.0.2.0/24', 'manual', true, NULL),
        ('new-public', 'public-vrf', '203.0.113.9/32', 'manual', true, NULL),
        ('new-subnet', 'lab', '192.0.2.0/24', 'vpc', true, '00000000-0000-0000-0000-000000000002');
    UPDATE vpc SET description = 'changed';
    DELETE FROM vpc_prefix_association WHERE parent_prefix_id = 'south';
    DELETE FROM device42_ipaddress WHERE label = 'mail';
    INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::', 'new')";

#[tokio::test]
async fn each_dataset_comes_back_alone() {
    for selected in Profile::builtin().dataset_names() {
        let cycle = plan().await;
        let before = cycle.contents().await;
        let id = cycle.backup().await;
        cycle.sql(EVERYWHERE).await;
        let disturbed = cycle.contents().await;
        restore_part(&cycle, &id, dataset(selected.name())).await;
        let is = |table: &str, row: &[&str]| dataset_of(table, row) == Some(selected.name());
        let wanted = mixed(&before, &disturbed, &is);
        assert_same(&as_lines(&cycle.contents().await), &wanted);
    }
}

#[tokio::test]
async fn one_vrf_comes_back_alone() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle.sql(EVERYWHERE).await;
    let disturbed = cycle.contents().await;
    restore_part(&cycle, &id, vrf("corp")).await;
    let is = |table: &str, row: &[&str]| match table {
        "vrf" => row[0] == "corp",
        "prefix" => row[1] == "corp",
        "vpc_prefix_association" => true,
        _ => false,
    };
    let wanted = mixed(&before, &disturbed, &is);
    assert_same(&as_lines(&cycle.contents().await), &wanted);
}

#[tokio::test]
async fn one_dataset_of_one_vrf_comes_back_alone() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle.sql(EVERYWHERE).await;
    let disturbed = cycle.contents().await;
    let selection = Selection {
        datasets: vec!["prefixes".into()],
        scope: Some(ScopeValue::vrf("corp".into())),
    };
    restore_part(&cycle, &id, selection).await;
    let is =
        |table: &str, row: &[&str]| dataset_of(table, row) == Some("prefixes") && row[1] == "corp";
    let wanted = mixed(&before, &disturbed, &is);
    assert_same(&as_lines(&cycle.contents().await), &wanted);
}

#[tokio::test]
async fn a_prefix_of_a_deleted_vrf_brings_back_that_vrf_and_no_other() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "UPDATE prefix SET parent_prefix_id = NULL WHERE vrf_id = 'lab';
             DELETE FROM prefix WHERE vrf_id = 'lab'; DELETE FROM vrf WHERE vrf_id = 'lab';
             UPDATE vrf SET description = 'changed' WHERE vrf_id = 'corp';
             INSERT INTO vrf (vrf_id) VALUES ('new-vrf')",
        )
        .await;
    let restored = restore_part(&cycle, &id, dataset("prefixes")).await;
    assert_eq!(changed(&restored, "prefixes"), (2, 0, 0));
    assert_eq!(changed(&restored, "vrfs"), (1, 0, 0));
    let vrfs = "SELECT string_agg(vrf_id || ':' || coalesce(description, ''), ' ' ORDER BY vrf_id)
        FROM vrf WHERE vrf_id IN ('corp', 'lab', 'new-vrf')";
    let wanted = "corp:changed lab:Laboratory new-vrf:";
    assert_eq!(cycle.database.value(vrfs).await, wanted);
}

#[tokio::test]
async fn subnets_bring_back_their_vpc_and_their_parents() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "DELETE FROM vpc_prefix_association WHERE parent_prefix_id = 'north';
             DELETE FROM prefix WHERE parent_prefix_id = 'north';
             DELETE FROM prefix WHERE prefix_id IN ('north', 'public-2');
             DELETE FROM vpc WHERE provider = 'aws'",
        )
        .await;
    let restored = restore_part(&cycle, &id, dataset("vpcs")).await;
    assert_eq!(changed(&restored, "vpcs"), (3, 0, 0));
    assert_eq!(changed(&restored, "prefixes"), (1, 0, 0), "the parent alone");
    assert_eq!(changed(&restored, "public_ips"), (0, 0, 0));
}

#[tokio::test]
async fn a_selected_row_takes_back_its_unique_value_from_another_dataset() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "DELETE FROM prefix WHERE prefix_id = 'north-a';
             INSERT INTO prefix (prefix_id, vrf_id, cidr, parent_prefix_id, source, routable, vpc_id)
                 VALUES ('squatter', 'corp', '10.1.1.0/24', 'north', 'vpc', true,
                         '00000000-0000-0000-0000-000000000001');
             UPDATE vpc SET description = 'changed'",
        )
        .await;
    let restored = restore_part(&cycle, &id, dataset("prefixes")).await;
    assert_eq!(changed(&restored, "prefixes"), (1, 0, 0));
    assert_eq!(changed(&restored, "vpcs"), (0, 0, 1), "the squatter goes");
}

#[tokio::test]
async fn a_selected_row_swapped_with_one_of_another_dataset_brings_that_along() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "ALTER TABLE prefix DISABLE TRIGGER USER;
             UPDATE prefix SET cidr = '10.99.0.0/24' WHERE prefix_id = 'north-a';
             UPDATE prefix SET cidr = '10.1.1.0/24' WHERE prefix_id = 'subnet-north';
             UPDATE prefix SET cidr = '10.1.2.0/24' WHERE prefix_id = 'north-a';
             ALTER TABLE prefix ENABLE TRIGGER USER",
        )
        .await;
    restore_part(&cycle, &id, dataset("prefixes")).await;
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn a_prefix_that_moved_comes_back_with_either_of_its_datasets() {
    for selected in ["prefixes", "vpcs"] {
        let cycle = plan().await;
        let before = cycle.contents().await;
        let id = cycle.backup().await;
        cycle
            .sql(
                "UPDATE prefix SET source = 'vpc', vpc_id = '00000000-0000-0000-0000-000000000001'
                     WHERE prefix_id = 'south';
                 UPDATE prefix SET source = 'manual', vpc_id = NULL WHERE prefix_id = 'subnet-north'",
            )
            .await;
        restore_part(&cycle, &id, dataset(selected)).await;
        assert_same(&cycle.contents().await, &before);
    }
}

#[tokio::test]
async fn a_prefix_that_moved_to_another_vrf_comes_back_with_either() {
    for selected in ["corp", "lab"] {
        let cycle = plan().await;
        let before = cycle.contents().await;
        let id = cycle.backup().await;
        cycle.sql("UPDATE prefix SET vrf_id = 'lab' WHERE prefix_id = 'six'").await;
        restore_part(&cycle, &id, vrf(selected)).await;
        assert_same(&cycle.contents().await, &before);
    }
}

#[tokio::test]
async fn a_vrf_that_came_later_goes_with_the_prefixes_in_it() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "INSERT INTO vrf (vrf_id) VALUES ('new-vrf');
             INSERT INTO prefix (prefix_id, vrf_id, cidr, parent_prefix_id, source, routable) VALUES
                 ('new', 'new-vrf', '10.0.0.0/8', NULL, 'manual', true),
                 ('new-a', 'new-vrf', '10.1.0.0/16', 'new', 'manual', true),
                 ('stays', 'lab', '192.0.2.0/24', NULL, 'manual', true);
             UPDATE prefix SET vrf_id = 'new-vrf' WHERE prefix_id = 'six'",
        )
        .await;
    let restored = restore_part(&cycle, &id, dataset("vrfs")).await;
    assert_eq!(changed(&restored, "vrfs"), (0, 0, 1));
    assert_eq!(changed(&restored, "prefixes"), (0, 1, 2));
    let left = "SELECT string_agg(prefix_id || ':' || vrf_id, ' ' ORDER BY prefix_id) FROM prefix
        WHERE prefix_id IN ('stays', 'six')";
    assert_eq!(cycle.database.value(left).await, "six:corp stays:lab");
}

#[tokio::test]
async fn a_vpc_that_came_later_goes_with_what_refers_to_it() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "INSERT INTO vpc (vpc_id, provider, provider_vpc_id)
                 VALUES ('00000000-0000-0000-0000-000000000003', 'gcp', 'new');
             UPDATE prefix SET vpc_id = '00000000-0000-0000-0000-000000000003'
                 WHERE prefix_id = 'public-2';
             UPDATE vpc_prefix_association SET vpc_id = '00000000-0000-0000-0000-000000000003'",
        )
        .await;
    restore_part(&cycle, &id, dataset("vpcs")).await;
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn a_selection_that_nothing_meets_changes_nothing() {
    let cycle = site("INSERT INTO vrf (vrf_id) VALUES ('''; DROP TABLE prefix; --{}')").await;
    let id = cycle.backup().await;
    cycle.sql(EVERYWHERE).await;
    let disturbed = cycle.contents().await;
    let restored = restore_part(&cycle, &id, vrf("'; DROP TABLE prefix; --{}")).await;
    assert_same(&cycle.contents().await, &disturbed);
    for dataset in Profile::builtin().dataset_names() {
        assert_eq!(changed(&restored, dataset.name()), (0, 0, 0));
    }
}

#[tokio::test]
async fn a_prefix_that_moves_back_leaves_its_changed_children_as_they_are() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "ALTER TABLE prefix DISABLE TRIGGER USER;
             UPDATE prefix SET source = 'vpc', vpc_id = '00000000-0000-0000-0000-000000000001'
                 WHERE prefix_id = 'north';
             ALTER TABLE prefix ENABLE TRIGGER USER;
             UPDATE prefix SET tags = '{\"changed\": 1}' WHERE prefix_id = 'subnet-north';
             UPDATE vpc_prefix_association SET routable = NOT routable WHERE parent_prefix_id = 'north'",
        )
        .await;
    let restored = restore_part(&cycle, &id, dataset("prefixes")).await;
    assert_eq!(changed(&restored, "prefixes").0, 1, "{restored:?}");
    let stays = "SELECT tags::text FROM prefix WHERE prefix_id = 'subnet-north'";
    assert_eq!(cycle.database.value(stays).await, "{\"changed\": 1}");
    let Some(vpcs) = restored.restore_results.datasets.get("vpcs") else { panic!("counted") };
    assert_eq!((vpcs.inserted, vpcs.updated), (0, 0), "{restored:?}");
}

#[tokio::test]
async fn a_vrf_that_nobody_has_is_refused_before_anything_is_done() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql("DELETE FROM vpc_prefix_association; INSERT INTO vrf (vrf_id) VALUES ('new')").await;
    let options = |name| RestoreOptions { selection: vrf(name), ..RestoreOptions::default() };
    let error = cycle.refuses(&id, &options("nosuch")).await;
    assert_eq!(error.kind(), Kind::MalformedRequest);
    assert_eq!(cycle.backups().await, 1, "no safety backup for nothing");
    for known in ["new", "lab"] {
        cycle.restore_with(&id, &options(known)).await;
    }
}
