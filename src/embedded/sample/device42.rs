//! Addresses as an inventory tool reports them, with the odd notes that people leave there.

use serde_json::json;

use super::block::Block;
use super::copy_text::CopyText;
use super::moment::{self, Batch, with_zone, without_zone};
use super::public;
use super::random::{Random, Stream};

pub(super) const COLUMNS: &str = "device42_ipaddress (id, device42_id, ip_address, label, subnet, \
     type, available, resource, notes, first_added, last_updated, port, cloud_account, is_public, \
     details, created_at, updated_at)";

const NOTES: [&str; 4] = [
    "rack 12\tunit 7",
    "moved twice\nsee ticket INV-311",
    "share \\\\files\\public",
    "Gerät für Küche, 2. OG",
];

pub(super) fn write(number: u64, rows: &mut CopyText) {
    let mut random = Random::of(Stream::Device, number);
    let is_public = random.one_in(6);
    let subnet = Block::v4(10, 0, 0, 0, 8).nth(random.below(65_536), 24);
    let address =
        if is_public { public::address(number) } else { subnet.nth(1 + random.below(254), 32) };
    let kind = random.pick(&["static", "dhcp", "reserved"]);
    let host = random.pick(&["sw", "fw", "srv", "esx", "prn", "ap"]);
    let (created, updated) = Batch::draw(&mut random).created_and_updated(&mut random);
    let seen = moment::between(created, moment::last_sync(), &mut random);
    rows.plain(number + 1)
        .nullable((!random.one_in(20)).then(|| format!("{}", 100_000 + number)))
        .plain(address.address())
        .plain(format_args!("{host}-{number:05}.corp.example.net"))
        .nullable((!is_public).then_some(subnet))
        .plain(kind)
        .boolean(random.one_in(7))
        .nullable(random.one_in(3).then(|| format!("{host}-{number:05}")))
        .nullable(random.one_in(9).then(|| random.pick(&NOTES)))
        .plain(without_zone(created))
        .plain(without_zone(seen))
        .nullable(random.one_in(2).then(|| format!("Gi1/0/{}", 1 + random.below(48))))
        .nullable(is_public.then(|| format!("{:012}", random.below(1_000_000_000_000))))
        .boolean(is_public)
        .text(&json!({"vendor_id": random.below(500), "kind": kind, "tags": [host]}).to_string())
        .plain(with_zone(created))
        .plain(with_zone(updated))
        .end_row();
}
