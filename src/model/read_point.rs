//! The point in a server's history at which a snapshot was taken: what a later capture compares before it
//! reads only the rows that were written since.
//!
//! PostgreSQL stamps each row version with the transaction that wrote it. A row version whose transaction is
//! older than every one that was under way at the snapshot is part of the snapshot, provided that the server
//! went on from there: did not lose commits, count its transactions anew or put other files in place. And the
//! version reads as the same text, provided that the columns and their types are the same.

use serde::{Deserialize, Serialize};

use super::{Hash, SnapshotInfo};

/// PostgreSQL compares transaction ids of 32 bits, so only 2^31 apart. Half of that: ids beyond those of the
/// snapshot are in use when the server compares, and more are given out while it does.
const COMPARABLE: u64 = 1 << 30;

/// A point in a server's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPoint {
    /// The oldest transaction that may have been under way, in 64 bits: `pg_snapshot_xmin`.
    pub oldest_running: u64,
    /// The first transaction that had not begun, in 64 bits: `pg_snapshot_xmax`.
    pub next: u64,
    /// `pg_postmaster_start_time()` in seconds since 1970.
    pub server_started: String,
    /// The transaction that wrote the database's row in the catalog: one that is made anew may have the same oid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_version: Option<String>,
    /// The WAL's timeline as eight hexadecimal digits; a standby does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<String>,
    /// The WAL position after every commit that the snapshot sees: of a standby what it replayed.
    pub wal: String,
    /// Whether the server was a standby.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// The tables, in the order of the schema.
    pub tables: Vec<TablePoint>,
}

/// A table at that point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePoint {
    /// The table's name.
    pub table: String,
    /// The oid and the file node of the table and of each partition.
    pub files: Vec<(u32, u32)>,
    /// The SHA-256 of the versions of all catalog rows that give its values their text.
    pub values: Hash,
    /// Why row versions do not tell what changed in it, if they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
}

impl ReadPoint {
    /// The table with this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&TablePoint> {
        self.tables.iter().find(|table| table.table == name)
    }
}

impl SnapshotInfo {
    /// Returns why what was written since `base` cannot be told from what it has; `None` if it can.
    #[must_use]
    pub fn cannot_follow(&self, base: &Self) -> Option<String> {
        let (Some(then), Some(now)) = (&base.point, &self.point) else {
            return Some(
                "it does not say at which point of the server's history it was taken".into(),
            );
        };
        let known = |info: &Self| (info.system_identifier.clone(), info.database_oid);
        let is_same = known(base) == known(self) && then.database_version == now.database_version;
        if !is_same || base.database_oid.is_none() {
            return Some("it was taken from another database".into());
        }
        if then.server_started != now.server_started || base.server_version != self.server_version {
            return Some("the server was started anew since".into());
        }
        if then.timeline != now.timeline || then.standby != now.standby {
            return Some("the server is on another timeline than then".into());
        }
        let (Some(wal_then), Some(wal_now)) = (wal_position(&then.wal), wal_position(&now.wal))
        else {
            return Some("the server does not tell its WAL position".into());
        };
        if wal_now < wal_then || now.next < then.next || now.oldest_running < then.oldest_running {
            return Some("the server's history was put back to an earlier point".into());
        }
        (now.next - then.oldest_running >= COMPARABLE)
            .then(|| "more transactions than the server can compare were begun since".into())
    }

    /// Returns why the rows of this table that were written since `base` cannot be told from the others;
    /// `None` if they can. For snapshots of which one [can follow](Self::cannot_follow) the other.
    #[must_use]
    pub fn cannot_follow_table(&self, base: &Self, table: &str) -> Option<String> {
        let of = |info: &Self| info.point.as_ref()?.table(table).cloned();
        let (Some(then), Some(now)) = (of(base), of(self)) else {
            return Some("the backup before does not have it".into());
        };
        if now.opaque.is_some() {
            return now.opaque;
        }
        if then.files != now.files {
            return Some(
                "its files are others than then: it was truncated, rewritten or replaced".into(),
            );
        }
        (then.values != now.values).then(|| "its columns or their types were altered since".into())
    }
}

