//! Rows that came back under other keys, chains of parents, and rows that went with others.

use super::plan;
use crate::support::cycle::changed;

#[tokio::test]
async fn a_prefix_created_again_under_another_id_gets_its_old_id_back() {
    let cycle = plan().await;
    let disturbance = "DELETE FROM prefix WHERE prefix_id = 'six';
        INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
            VALUES ('six-again', 'corp', 'fd00::/32', 'manual', false)";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "prefixes"), (1, 0, 1));
}

#[tokio::test]
async fn a_prefix_created_again_takes_back_its_children_and_associations() {
    let cycle = plan().await;
    let disturbance = "
        UPDATE prefix SET parent_prefix_id = 'root' WHERE parent_prefix_id = 'north';
        UPDATE vpc_prefix_association SET parent_prefix_id = 'root' WHERE parent_prefix_id = 'north';
        DELETE FROM prefix WHERE prefix_id = 'north';
        INSERT INTO prefix (prefix_id, vrf_id, cidr, parent_prefix_id, source, routable)
            VALUES ('north-again', 'corp', '10.1.0.0/16', 'root', 'manual', true);
        UPDATE prefix SET parent_prefix_id = 'north-again'
            WHERE prefix_id IN ('north-a', 'subnet-north');
        UPDATE vpc_prefix_association SET parent_prefix_id = 'north-again'
            WHERE vpc_prefix_cidr = '10.1.2.0/24'";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "prefixes"), (1, 1, 1));
    assert_eq!(changed(&restored, "vpcs"), (0, 2, 0));
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn a_root_created_again_takes_back_the_whole_tree_that_stayed_where_it_was() {
    let cycle = plan().await;
    // Only the id of the root and what refers to it directly differ afterwards.
    let disturbance = "ALTER TABLE prefix DISABLE TRIGGER USER;
        UPDATE prefix SET cidr = '11.0.0.0/8' WHERE prefix_id = 'root';
        INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
            VALUES ('root-again', 'corp', '10.0.0.0/8', 'manual', true);
        UPDATE prefix SET parent_prefix_id = 'root-again' WHERE parent_prefix_id = 'root';
        DELETE FROM prefix WHERE prefix_id = 'root';
        ALTER TABLE prefix ENABLE TRIGGER USER";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "prefixes"), (1, 2, 1));
}

#[tokio::test]
async fn a_chain_of_parents_turned_upside_down_stands_again() {
    let cycle = plan().await;
    let disturbance = "ALTER TABLE prefix DISABLE TRIGGER USER;
        UPDATE prefix SET parent_prefix_id = NULL WHERE prefix_id = 'root';
        UPDATE prefix SET parent_prefix_id = 'north-a', indentation_level = 1
            WHERE prefix_id = 'north';
        UPDATE prefix SET parent_prefix_id = 'north', indentation_level = 2
            WHERE prefix_id = 'root';
        UPDATE prefix SET parent_prefix_id = NULL, indentation_level = 0
            WHERE prefix_id = 'north-a';
        ALTER TABLE prefix ENABLE TRIGGER USER";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "prefixes"), (0, 3, 0));
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn a_vpc_deleted_with_its_associations_and_subnets_comes_back_with_them() {
    let cycle = plan().await;
    let disturbance = "DELETE FROM prefix WHERE vpc_id = '00000000-0000-0000-0000-000000000001';
        DELETE FROM vpc WHERE vpc_id = '00000000-0000-0000-0000-000000000001'";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "vpcs"), (3, 0, 0));
    assert_eq!(changed(&restored, "public_ips"), (1, 0, 0));
}

#[tokio::test]
async fn a_vpc_created_again_under_another_id_gives_way_to_the_old_one() {
    let cycle = plan().await;
    let disturbance = "
        UPDATE prefix SET source = 'manual', vpc_id = NULL WHERE source = 'vpc';
        DELETE FROM vpc;
        INSERT INTO vpc (vpc_id, provider, provider_account_id, provider_vpc_id) VALUES
            ('00000000-0000-0000-0000-000000000003', 'aws', '111', 'vpc-north');
        UPDATE prefix SET source = 'vpc', vpc_id = '00000000-0000-0000-0000-000000000003'
            WHERE prefix_id IN ('subnet-north', 'public-2');
        INSERT INTO vpc_prefix_association VALUES
            ('00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-000000000003',
             '10.1.2.0/24', true, 'north')";
    cycle.survives(disturbance).await;
}

#[tokio::test]
async fn a_prefix_that_moved_to_a_vpc_is_updated_in_its_place() {
    let cycle = plan().await;
    let disturbance = "UPDATE prefix SET source = 'vpc',
        vpc_id = '00000000-0000-0000-0000-000000000001' WHERE prefix_id = 'north'";
    moves_back_alone(&cycle, disturbance).await;
}

#[tokio::test]
async fn a_prefix_that_moved_to_the_public_vrf_is_updated_in_its_place() {
    let cycle = plan().await;
    let disturbance = "UPDATE prefix SET vrf_id = 'public-vrf' WHERE prefix_id = 'north'";
    moves_back_alone(&cycle, disturbance).await;
}

/// Deleting and creating it again would have to write the rows that refer to it, too.
async fn moves_back_alone(cycle: &crate::support::cycle::Cycle, disturbance: &str) {
    let others = "SELECT (SELECT string_agg(ctid::text || xmin, ' ' ORDER BY prefix_id)
             FROM prefix WHERE prefix_id <> 'north')
         || (SELECT string_agg(ctid::text || xmin, ' ') FROM vpc_prefix_association)";
    let before = cycle.database.value(others).await;
    cycle.survives(disturbance).await;
    assert_eq!(cycle.database.value(others).await, before);
}

#[tokio::test]
async fn a_vrf_renamed_with_all_that_is_in_it_gets_its_name_back() {
    let cycle = plan().await;
    let disturbance = "ALTER TABLE prefix DISABLE TRIGGER USER;
        INSERT INTO vrf (vrf_id, description) VALUES ('corporate', 'Corporate');
        UPDATE prefix SET vrf_id = 'corporate' WHERE vrf_id = 'corp';
        DELETE FROM vrf WHERE vrf_id = 'corp';
        ALTER TABLE prefix ENABLE TRIGGER USER";
    let restored = cycle.survives(disturbance).await;
    assert_eq!(changed(&restored, "vrfs"), (1, 0, 1));
}
