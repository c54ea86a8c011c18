//! Every id that a store ever had, in the order of creation. Pure; `store/ids.rs` keeps it.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{BackupId, Manifest};

/// `ids.json`: the ids of all backups that a store has or had, oldest first.
///
/// An id is never used for two backups, not even after the first was deleted; and the order of the
/// list, not that of the ids, is the order of creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    /// The number of the next backup.
    next_number: u64,
    backups: Vec<Recorded>,
}

/// An id and what tells its backup from any other: `20250920_143022 0123456789abcdef`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Recorded {
    id: BackupId,
    /// None of a backup whose manifest could not be read.
    identity: Option<u64>,
}

/// A backup that is in the store but not in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    pub id: BackupId,
    /// See [`Manifest::identity`].
    pub identity: Option<u64>,
    /// Its number, if this store gave it one.
    pub number: Option<u64>,
}

/// What a new backup is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub id: BackupId,
    pub number: u64,
}

impl Default for Ids {
    fn default() -> Self {
        Self { next_number: 1, backups: Vec::new() }
    }
}

impl Ids {
    /// Puts a lost record together again: backups with a number by their numbers, the others by time.
    #[must_use]
    pub fn rebuilt(mut backups: Vec<Unrecorded>) -> Self {
        backups.sort_by(|a, b| (a.number, &a.id).cmp(&(b.number, &b.id)));
        let (numbered, others): (Vec<_>, Vec<_>) =
            backups.into_iter().partition(|backup| backup.number.is_some());
        let last = numbered.iter().filter_map(|backup| backup.number).max().unwrap_or(0);
        let mut ids = Self { next_number: last.saturating_add(1), backups: Vec::new() };
        ids.backups.extend(
            numbered.into_iter().map(|one| Recorded { id: one.id, identity: one.identity }),
        );
        ids.adopt(others);
        ids
    }

    /// Records backups that were made elsewhere or by an earlier program, each at its place in time.
    pub fn adopt(&mut self, backups: impl IntoIterator<Item = Unrecorded>) {
        let mut known: BTreeSet<_> = self.backups.iter().map(|known| known.id.clone()).collect();
        for Unrecorded { id, identity, .. } in backups {
            if known.insert(id.clone()) {
                self.insert(Recorded { id, identity });
            }
        }
    }

    /// Before the first that names a later second. So it is the newest only if it is later than
    /// all: a wrong clock or an import never makes a backup of this store look older than it is.
    fn insert(&mut self, new: Recorded) {
        let place = self.backups.iter().position(|known| known.id > new.id);
        self.backups.insert(place.unwrap_or(self.backups.len()), new);
    }

    /// Gives the backup made last an id: the wanted one or, if it was ever used, the first after it
    /// that was not.
    pub fn claim(&mut self, wanted: &BackupId, identity: u64) -> Claimed {
        let id = self.unused(wanted);
        self.backups.push(Recorded { id: id.clone(), identity: Some(identity) });
        Claimed { id, number: self.take_number() }
    }

    /// As [`Self::claim`], for a backup that was made earlier: it takes its place in time. A deleted
    /// backup that comes back has its own id again.
    pub fn claim_imported(&mut self, wanted: &BackupId, identity: u64, is_there: bool) -> Claimed {
        let deleted = self.backups.iter().find(|known| known.id == *wanted);
        if deleted.is_some_and(|known| known.identity == Some(identity)) && !is_there {
            return Claimed { id: wanted.clone(), number: self.take_number() };
        }
        let id = self.unused(wanted);
        self.insert(Recorded { id: id.clone(), identity: Some(identity) });
        Claimed { id, number: self.take_number() }
    }

