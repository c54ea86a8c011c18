//! The dataset files as other tools read them.

use ipam_rewind::engine::Run;
use ipam_rewind::model::{BackupId, Profile};
use serde_json::Value;

use super::exact::whole;
use crate::support::cycle::Cycle;
use crate::support::sample_database;

async fn file(cycle: &Cycle, id: &BackupId, dataset: &str) -> Value {
    let exported = cycle.engine.export_dataset(id, dataset, &Run::new()).await.expect("exported");
    let profile = Profile::builtin();
    let name = profile.file_name(&dataset.into(), id);
    assert_eq!(Some(&exported.name), name.as_ref());
    serde_json::from_slice(&whole(exported).await).expect("a JSON document")
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn each_file_says_what_it_is_and_counts_its_rows() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let timestamp =
        cycle.engine.details(&id, std::time::Duration::MAX).await.expect("details").info.timestamp;
    let shapes: [(&str, &str, &[&str], &[&str]); 4] = [
        ("vrfs", "vrfs", &["count"], &["vrfs"]),
        ("prefixes", "manual_prefixes", &["count"], &["prefixes"]),
        (
            "vpcs",
            "vpc_data",
            &["vpcs_count", "associations_count", "subnets_count"],
            &["vpcs", "vpc_associations", "vpc_subnets"],
        ),
        ("public_ips", "public_ips", &["count"], &["public_ips", "device42_ipaddresses"]),
    ];
    for (dataset, name, counts, arrays) in shapes {
        let file = file(&cycle, &id, dataset).await;
        assert_eq!(keys(&file), [&["export_info"], arrays].concat());
        let info = &file["export_info"];
        assert_eq!(keys(info), [&["type", "timestamp"], counts].concat());
        assert_eq!((&info["type"], &info["timestamp"]), (&name.into(), &timestamp.clone().into()));
        for (count, array) in counts.iter().zip(arrays) {
            let rows = file[*array].as_array().expect("an array").len();
            assert!(rows > 0 && info[*count] == rows, "{array}");
        }
    }
}

#[tokio::test]
async fn every_column_is_there_and_beside_it_the_names_that_tools_know() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let prefixes = file(&cycle, &id, "prefixes").await;
    let columns = [
        "prefix_id",
        "vrf_id",
        "cidr",
        "tags",
        "indentation_level",
        "parent_prefix_id",
        "source",
        "routable",
        "vpc_children_type_flag",
        "vpc_id",
        "created_at",
        "updated_at",
    ];
    let row = &prefixes["prefixes"][0];
    assert_eq!(keys(row), columns);
    assert!(row["tags"].is_object() && row["routable"].is_boolean() && row["cidr"].is_string());
    assert!(row["indentation_level"].is_u64() && row["vpc_id"].is_null());
    assert!(row["created_at"].as_str().expect("a time").ends_with("+00"));

    let vpcs = file(&cycle, &id, "vpcs").await;
    let named = |id: &Value| {
        let vpcs = vpcs["vpcs"].as_array().expect("an array");
        let vpc = vpcs.iter().find(|vpc| vpc["vpc_id"] == *id);
        vpc.expect("a VPC of the file")["provider_vpc_id"].clone()
    };
    let association = &vpcs["vpc_associations"][0];
    assert_eq!(association["vpc_provider_vpc_id"], named(&association["vpc_id"]));
    let subnet = &vpcs["vpc_subnets"][0];
    assert_eq!(keys(subnet), [&columns[..], &["vpc_provider_vpc_id", "subnet_cidr"]].concat());
    assert_eq!(subnet["vpc_provider_vpc_id"], named(&subnet["vpc_id"]));
    assert_eq!(subnet["subnet_cidr"], subnet["cidr"]);

    let public = file(&cycle, &id, "public_ips").await;
    let addresses = public["public_ips"].as_array().expect("an array");
    let (alone, owned): (Vec<_>, Vec<_>) = addresses.iter().partition(|a| a["vpc_id"].is_null());
    assert!(!alone.is_empty() && !owned.is_empty());
    assert!(alone.iter().all(|address| address.get("vpc_provider_vpc_id").is_none()));
    assert_eq!(owned[0]["vpc_provider_vpc_id"], named(&owned[0]["vpc_id"]));
}

#[tokio::test]
async fn damage_is_told_before_the_first_byte() {
    let database = sample_database().await;
    let program = crate::support::program::Program::on(&database);
    let id = program.backup();
    for pack in crate::store::samples::files(program.store(), "packs") {
        let length = pack.metadata().expect("a pack").len();
        std::fs::write(&pack, vec![0; usize::try_from(length).expect("small")]).expect("damaged");
    }
    let file = program.store().join("none.tar");
    let ended = program.run(&["export", &id, "--output", file.to_str().expect("a path")]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(!file.exists());
    let ended = program.run(&["export", &id, "--output", "-"]);
    assert_eq!((ended.code, ended.out.as_str()), (4, ""));
}
