//! In which order rows get unique values that other rows hold, and which rows must go first.
//!
//! An index checks row by row. A row that gets a value which another one gives up waits for that
//! one; so chains are written in waves. Where rows wait for each other in a circle, one of them is
//! deleted and made anew. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Chains are cut where a row would have to wait for more rows than this.
const LONGEST: u32 = 8;

/// One row waits for another to give a value up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The row that gets the value.
    pub waiter: u64,
    /// The row that holds it, and gets another.
    pub holder: u64,
}

/// What is known of the rows.
#[derive(Debug, Default)]
pub struct Rows {
    /// Rows that are inserted, and not updated.
    pub inserted: BTreeSet<u64>,
    /// Rows that had better not be deleted: rows of other tables refer to them.
    pub fixed: BTreeSet<u64>,
    /// Whether rows that are inserted can wait. They cannot where others may refer to them at once.
    pub inserts_wait: bool,
}

/// How the rows are written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Rows that are deleted first and made anew.
    pub remade: BTreeSet<u64>,
    /// For each row that waits, after how many others.
    pub waves: BTreeMap<u64, u32>,
}

struct Graph<'r> {
    rows: &'r Rows,
    holders: BTreeMap<u64, Vec<u64>>,
    waiters: BTreeMap<u64, Vec<u64>>,
    /// How many holders each row still waits for.
    open: BTreeMap<u64, usize>,
    waves: BTreeMap<u64, u32>,
    remade: BTreeSet<u64>,
    done: BTreeSet<u64>,
    /// Rows that nobody waits for any more.
    released: BTreeSet<u64>,
    ready: VecDeque<u64>,
}

/// Finds an order for rows that wait like this.
#[must_use]
pub fn order(waits: &BTreeSet<Wait>, rows: &Rows) -> Order {
    let mut graph = Graph::new(waits.iter(), rows);
    if !rows.inserts_wait {
        for row in rows.inserted.iter().copied() {
            graph.free_holders_of(row, false);
        }
    }
    graph.settle();
    // What is left waits in circles, or for rows that do.
    let left: Vec<_> = graph.open.keys().filter(|row| graph.is_left(**row)).copied().collect();
    let (fixed, free): (Vec<_>, Vec<_>) =
        graph.in_circles(&left).into_iter().partition(|row| rows.fixed.contains(row));
    for row in free.into_iter().chain(fixed) {
        if graph.is_left(row) {
            graph.remake(row, rows.fixed.contains(&row));
            graph.settle();
        }
    }
    let remade = graph.remade;
    let stays = |wait: &&Wait| !remade.contains(&wait.holder);
    let waves = Graph::new(waits.iter().filter(stays), rows).levels();
    Order { remade, waves }
}

impl<'r> Graph<'r> {
    fn new<'w>(waits: impl Iterator<Item = &'w Wait>, rows: &'r Rows) -> Self {
        let (mut holders, mut waiters) =
            (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        let mut open = BTreeMap::new();
        for Wait { waiter, holder } in waits.filter(|wait| wait.waiter != wait.holder) {
            holders.entry(*waiter).or_default().push(*holder);
            waiters.entry(*holder).or_default().push(*waiter);
            *open.entry(*waiter).or_default() += 1;
            open.entry(*holder).or_default();
        }
        let nobody = |(row, open): (&u64, &usize)| (*open == 0).then_some(*row);
        let ready = open.iter().filter_map(nobody).collect();
        let (waves, remade) = (BTreeMap::new(), BTreeSet::new());
        let (done, released) = (BTreeSet::new(), BTreeSet::new());
        Self { rows, holders, waiters, open, waves, remade, done, released, ready }
    }

    /// The wave of each row that waits, where nobody waits in a circle.
    fn levels(mut self) -> BTreeMap<u64, u32> {
        while let Some(row) = self.ready.pop_front() {
            let wave = self.waves.get(&row).copied().unwrap_or(0);
            self.release(row, wave + 1);
        }
        self.waves
    }

    fn is_left(&self, row: u64) -> bool {
        !self.done.contains(&row) && !self.remade.contains(&row)
    }

    /// Writes every row whose holders are written, wave by wave.
    fn settle(&mut self) {
        while let Some(row) = self.ready.pop_front() {
            if !self.done.insert(row) {
                continue;
            }
            let wave = self.waves.get(&row).copied().unwrap_or(0);
            if self.remade.contains(&row) {
                continue;
            }
            let waited_for = self.waiters.contains_key(&row) && !self.rows.inserted.contains(&row);
            if wave >= LONGEST && waited_for && !self.rows.fixed.contains(&row) {
                self.remake(row, false);
                continue;
            }
            self.release(row, wave + 1);
        }
    }

    /// Nobody waits for this row any more; those who did come in this wave at the earliest.
    fn release(&mut self, row: u64, wave: u32) {
        if !self.released.insert(row) {
            return;
        }
        for waiter in self.waiters.get(&row).cloned().unwrap_or_default() {
            if wave > 0 {
                let later = self.waves.entry(waiter).or_default();
                *later = wave.max(*later);
            }
            let open = self.open.get_mut(&waiter).expect("it waits");
            *open -= 1;
            if *open == 0 {
                self.ready.push_back(waiter);
            }
        }
    }