/// A `pg_lsn` as a number.
fn wal_position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |digits| u32::from_str_radix(digits, 16).ok();
    Some(u64::from(part(high)?) << 32 | u64::from(part(low)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TablePoint {
        TablePoint { table: name.into(), files: vec![(1, 2)], values: Hash::of(b"a"), opaque: None }
    }

    fn info() -> SnapshotInfo {
        SnapshotInfo {
            database: "plan".into(),
            server_version: "15.1".into(),
            system_identifier: Some("7".into()),
            server: None,
            database_oid: Some(5),
            visible: "900:910:".into(),
            wal_position: None,
            taken_at: String::new(),
            schema_fingerprint: Hash::of(b""),
            point: Some(ReadPoint {
                oldest_running: 900,
                next: 910,
                server_started: "1.5".into(),
                database_version: Some("7".into()),
                timeline: Some("00000001".into()),
                wal: "0/16B3748".into(),
                standby: false,
                tables: vec![table("vrf")],
            }),
        }
    }

    fn later(change: impl FnOnce(&mut SnapshotInfo, &mut ReadPoint)) -> Option<String> {
        let mut now = info();
        let mut point = now.point.take().expect("it has one");
        change(&mut now, &mut point);
        now.point = Some(point);
        now.cannot_follow(&info())
    }

    #[test]
    fn later_snapshot_of_the_same_server_can_follow() {
        assert_eq!(later(|_, _| {}), None);
        let much_later = |_: &mut SnapshotInfo, point: &mut ReadPoint| {
            (point.oldest_running, point.next) = (1 << 30, (1 << 30) + 899);
            point.wal = "1/0".into();
        };
        assert_eq!(later(much_later), None);
    }

    #[test]
    fn other_server_or_history_cannot_follow() {
        let refused = |change: fn(&mut SnapshotInfo, &mut ReadPoint)| later(change).is_some();
        assert!(refused(|info, _| info.system_identifier = Some("8".into())));
        assert!(refused(|info, _| info.system_identifier = None));
        assert!(refused(|info, _| info.database_oid = Some(6)));
        assert!(refused(|info, _| info.server_version = "15.2".into()));
        assert!(refused(|_, point| point.server_started = "1.6".into()));
        assert!(refused(|_, point| point.database_version = Some("8".into())));
        assert!(refused(|_, point| point.timeline = Some("00000002".into())));
        assert!(refused(|_, point| point.standby = true));
        assert!(refused(|_, point| point.wal = "0/16B3747".into()));
        assert!(refused(|_, point| point.wal = "nowhere".into()));
        assert!(refused(|_, point| point.next = 909));
        assert!(refused(|_, point| point.oldest_running = 899));
        assert!(refused(|_, point| point.next = 900 + (1 << 30)));
        let none = SnapshotInfo { point: None, ..info() };
        assert!(none.cannot_follow(&info()).is_some() && info().cannot_follow(&none).is_some());
    }

    #[test]
    fn table_with_other_files_or_types_cannot_follow() {
        let with = |changed: TablePoint| {
            let mut now = info();
            now.point.as_mut().expect("it has one").tables = vec![changed];
            now.cannot_follow_table(&info(), "vrf")
        };
        assert_eq!(with(table("vrf")), None);
        assert!(with(table("vpc")).is_some(), "not there");
        assert!(with(TablePoint { files: vec![(1, 3)], ..table("vrf") }).is_some());
        assert!(with(TablePoint { files: vec![(1, 2), (4, 4)], ..table("vrf") }).is_some());
        assert!(with(TablePoint { values: Hash::of(b"b"), ..table("vrf") }).is_some());
        let opaque = Some("a view".into());
        assert_eq!(with(TablePoint { opaque, ..table("vrf") }).as_deref(), Some("a view"));
    }

    #[test]
    fn wal_positions_compare_as_numbers() {
        assert!(wal_position("0/FFFFFFFF") < wal_position("1/0"));
        assert!(wal_position("A/0") < wal_position("10/0"));
        assert_eq!((wal_position("0"), wal_position("x/0")), (None, None));
    }
}
