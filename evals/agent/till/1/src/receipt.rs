//! What is printed for the customer.

use crate::cart::Cart;

/// Receipts are this many characters wide.
pub const WIDTH: usize = 32;

// TODO: print the date
pub fn receipt(cart: &Cart) -> String {
    let mut text = String::new();
    for line in cart.lines() {
        let price = line.price.times(line.count).to_string();
        let name = format!("{} x {}", line.count, line.name);
        text.push_str(&format!("{name}{price:>width$}\n", width = WIDTH - name.len()));
    }
    let total = cart.total();
    text.push_str(&format!("Total{:>width$}\n", total.to_string(), width = WIDTH - 5));
    text.push_str(&format!("of which tax{:>width$}\n", total.tax().to_string(), width = WIDTH - 12));
    text
}