    /// Gives a copy of another store's backup its own id, and its place in the `order` of that store
    /// (oldest first); tells also whether it is the newest now. None if the id was another backup's.
    pub fn claim_copy(
        &mut self,
        id: &BackupId,
        identity: u64,
        order: &[BackupId],
    ) -> Option<(Claimed, bool)> {
        let recorded = self.backups.iter().find(|known| known.id == *id);
        match recorded {
            Some(known) if known.identity != Some(identity) => return None,
            Some(_) => {}
            None => {
                let new = Recorded { id: id.clone(), identity: Some(identity) };
                match self.place_of_copy(id, order) {
                    Some(place) => self.backups.insert(place, new),
                    None => self.insert(new),
                }
            }
        }
        let is_newest = self.backups.last().is_some_and(|last| last.id == *id);
        Some((Claimed { id: id.clone(), number: self.take_number() }, is_newest))
    }

    /// After the latest recorded backup that comes before it in the order, or before the first that
    /// comes after it.
    fn place_of_copy(&self, id: &BackupId, order: &[BackupId]) -> Option<usize> {
        let places: HashMap<_, _> = self.backups.iter().map(|known| &known.id).zip(0..).collect();
        let at = order.iter().position(|other| other == id)?;
        let before = order[..at].iter().rev().find_map(|other| places.get(other));
        let after = || order[at + 1..].iter().find_map(|other| places.get(other)).copied();
        before.map(|place| place + 1).or_else(after)
    }

    fn unused(&self, wanted: &BackupId) -> BackupId {
        let used: BTreeSet<_> = self.backups.iter().map(|known| &known.id).collect();
        let mut id = wanted.clone();
        while used.contains(&id) {
            id = id.next();
        }
        id
    }

    fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        number
    }

    /// Whether this id is recorded.
    #[must_use]
    pub fn contains(&self, id: &BackupId) -> bool {
        self.backups.iter().any(|known| known.id == *id)
    }

    /// Sorts ids by creation, oldest first. Those that are not recorded take their place in time.
    #[must_use]
    pub fn sorted(&self, mut ids: Vec<BackupId>) -> Vec<BackupId> {
        let place: HashMap<_, _> = self.backups.iter().map(|known| &known.id).zip(0..).collect();
        ids.sort();
        let (mut known, others): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|id| place.contains_key(id));
        known.sort_by_key(|id| place.get(id).copied().unwrap_or(usize::MAX));
        for id in others {
            let at = known.iter().position(|other| *other > id).unwrap_or(known.len());
            known.insert(at, id);
        }
        known
    }
}

impl Unrecorded {
    /// What is known of a backup by its manifest.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            id: manifest.backup_id.clone(),
            identity: Some(manifest.identity()),
            number: manifest.number.filter(|_| !manifest.imported),
        }
    }

    /// A backup whose manifest cannot be read.
    #[must_use]
    pub fn unreadable(id: BackupId) -> Self {
        Self { id, identity: None, number: None }
    }
}

impl From<Recorded> for String {
    fn from(Recorded { id, identity }: Recorded) -> Self {
        identity.map_or_else(|| id.to_string(), |identity| format!("{id} {identity:016x}"))
    }
}

