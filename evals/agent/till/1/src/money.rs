//! Money as whole cents.

use std::fmt;

/// Value added tax, in percent of the price without it.
pub const VAT_PERCENT: u64 = 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cents(pub u64);

impl Cents {
    pub fn times(self, count: u64) -> Cents {
        Cents(self.0 * count)
    }

    pub fn plus(self, other: Cents) -> Cents {
        Cents(self.0 + other.0)
    }

    /// The part of a price that is tax.
    pub fn tax(self) -> Cents {
        Cents(self.0 * VAT_PERCENT / (100 + VAT_PERCENT))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
