//! The thread as its driver sees it.

mod script;
mod together;
mod told;
mod world;
