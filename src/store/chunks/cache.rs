//! A map that forgets what was not used of late, bounded by bytes.

use std::collections::HashMap;
use std::hash::Hash;

use bytes::Bytes;

/// Two generations: what is used moves to the young one; when that is full, the old one is
/// forgotten and the young one becomes the old.
#[derive(Debug)]
pub struct Cache<K> {
    young: HashMap<K, Bytes>,
    old: HashMap<K, Bytes>,
    young_bytes: usize,
    generation_bytes: usize,
}

impl<K: Hash + Eq> Cache<K> {
    /// Holds at most so many bytes.
    pub fn new(bytes: usize) -> Self {
        let generation_bytes = bytes / 2;
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, generation_bytes }
    }

    pub fn get(&mut self, key: &K) -> Option<Bytes> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    /// Keeps a value, unless it alone is more than a generation.
    pub fn insert(&mut self, key: K, value: Bytes) {
        let length = value.len();
        if length > self.generation_bytes {
            return;
        }
        if self.young_bytes + length > self.generation_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += length;
        if let Some(before) = self.young.insert(key, value) {
            self.young_bytes -= before.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_bytes_and_keeps_what_is_used() {
        let mut cache = Cache::new(100);
        for n in 0..1000 {
            cache.insert(n, Bytes::from(vec![0; 10]));
            assert!(cache.get(&0).is_some(), "forgotten after {n}");
            let held: usize = cache.young.values().chain(cache.old.values()).map(Bytes::len).sum();
            assert!(held <= 100, "{held}");
        }
        assert!(cache.get(&500).is_none());
    }
}
