//! The crate from outside.

mod text;
