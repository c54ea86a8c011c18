//! One row of the table `prefix`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::block::Block;
use super::copy_text::CopyText;
use super::moment::with_zone;

pub(super) const COLUMNS: &str = "prefix (prefix_id, vrf_id, cidr, tags, indentation_level, \
     parent_prefix_id, source, routable, vpc_children_type_flag, vpc_id, created_at, updated_at)";

/// A prefix; it is synced from the cloud exactly if it has a VPC.
pub(super) struct Prefix<'a> {
    pub(super) id: &'a str,
    pub(super) vrf: &'a str,
    pub(super) cidr: Block,
    pub(super) tags: String,
    pub(super) level: u8,
    pub(super) parent: Option<&'a str>,
    pub(super) routable: bool,
    pub(super) holds_vpcs: bool,
    pub(super) vpc: Option<Uuid>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
}

impl Prefix<'_> {
    pub(super) fn write(&self, rows: &mut CopyText) {
        rows.plain(self.id)
            .plain(self.vrf)
            .plain(self.cidr)
            .text(&self.tags)
            .plain(self.level)
            .nullable(self.parent)
            .plain(if self.vpc.is_some() { "vpc" } else { "manual" })
            .boolean(self.routable)
            .boolean(self.holds_vpcs)
            .nullable(self.vpc)
            .plain(with_zone(self.created))
            .plain(with_zone(self.updated))
            .end_row();
    }
}
