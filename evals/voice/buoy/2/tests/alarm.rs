use buoy::alarm::{level, Level, GALE_KNOTS};
use buoy::reading::Reading;

fn reading(wave_metres: f64, wind_knots: f64) -> Reading {
    Reading { time: "12:00".to_string(), wave_metres, wind_knots, water_celsius: 7.0 }
}

#[test]
fn a_flat_sea_is_calm() {
    assert_eq!(level(&reading(0.3, 5.0)), Level::Calm);
}

#[test]
fn a_gale_is_watched() {
    assert_eq!(level(&reading(2.0, GALE_KNOTS)), Level::Watch);
}

#[test]
fn high_waves_are_a_storm_without_wind() {
    assert_eq!(level(&reading(6.0, 5.0)), Level::Storm);
}
