//! Less for those who buy more.

use crate::cart::Line;
use crate::money::Cents;

/// From this many of the same thing on, each costs less.
pub const BULK_COUNT: u64 = 3;
pub const BULK_PERCENT: u64 = 10;

/// What a line costs after its discount.
pub fn discounted(line: &Line) -> Cents {
    let full = line.price.times(line.count);
    if line.count > BULK_COUNT {
        Cents(full.0 * (100 - BULK_PERCENT) / 100)
    } else {
        full
    }
}
