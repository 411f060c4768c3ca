//! What the customer wants to buy.

use crate::money::Cents;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub name: String,
    pub price: Cents,
    pub count: u64,
}

#[derive(Debug, Default)]
pub struct Cart {
    lines: Vec<Line>,
}

impl Cart {
    pub fn add(&mut self, name: &str, price: Cents, count: u64) {
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.count += count,
            None => self.lines.push(Line { name: name.to_string(), price, count }),
        }
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub fn total(&self) -> Cents {
        self.lines.iter().fold(Cents(0), |sum, line| sum.plus(line.price.times(line.count)))
    }
}