impl TryFrom<String> for Recorded {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (id, identity) = text.split_once(' ').map_or((&text[..], None), |(a, b)| (a, Some(b)));
        let identity = identity.map(|hex| u64::from_str_radix(hex, 16)).transpose();
        let identity = identity.map_err(|error| format!("{text:?}: {error}"))?;
        Ok(Self { id: id.parse().map_err(|error| format!("{error}"))?, identity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> BackupId {
        text.parse().expect("an id")
    }

    fn old(text: &str, number: Option<u64>) -> Unrecorded {
        Unrecorded { id: id(text), identity: Some(1), number }
    }

    fn order(ids: &Ids) -> Vec<String> {
        ids.backups.iter().map(|known| known.id.to_string()).collect()
    }

    #[test]
    fn used_id_is_never_given_again() {
        let mut ids = Ids::default();
        let wanted = id("20250920_143022");
        let given: Vec<_> = (0..3).map(|n| ids.claim(&wanted, n)).collect();
        let names: Vec<_> = given.iter().map(|claimed| claimed.id.as_str()).collect();
        assert_eq!(names, ["20250920_143022", "20250920_143023", "20250920_143024"]);
        assert_eq!(given.iter().map(|claimed| claimed.number).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn order_is_that_of_creation_whatever_the_clock_says() {
        let mut ids = Ids::default();
        for wanted in ["20350101_000000", "20250920_143022", "19700101_000000"] {
            ids.claim(&id(wanted), 1);
        }
        let all = ["19700101_000000", "20250920_143022", "20350101_000000"].map(id).to_vec();
        let sorted: Vec<_> = ids.sorted(all).iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["20350101_000000", "20250920_143022", "19700101_000000"]);
    }

    #[test]
    fn import_takes_its_place_in_time_and_a_deleted_backup_its_id() {
        let mut ids = Ids::default();
        for wanted in ["20250901_000000", "20250903_000000"] {
            ids.claim(&id(wanted), 7);
        }
        let between = ids.claim_imported(&id("20250902_000000"), 8, false);
        assert_eq!((between.id.as_str(), between.number), ("20250902_000000", 3));
        assert_eq!(order(&ids), ["20250901_000000", "20250902_000000", "20250903_000000"]);
        let back = ids.claim_imported(&id("20250901_000000"), 7, false);
        assert_eq!((back.id.as_str(), back.number), ("20250901_000000", 4));
        let other = ids.claim_imported(&id("20250901_000000"), 9, false);
        assert_eq!(other.id.as_str(), "20250901_000001", "that id was another backup's");
        let there = ids.claim_imported(&id("20250901_000000"), 7, true);
        assert_eq!(there.id.as_str(), "20250901_000002");
    }

    #[test]
    fn copies_keep_their_ids_and_the_order_of_their_store_whatever_the_clock_said() {
        let all = ["20350101_000000", "20250920_143022", "19700101_000000"].map(id);
        let mut ids = Ids::default();
        for (copied, newest) in [(1, true), (2, true), (0, false)] {
            let claimed = ids.claim_copy(&all[copied], 7, &all).expect("not taken");
            assert_eq!((&claimed.0.id, claimed.1), (&all[copied], newest));
        }
        assert_eq!(order(&ids), all.clone().map(|id| id.to_string()));
        assert!(ids.claim_copy(&all[0], 8, &all).is_none(), "that id is another backup's");
        assert_eq!(ids.claim_copy(&all[0], 7, &all).expect("deleted, and back").0.number, 4);
    }

    #[test]
    fn import_older_than_the_clock_ever_said_is_never_the_newest() {
        let mut ids = Ids::default();
        for wanted in ["20260101_000000", "20260201_000000", "20200101_000000"] {
            ids.claim(&id(wanted), 1);
        }
        ids.claim_imported(&id("20260115_000000"), 2, false);
        let newest = ["20260201_000000", "20200101_000000"];
        assert_eq!(order(&ids)[2..], newest);
    }

    #[test]
    fn lost_record_is_rebuilt_from_the_numbers() {
        let ids = Ids::rebuilt(vec![
            old("20250101_000000", None),
            old("20250301_000000", Some(4)),
            old("20250201_000000", Some(5)),
        ]);
        assert_eq!(order(&ids), ["20250101_000000", "20250301_000000", "20250201_000000"]);
        assert_eq!(ids.next_number, 6);
    }

    #[test]
    fn record_is_written_as_it_is_read() {
        let mut ids = Ids::default();
        ids.claim(&id("20250920_143022"), 0xab);
        ids.adopt([Unrecorded::unreadable(id("20250101_000000"))]);
        let text = serde_json::to_string(&ids).expect("plain data");
        assert!(
            text.contains(r#"["20250101_000000","20250920_143022 00000000000000ab"]"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Ids>(&text).expect("read"), ids);
    }
}
