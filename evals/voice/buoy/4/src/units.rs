//! From the units of the buoy to those of the weather service.

const METRES_PER_SECOND_IN_A_KNOT: f64 = 0.514444;

pub fn knots_to_metres_per_second(knots: f64) -> f64 {
    knots * METRES_PER_SECOND_IN_A_KNOT
}

pub fn celsius_to_fahrenheit(celsius: f64) -> f64 {
    celsius * 9.0 / 5.0 + 32.0
}
