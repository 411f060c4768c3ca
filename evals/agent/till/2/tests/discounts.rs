use till::cart::Line;
use till::{discounted, Cents};

fn line(count: u64) -> Line {
    Line { name: "tea".to_string(), price: Cents(100), count }
}

#[test]
fn one_costs_the_full_price() {
    assert_eq!(discounted(&line(1)), Cents(100));
}

#[test]
fn three_of_a_kind_get_ten_percent_off() {
    assert_eq!(discounted(&line(3)), Cents(270));
}

#[test]
fn ten_of_a_kind_get_ten_percent_off() {
    assert_eq!(discounted(&line(10)), Cents(900));
}
