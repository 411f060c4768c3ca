//! What the wave buoy logs, and what follows from it.

pub mod alarm;
pub mod average;
pub mod reading;
