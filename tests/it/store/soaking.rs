//! Change, back up, delete, sweep, verify, over and over: a healthy store never looks damaged.

use std::collections::{BTreeMap, HashMap};

use super::damage::{check_all, check_trees};
use super::samples::{back_up_against, id, in_memory, read};
use super::sweeping::sweep;

const ROUNDS: u32 = 120;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

type Rows = BTreeMap<usize, String>;

fn lines(rows: &Rows) -> Vec<Vec<u8>> {
    rows.iter().map(|(key, value)| format!("key-{key:08}\t{value}\tx").into_bytes()).collect()
}

/// Changes, adds and removes some rows, here and there or all in one place.
fn change(rows: &mut Rows, numbers: &mut Numbers) {
    let (count, start) = (1 + numbers.below(40), numbers.below(900));
    let near = numbers.below(2) == 0;
    for step in 0..count {
        let key = if near { start + step } else { numbers.below(1000) };
        match numbers.below(6) {
            0 => drop(rows.remove(&key)),
            _ => drop(rows.insert(key, format!("{:x} {key}", numbers.below(1 << 30)))),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_store_never_looks_damaged_over_many_rounds() {
    let store = in_memory().await;
    let mut numbers = Numbers(16);
    let mut rows: Rows = (0..900).map(|key| (key, format!("first {key}"))).collect();
    let (mut last, mut kept, mut chains_cut) = (HashMap::new(), BTreeMap::new(), 0);
    for round in 0..ROUNDS {
        change(&mut rows, &mut numbers);
        last = back_up_against(&store, &id(round), &lines(&rows), last).await;
        kept.insert(round, lines(&rows));
        while kept.len() > 3 {
            // Mostly the oldest.
            let place = if numbers.below(4) == 0 { numbers.below(3) } else { 0 };
            let gone = *kept.keys().nth(place).expect("there are more than three");
            kept.remove(&gone);
            store.unlink(&id(gone)).await.expect("unlinked");
        }
        assert_eq!(sweep(&store).await.problems, Vec::<String>::new(), "round {round}");
        assert_eq!(check_all(&store).await, [], "round {round}");
        assert_eq!(check_trees(&store).await, [], "round {round}");
        let index = store.index().await.expect("the index");
        let lacks_its_base = |base| index.get(base).is_none();
        let cut = index.chunks().filter(|(id, _)| index.base(id).is_some_and(lacks_its_base));
        chains_cut += u32::from(cut.count() > 0);
        if round % 10 == 0 {
            for (n, rows) in &kept {
                assert!(read(&store, &id(*n)).await.expect("read") == *rows, "round {round}");
            }
        }
    }
    assert!(chains_cut > ROUNDS / 10, "frames without their bases are tried: {chains_cut}");
}
