use till::{Cart, Cents};

#[test]
fn an_empty_cart_costs_nothing() {
    assert_eq!(Cart::default().total(), Cents(0));
}

#[test]
fn the_same_thing_twice_is_one_line() {
    let mut cart = Cart::default();
    cart.add("tea", Cents(250), 1);
    cart.add("tea", Cents(250), 1);
    assert_eq!(cart.lines().len(), 1);
    assert_eq!(cart.total(), Cents(500));
}

#[test]
fn tax_is_part_of_the_price() {
    assert_eq!(Cents(1190).tax(), Cents(190));
}
