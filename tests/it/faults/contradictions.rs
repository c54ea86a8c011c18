//! Manifests with a right checksum that contradict themselves: each is an error, or harmless, for
//! everything that reads one. Never a panic, never fewer rows than the backup has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipam_rewind::engine::{Engine, EngineError, Point, Run};
use ipam_rewind::model::{BackupId, Hash, Profile};
use ipam_rewind::store::StoreError;
use serde_json::{Value, json};

const FIRST: &str = "20250920_143022";
const SECOND: &str = "20250921_143022";

/// A copy of the golden store, in which the first manifest is changed.
struct Forged {
    folder: tempfile::TempDir,
    text: String,
}

fn id(text: &str) -> BackupId {
    text.parse().expect("an id")
}

impl Forged {
    fn new() -> Self {
        let folder = crate::support::folder();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden/store/.");
        let mut copy = Command::new("cp");
        let copied = copy.arg("-r").arg(golden).arg(folder.path()).status();
        assert!(copied.expect("cp runs").success());
        let text = fs::read_to_string(path(folder.path())).expect("readable");
        Self { folder, text }
    }

    fn manifest(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// Puts this manifest there, its checksum computed anew.
    fn write(&self, manifest: &Value) {
        let mut manifest = manifest.clone();
        manifest["checksum"] = "0".repeat(64).into();
        let mut text = serde_json::to_string_pretty(&manifest).expect("JSON") + "\n";
        let zeros = text.rfind(&"0".repeat(64)).expect("just put there");
        let checksum = Hash::of(text.as_bytes()).to_string();
        text.replace_range(zeros..zeros + 64, &checksum);
        fs::write(path(self.folder.path()), text).expect("written");
    }

    async fn engine(&self) -> Engine {
        let place = self.folder.path().to_str().expect("text");
        Engine::open(place, None).await.expect("the store")
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FIRST).join("manifest.json")
}

/// The rows of each dataset as its file has them.
async fn exported(engine: &Engine) -> Result<Vec<usize>, EngineError> {
    let mut counts = Vec::new();
    for dataset in Profile::builtin().dataset_names() {
        let mut file = engine.export_dataset(&id(FIRST), dataset.name(), &Run::new()).await?;
        let mut bytes = Vec::new();
        while let Some(block) = file.blocks.recv().await {
            bytes.extend_from_slice(&block?);
        }
        let text = String::from_utf8_lossy(&bytes);
        counts.push(text.lines().skip(1).filter(|line| line.starts_with('{')).count());
    }
    Ok(counts)
}

/// Whether everything that reads the manifest refuses it; if not, all must give every row.
async fn is_refused(forged: &Forged, rows: &[usize]) -> bool {
    let engine = forged.engine().await;
    let (first, second) = (Point::Backup(id(FIRST)), Point::Backup(id(SECOND)));
    let refused = match engine.store().manifest(&id(FIRST)).await {
        Ok(_) => false,
        Err(StoreError::ManifestDamaged { .. }) => true,
        Err(other) => panic!("{other}"),
    };
    let report = engine.verify(&[], &Run::new()).await.expect("a report");
    let of = |wanted: &str| {
        let found = report.backups.iter().find(|backup| backup.backup_id.as_str() == wanted);
        found.expect("it is told of").intact
    };
    assert!(of(SECOND), "others are not affected");
    let exported = exported(&engine).await;
    let diff = engine.diff(&first, &second, 10, &Run::new()).await;
    let history = engine.history("vrf", "prod-vrf").await.expect("others are read");
    engine.list().await.expect("others are listed");
    engine.stats().await.expect("others are counted");
    let _ = engine.details(&id(FIRST), std::time::Duration::MAX).await;
    if refused {
        assert!(!of(FIRST));
        assert!(exported.is_err() && diff.is_err());
        assert_eq!(history.unreadable.len(), 1);
    } else if of(FIRST) {
        assert_eq!(exported.expect("it is whole"), rows);
    } else if let Ok(exported) = exported {
        assert_eq!(exported, rows, "damage, but no row is left out in silence");
    }
    refused
}

/// What is wrong, and how it is made so.
type Case = (&'static str, fn(&mut Value));

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_contradiction_is_refused_by_every_reader() {
    let forged = Forged::new();
    let rows = exported(&forged.engine().await).await.expect("golden");
    assert!(rows.iter().all(|count| *count > 0), "{rows:?}");
    let cases: [Case; 20] = [
        ("a part dropped", |m| drop(m["parts"].as_array_mut().expect("parts").remove(0))),
        ("the last part dropped", |m| drop(m["parts"].as_array_mut().expect("parts").pop())),
        ("a part doubled", |m| {
            let part = m["parts"][0].clone();
            m["parts"].as_array_mut().expect("parts").push(part);
        }),
        ("two parts exchanged", |m| m["parts"].as_array_mut().expect("parts").swap(1, 4)),
        ("a part of another name", |m| m["parts"][0]["name"] = "others".into()),
        ("a part of another dataset", |m| m["parts"][3]["dataset"] = "prefixes".into()),
        ("a part of another table", |m| m["parts"][0]["table"] = "vpc".into()),
        ("roots exchanged", |m| {
            let root = m["parts"][1]["root"].clone();
            m["parts"][1]["root"] = m["parts"][4]["root"].clone();
            m["parts"][4]["root"] = root;
        }),
        ("rows of a part", |m| m["parts"][1]["rows"] = 1.into()),
        ("rows of a dataset", |m| m["datasets"]["vpcs"]["rows"] = 1.into()),
        ("bytes of a dataset", |m| m["datasets"]["vpcs"]["bytes"] = 1.into()),
        ("a dataset missing", |m| {
            drop(m["datasets"].as_object_mut().expect("datasets").remove("vrfs"));
        }),
        ("an unknown dataset", |m| {
            let vrfs = m["datasets"]["vrfs"].clone();
            m["datasets"]["others"] = vrfs;
        }),
        ("a group past the columns", |m| m["schema"]["tables"][0]["groups"] = json!([[0, 99]])),
        ("no group", |m| m["schema"]["tables"][0]["groups"] = json!([])),
        ("a key past the columns", |m| {
            m["schema"]["tables"][0]["key"] = json!([{"column": "none", "kind": "text"}]);
        }),
        ("no key", |m| m["schema"]["tables"][0]["key"] = json!([])),
        ("a table missing", |m| {
            drop(m["schema"]["tables"].as_array_mut().expect("tables").remove(2));
        }),
        ("no sequences", |m| m["sequences"] = json!([])),
        ("a file elsewhere", |m| m["files"]["vrfs"] = "../../vrfs.json".into()),
    ];
    for (what, change) in cases {
        let mut manifest = forged.manifest();
        change(&mut manifest);
        forged.write(&manifest);
        assert!(is_refused(&forged, &rows).await, "{what}");
    }
    forged.write(&forged.manifest());
    assert!(!is_refused(&forged, &rows).await, "as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn tree_that_does_not_fit_its_manifest_is_damage_and_never_exported_short() {
    let forged = Forged::new();
    let rows = exported(&forged.engine().await).await.expect("golden");
    // All sums of the manifest agree; only the tree has other rows.
    let mut manifest = forged.manifest();
    for (place, name) in [(1, "rows"), (1, "bytes"), (0, "root"), (2, "root")] {
        let mut forged_manifest = manifest.clone();
        if name == "root" {
            forged_manifest["parts"][place]["root"] = manifest["parts"][1]["root"].clone();
        } else {
            let more = forged_manifest["parts"][place][name].as_u64().expect("a number") + 1;
            forged_manifest["parts"][place][name] = more.into();
        }
        sum_up(&mut forged_manifest);
        forged.write(&forged_manifest);
        assert!(!is_refused(&forged, &rows).await, "nothing contradicts within it");
        let engine = forged.engine().await;
        let report = engine.verify(&[id(FIRST)], &Run::new()).await.expect("a report");
        assert!(!report.is_intact(), "{name} of part {place}");
        assert!(exported(&engine).await.is_err(), "{name} of part {place}");
    }
    sum_up(&mut manifest);
    assert_eq!(manifest, forged.manifest(), "the sums are computed as the program does");
}

/// Has datasets and size tell what the parts tell.
fn sum_up(manifest: &mut Value) {
    let parts = manifest["parts"].as_array().expect("parts").clone();
    let number = |value: &Value| value.as_u64().expect("a number");
    for dataset in Profile::builtin().dataset_names() {
        let of: Vec<_> = parts.iter().filter(|part| part["dataset"] == dataset.name()).collect();
        let roots = of.iter().flat_map(|part| {
            let root: Hash = part["root"].as_str().expect("text").parse().expect("a hash");
            root.0
        });
        manifest["datasets"][dataset.name()] = json!({
            "rows": of.iter().map(|part| number(&part["rows"])).sum::<u64>(),
            "bytes": of.iter().map(|part| number(&part["bytes"])).sum::<u64>(),
            "root": Hash::of(&roots.collect::<Vec<u8>>()).to_string(),
        });
    }
    manifest["size"] = parts.iter().map(|part| number(&part["bytes"])).sum::<u64>().into();
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

/// Changes one value somewhere within this one.
fn mutate(value: &mut Value, numbers: &mut Numbers) {
    let deeper = numbers.below(5) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let place = numbers.below(map.len());
            mutate(map.values_mut().nth(place).expect("within"), numbers);
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let place = numbers.below(list.len());
            mutate(&mut list[place], numbers);
        }
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(numbers.below(map.len())).expect("within").clone();
            drop(map.remove(&key));
        }
        Value::Array(list) if !list.is_empty() => {
            let (from, to) = (numbers.below(list.len()), numbers.below(list.len()));
            match numbers.below(3) {
                0 => drop(list.remove(from)),
                1 => list.insert(to, list[from].clone()),
                _ => list.swap(from, to),
            }
        }
        Value::Number(_) => {
            let numbers = [json!(0), json!(1), json!(-1), json!(u64::MAX), json!(7), json!(1.5)]
                [numbers.below(6)]
            .clone();
            *value = numbers;
        }
        Value::String(text) => {
            let texts = [String::new(), format!("{text}x"), "vrf".into(), "vrfs".into()];
            *value = texts[numbers.below(4)].clone().into();
        }
        other => {
            *other = [Value::Null, json!(true), json!([]), json!({})][numbers.below(4)].clone();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_manifests_are_refused_or_behave_as_before() {
    let forged = Forged::new();
    let rows = exported(&forged.engine().await).await.expect("golden");
    let mut numbers = Numbers(6);
    let mut refused = 0;
    for _ in 0..300 {
        let mut manifest = forged.manifest();
        for _ in 0..=numbers.below(2) {
            mutate(&mut manifest, &mut numbers);
        }
        forged.write(&manifest);
        refused += u32::from(is_refused(&forged, &rows).await);
    }
    assert!((100..300).contains(&refused), "{refused} of 300 were refused");
}
