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

/// What the prefixes of one site have in common: people tag a site, and what is in it takes that on.
pub(super) struct Site {
    common: Map<String, Value>,
    contact: Value,
    ticket: String,
}

impl Site {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self { common: common(random), contact: contact(random), ticket: ticket(random) }
    }

    /// The tags of one of its prefixes. Every second has none: people tag what they look for.
    pub(super) fn prefix(&self, random: &mut Random) -> String {
        if random.one_in(2) {
            return "{}".to_owned();
        }
        let mut tags = if random.one_in(10) { common(random) } else { self.common.clone() };
        if random.one_in(8) {
            let own = random.one_in(2).then(|| ticket(random));
            tags.insert("ticket".into(), json!(own.unwrap_or_else(|| self.ticket.clone())));
        }
        if random.one_in(8) {
            let services = [random.pick(&SERVICES), random.pick(&SERVICES)];
            tags.insert("services".into(), json!(services));
        }
        if random.one_in(12) {
            tags.insert("note".into(), json!(random.pick(&NOTES)));
        }
        if random.one_in(6) {
            tags.insert("contact".into(), self.contact.clone());
        }
        Value::Object(tags).to_string()
    }
}

/// The tags of a VRF or VPC.
pub(super) fn network(random: &mut Random) -> String {
    let mut tags = common(random);
    tags.insert("contact".into(), contact(random));
    Value::Object(tags).to_string()
}

/// How the subnets of one VPC are made.
pub(super) struct Stack {
    environment: &'static str,
    managed_by: &'static str,
}

impl Stack {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            environment: random.pick(&ENVIRONMENTS),
            managed_by: random.pick(&["terraform", "pulumi", "cloudformation", "console"]),
        }
    }

    /// The tags that a cloud sync brings along with a subnet.
    pub(super) fn subnet(&self, name: &str, zone: u64, random: &mut Random) -> String {
        let tier = random.pick(&["public", "private", "database", "transit"]);
        json!({
            "Name": format!("{name}-{tier}-{zone}"),
            "tier": tier,
            "environment": self.environment,
            "managed_by": self.managed_by,
        })
        .to_string()
    }
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

fn ticket(random: &mut Random) -> String {
    format!("NET-{}", 1_000 + random.below(90_000))
}

fn contact(random: &mut Random) -> Value {
    let team = random.pick(&TEAMS);
    json!({
        "email": format!("{team}@example.net"),
        "on_call": {"level": 1 + random.below(3), "phone": format!("+49 30 {:06}", random.below(1_000_000))},
    })
}
