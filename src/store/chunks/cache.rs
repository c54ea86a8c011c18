//! Caches of bytes, bounded by their bytes.

use std::hash::Hash;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

/// The usual length of a value: it sizes a cache's tables.
const USUAL: usize = 8 << 10;

/// Keeps what is used often; never more bytes than it was made for.
pub type ByteCache<K> = Cache<K, Bytes, Length>;

/// A value weighs what it is long.
#[derive(Debug, Clone)]
pub struct Length;

impl<K> Weighter<K, Bytes> for Length {
    fn weight(&self, _: &K, value: &Bytes) -> u64 {
        value.len() as u64
    }
}

/// A cache that holds at most so many bytes.
pub fn cache<K: Hash + Eq>(bytes: usize) -> ByteCache<K> {
    Cache::with_weighter(bytes / USUAL, bytes as u64, Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_bytes_and_keeps_what_is_used() {
        let mut cache = cache(1 << 20);
        for n in 0..10_000 {
            cache.insert(n, Bytes::from(vec![0; USUAL]));
            assert!(cache.get(&0).is_some(), "forgotten after {n}");
            assert!(cache.weight() <= 1 << 20, "{}", cache.weight());
        }
        assert!(cache.get(&500).is_none());
        cache.insert(1, Bytes::from(vec![0; 2 << 20]));
        assert!(cache.get(&1).is_none() && cache.get(&0).is_some(), "what is too long is not kept");
    }
}
