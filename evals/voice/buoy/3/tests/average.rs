use buoy::average::{mean, running_mean};

#[test]
fn the_mean_of_two_is_between_them() {
    assert_eq!(mean(&[1.0, 2.0]), 1.5);
}

#[test]
fn the_window_holds_three_values() {
    let means = running_mean(&[1.0, 2.0, 3.0, 4.0, 5.0], 3);
    assert_eq!(means, [1.0, 1.5, 2.0, 3.0, 4.0]);
}
