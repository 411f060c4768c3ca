use buoy::units::{celsius_to_fahrenheit, knots_to_metres_per_second};

#[test]
fn ten_knots_are_five_metres_per_second() {
    assert_eq!(knots_to_metres_per_second(10.0).round(), 5.0);
}

#[test]
fn water_boils_at_two_hundred_and_twelve() {
    assert_eq!(celsius_to_fahrenheit(100.0), 212.0);
}
