//! Tags as people and tools set them: mostly alike, never quite, sometimes nested.

use serde_json::{Map, Value, json};

use super::random::Random;

const OWNERS: [&str; 12] = [
    "anna.keller",
    "b.okafor",
    "chen.wei",
    "d.novak",
    "e.larsson",
    "f.moreau",
    "grace.adeyemi",
    "h.tanaka",
    "ines.garcía",
    "j.müller",
    "k.o'brien",
    "l.rossi",
];
const TEAMS: [&str; 10] = [
    "network-core",
    "cloud-platform",
    "data-platform",
    "payments",
    "identity",
    "observability",
    "retail",
    "logistics",
    "security",
    "workplace",
];
pub(super) const ENVIRONMENTS: [&str; 4] = ["production", "staging", "development", "test"];
const SERVICES: [&str; 10] =
    ["dns", "ntp", "kafka", "postgres", "kubernetes", "voip", "storage", "backup", "vdi", "wifi"];
const NOTES: [&str; 5] = [
    "migrated from the old \"DC1\" range",
    "do not touch before the audit",
    "Zürich – Rückbau geplant",
    "shared with partner \\ see contract",
    "temporary",
];

/// The tags of a prefix; every tenth has none.
pub(super) fn prefix(random: &mut Random) -> String {
    if random.one_in(10) {
        return "{}".to_owned();
    }
    let mut tags = common(random);
    if random.one_in(3) {
        tags.insert("ticket".into(), json!(format!("NET-{}", 1_000 + random.below(90_000))));
    }
    if random.one_in(4) {
        let services = [random.pick(&SERVICES), random.pick(&SERVICES)];
        tags.insert("services".into(), json!(services));
    }
    if random.one_in(8) {
        tags.insert("note".into(), json!(random.pick(&NOTES)));
    }
    if random.one_in(6) {
        tags.insert("contact".into(), contact(random));
    }
    Value::Object(tags).to_string()
}

/// The tags of a VRF or VPC.
pub(super) fn network(random: &mut Random) -> String {
    let mut tags = common(random);
    tags.insert("contact".into(), contact(random));
    Value::Object(tags).to_string()
}

/// The tags that a cloud sync brings along with a subnet.
pub(super) fn subnet(name: &str, zone: u64, random: &mut Random) -> String {
    let tier = random.pick(&["public", "private", "database", "transit"]);
    let stack = random.pick(&["terraform", "pulumi", "cloudformation", "console"]);
    json!({
        "Name": format!("{name}-{tier}-{zone}"),
        "tier": tier,
        "environment": random.pick(&ENVIRONMENTS),
        "managed_by": stack,
    })
    .to_string()
}

/// The tags of a public address.
pub(super) fn public(random: &mut Random) -> String {
    let usage = random.pick(&["nat-gateway", "load-balancer", "vpn", "bastion", "mail"]);
    let number = random.below(100);
    json!({
        "usage": usage,
        "hostname": format!("{usage}-{number:02}.example.net"),
        "team": random.pick(&TEAMS),
    })
    .to_string()
}

fn common(random: &mut Random) -> Map<String, Value> {
    let mut tags = Map::new();
    tags.insert("environment".into(), json!(random.pick(&ENVIRONMENTS)));
    tags.insert("owner".into(), json!(random.pick(&OWNERS)));
    tags.insert("team".into(), json!(random.pick(&TEAMS)));
    tags.insert("cost_centre".into(), json!(format!("CC-{}", 4_000 + random.below(400))));
    tags
}

fn contact(random: &mut Random) -> Value {
    let team = random.pick(&TEAMS);
    json!({
        "email": format!("{team}@example.net"),
        "on_call": {"level": 1 + random.below(3), "phone": format!("+49 30 {:06}", random.below(1_000_000))},
    })
}
