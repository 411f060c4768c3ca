//! Numbers that look random and mean the same next year.

/// SplitMix64. For seeded worlds and for jitter whose seed the driver supplies: a pure
/// machine may not draw from the system.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in `0..sides`; 0 when `sides` is 0.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).checked_rem(sides).unwrap_or(0)
    }

    /// True once in `sides` rolls.
    pub fn once_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}
