//! What a log promises, on real files.

mod log;
mod shapes;
