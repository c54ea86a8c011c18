//! Random-looking values that are the same in every run: splitmix64, one stream for each row.

use uuid::Uuid;

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a stream of values is for, so that rows of two tables with one number differ.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Vrf = 1,
    Vpc,
    VpcId,
    Cloud,
    Site,
    Public,
    Device,
}

/// The values of one row.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(stream: Stream, row: u64) -> Self {
        let mut seed = Self((stream as u64) << 56 ^ row);
        Self(seed.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A value from 0 up to, not including, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(end)) >> 64;
        u64::try_from(scaled).expect("the upper half of a product fits")
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(super) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        let last = choices.len() - 1;
        let chosen = usize::try_from(self.below(choices.len() as u64)).unwrap_or(last);
        choices[chosen]
    }

    pub(super) fn uuid(&mut self) -> Uuid {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_splitmix64() {
        // Published for seed 1234567 with the reference implementation.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn every_choice_is_made_and_none_beyond() {
        let mut random = Random::of(Stream::Site, 1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[usize::try_from(random.below(5)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
