//! Where sound enters and leaves the process: for now WAV files.
//!
//! Inside, sound is 24 kHz mono PCM16. Reading takes WAV of any rate, channel count and sample
//! format and converts it; writing places sound on a timeline, as a speaker would have played
//! it.

mod timeline;
mod wav;

pub use crate::timeline::{Timeline, TimelineError};
pub use crate::wav::{WavError, WavReader, WavShape, write_wav};
