//! A clock reading that tests can write down.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Time since the process started.
///
/// An `Instant` comes only from the system clock, so code that takes one cannot be replayed
/// from a file. A `Time` is a number: drivers make it from a real clock, tests and recorded
/// sessions write it down.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    pub const ZERO: Self = Self(Duration::ZERO);

    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    pub const fn from_millis(elapsed: u64) -> Self {
        Self(Duration::from_millis(elapsed))
    }

    pub const fn since_start(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

/// Saturates: two drivers may read their clocks a hair apart.
impl Sub for Time {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.0.saturating_sub(rhs.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.0.as_secs(), self.0.subsec_millis())
    }
}
