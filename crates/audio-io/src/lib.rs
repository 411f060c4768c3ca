//! Where sound enters and leaves the process: WAV files, and raw sound through pipes.
//!
//! Inside, sound is 24 kHz mono PCM16, and so it is in a pipe. Reading takes WAV of any rate,
//! channel count and sample format and converts it; writing places sound on a timeline, as a
//! speaker would have played it.

mod raw;
mod timeline;
mod wav;

pub use crate::raw::{RawError, RawPlace, RawReader};
pub use crate::timeline::{Timeline, TimelineError};
pub use crate::wav::{WavError, WavReader, WavShape, write_wav};
