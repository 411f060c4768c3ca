//! The turn as its driver sees it.

mod table;
mod transcripts;
mod world;