    /// Has a row deleted first. It is an insert then, which waits like any other, or cannot.
    fn remake(&mut self, row: u64, forced: bool) {
        let mut rows = vec![row];
        while let Some(row) = rows.pop() {
            if !self.remade.insert(row) {
                continue;
            }
            self.release(row, 0);
            if !self.rows.inserts_wait {
                rows.extend(self.holders_to_remake(row, forced));
            }
        }
    }

    fn free_holders_of(&mut self, row: u64, forced: bool) {
        for holder in self.holders_to_remake(row, forced) {
            self.remake(holder, forced);
        }
    }

    fn holders_to_remake(&self, row: u64, forced: bool) -> Vec<u64> {
        let holders = self.holders.get(&row).into_iter().flatten().copied();
        holders.filter(|holder| forced || !self.rows.fixed.contains(holder)).collect()
    }

    /// Those of the rows that somebody waits for who is left, too.
    fn in_circles(&self, left: &[u64]) -> Vec<u64> {
        let mut awaited: BTreeMap<u64, usize> = BTreeMap::new();
        for row in left {
            let waiters = self.waiters.get(row).into_iter().flatten();
            awaited.insert(*row, waiters.filter(|waiter| self.is_left(**waiter)).count());
        }
        let mut alone: Vec<_> =
            awaited.iter().filter(|(_, count)| **count == 0).map(|(row, _)| *row).collect();
        while let Some(row) = alone.pop() {
            for holder in self.holders.get(&row).into_iter().flatten() {
                if let Some(count) = awaited.get_mut(holder) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        alone.push(*holder);
                    }
                }
            }
            awaited.remove(&row);
        }
        awaited.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waits(pairs: &[(u64, u64)]) -> BTreeSet<Wait> {
        pairs.iter().map(|&(waiter, holder)| Wait { waiter, holder }).collect()
    }

    fn rows(inserted: &[u64], fixed: &[u64], inserts_wait: bool) -> Rows {
        let set = |rows: &[u64]| rows.iter().copied().collect();
        Rows { inserted: set(inserted), fixed: set(fixed), inserts_wait }
    }

    #[test]
    fn a_chain_is_written_in_waves_and_deletes_nothing() {
        let found = order(&waits(&[(3, 2), (2, 1)]), &rows(&[], &[1, 2, 3], true));
        assert_eq!(found.remade, BTreeSet::new());
        assert_eq!(found.waves, BTreeMap::from([(2, 1), (3, 2)]));
    }

    #[test]
    fn of_a_swap_the_row_that_nobody_refers_to_is_made_anew() {
        let found = order(&waits(&[(1, 2), (2, 1)]), &rows(&[], &[1], true));
        assert_eq!(found.remade, BTreeSet::from([2]));
        assert_eq!(found.waves, BTreeMap::from([(2, 1)]));
    }

    #[test]
    fn where_inserts_cannot_wait_their_holders_are_made_anew() {
        let found = order(&waits(&[(9, 1), (1, 2)]), &rows(&[9], &[], false));
        assert_eq!(found.remade, BTreeSet::from([1, 2]));
        let found = order(&waits(&[(1, 2), (2, 1)]), &rows(&[], &[1, 2], false));
        assert_eq!(found.remade, BTreeSet::from([1, 2]), "all of them are to be named");
    }

    #[test]
    fn a_long_chain_is_cut_in_pieces() {
        let chain: Vec<_> = (1..100).map(|row| (row, row - 1)).collect();
        let found = order(&waits(&chain), &rows(&[], &[], true));
        assert!(found.waves.values().all(|wave| *wave <= LONGEST), "{found:?}");
        assert_eq!(found.remade.len(), 11);
    }

    proptest! {
        #[test]
        fn whoever_waits_comes_after_what_it_waits_for(
            pairs in proptest::collection::btree_set((0_u64..30, 0_u64..30), 0..60),
            fixed in proptest::collection::btree_set(0_u64..30, 0..10),
            inserts_wait: bool,
        ) {
            let pairs: Vec<_> = pairs.into_iter().filter(|(a, b)| a != b).collect();
            let rows = Rows { inserted: BTreeSet::new(), fixed: fixed.clone(), inserts_wait };
            let found = order(&waits(&pairs), &rows);
            let wave = |row: u64| found.waves.get(&row).copied().unwrap_or(0);
            for (waiter, holder) in &pairs {
                prop_assert!(
                    found.remade.contains(holder) || wave(*waiter) > wave(*holder),
                    "{waiter} after {holder}: {found:?}"
                );
            }
            for row in &found.remade {
                prop_assert!(inserts_wait || wave(*row) == 0 || !fixed.is_empty());
            }
        }

        #[test]
        fn without_a_circle_no_short_chain_loses_a_row(
            pairs in proptest::collection::btree_set((0_u64..8, 0_u64..8), 0..20),
        ) {
            let downward: Vec<_> = pairs.into_iter().filter(|(a, b)| a > b).collect();
            let found = order(&waits(&downward), &rows(&[], &[], true));
            prop_assert!(found.remade.is_empty());
        }
    }
}
