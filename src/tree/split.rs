//! Where a leaf or a node ends: the rule that makes trees of equal rows equal.
//!
//! After the `n`-th entry since the last cut, whose key is `k`, a chunk of level `l` (0 for
//! leaves) ends if
//!
//! ```text
//! u32_be(sha256(l ‖ k)[0..4])  <  factor · n³
//! ```
//!
//! The chance to cut grows with the cube of the length, which makes the lengths a discrete
//! Weibull distribution of shape 4: mean `0.9064 · (2³⁴ / factor)^¼`, deviation 28 % of it, and no
//! tail, since past `(2³² / factor)^⅓` entries the cut is certain. It is integers only, so every
//! reader and writer agrees to the bit. The idea of a length-dependent chance is that of Dolt's
//! key splitter; counting entries and not bytes makes a cut depend on nothing but keys, so that a
//! row changed in place moves no boundary.
//!
//! One guard depends on sizes: a leaf also ends once its rows have [`LEAF_BYTES_LIMIT`] bytes.

use sha2::{Digest, Sha256};

/// The factor of new stores for leaves: 138 rows on average, at most 512.
pub const LEAF_FACTOR: u32 = 32;

/// The factor of new stores for inner nodes: 48 children on average, at most 128.
pub const NODE_FACTOR: u32 = 2048;

/// A leaf with this many bytes of COPY text ends whatever its keys say.
pub const LEAF_BYTES_LIMIT: u64 = 1 << 20;

/// How long leaves and nodes get: a store's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splitter {
    /// For leaves.
    pub leaf_factor: u32,
    /// For inner nodes.
    pub node_factor: u32,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { leaf_factor: LEAF_FACTOR, node_factor: NODE_FACTOR }
    }
}

impl Splitter {
    /// Whether a chunk of this level ends after its `n`-th entry (from 1), whose key is `key`.
    #[must_use]
    pub fn ends_after(&self, level: u8, n: u64, key: &[u8]) -> bool {
        let factor = if level == 0 { self.leaf_factor } else { self.node_factor };
        let limit = u128::from(factor) * u128::from(n).pow(3);
        u128::from(draw(level, key)) < limit
    }
}

/// The number that a key draws on a level: uniform over 32 bits.
#[must_use]
pub fn draw(level: u8, key: &[u8]) -> u32 {
    let digest = Sha256::new().chain_update([level]).chain_update(key).finalize();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors for other readers and writers; `store-format.md` repeats them.
    #[test]
    fn the_draws_are_these() {
        let draws = [
            (0, "", draw(0, b"")),
            (0, "prod-vrf", draw(0, b"prod-vrf")),
            (1, "prod-vrf", draw(1, b"prod-vrf")),
            (0, "manual-prod-vrf-10-1-0-0-16", draw(0, b"manual-prod-vrf-10-1-0-0-16")),
        ];
        insta::assert_debug_snapshot!(draws);
    }

    #[test]
    fn the_first_row_rarely_ends_a_leaf_and_the_512th_always_does() {
        let splitter = Splitter::default();
        let keys = (0..10_000_u32).map(u32::to_be_bytes);
        let ended = keys.clone().filter(|key| splitter.ends_after(0, 1, key)).count();
        assert!(ended < 10, "{ended} of 10,000");
        assert!(keys.clone().all(|key| splitter.ends_after(0, 512, &key)));
    }

    #[test]
    fn leaves_have_138_rows_on_average_and_few_are_short_or_long() {
        let splitter = Splitter::default();
        let mut lengths = Vec::new();
        let mut n = 0;
        for key in (0..200_000_u32).map(u32::to_be_bytes) {
            n += 1;
            if splitter.ends_after(0, n, &key) {
                lengths.push(n);
                n = 0;
            }
        }
        let mean = lengths.iter().sum::<u64>() / lengths.len() as u64;
        assert!((130..146).contains(&mean), "mean {mean}");
        lengths.sort_unstable();
        let share = |part: usize| lengths[lengths.len() * part / 100];
        assert!(share(5) > 60 && share(95) < 215, "{} and {}", share(5), share(95));
    }
}
