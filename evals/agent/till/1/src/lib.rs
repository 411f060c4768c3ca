//! The arithmetic of a shop till.

pub mod cart;
pub mod money;
pub mod receipt;

pub use cart::Cart;
pub use money::Cents;
