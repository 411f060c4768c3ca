//! The arithmetic of a shop till.

pub mod cart;
pub mod discount;
pub mod money;
pub mod receipt;

pub use cart::Cart;
pub use discount::discounted;
pub use money::Cents;
