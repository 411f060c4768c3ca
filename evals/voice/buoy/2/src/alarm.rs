//! When the harbour office is warned.

use crate::reading::Reading;

/// Waves from this height on are a storm, whatever the wind.
pub const STORM_WAVE_METRES: f64 = 4.5;

/// Wind from this speed on is a gale.
pub const GALE_KNOTS: f64 = 34.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    Calm,
    Watch,
    Storm,
}

// TODO: warn as well when the water cools by more than two degrees in an hour
pub fn level(reading: &Reading) -> Level {
    if reading.wave_metres >= STORM_WAVE_METRES {
        Level::Storm
    } else if reading.wind_knots >= GALE_KNOTS {
        Level::Watch
    } else {
        Level::Calm
    }
}
