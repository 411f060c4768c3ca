//! Patches as models write them: read one, apply it to files in memory.
//!
//! ```text
//! *** Begin Patch
//! *** Update File: src/lib.rs
//! @@ fn greet()
//!  let name = "you";
//! -println!("hi");
//! +println!("hello {name}");
//! *** Add File: NOTES.md
//! +One line.
//! *** Delete File: old.txt
//! *** End Patch
//! ```
//!
//! There are no line numbers: a hunk is found by its own lines, below the lines named after `@@`.
//!
//! Invariants:
//! * All of a patch applies or none of it; a refusal names the file, the hunk and the nearest
//!   line, so that a model can do better.
//! * Lines that a patch does not touch keep every byte, also where they matched only loosely.
//! * Line ends stay those of the file, and so does a missing end of the last line.
//! * No text makes this code panic.

mod apply;
mod locate;
mod parse;
mod text;

pub use crate::apply::{Change, Rejection, Tree, apply};
pub use crate::parse::{Hunk, Line, Operation, ParseError, Patch};
