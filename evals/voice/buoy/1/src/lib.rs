//! What the wave buoy logs, and what follows from it.

pub mod reading;
