//! Where sound enters and leaves the process: microphones and speakers, WAV files, and raw sound
//! through pipes.
//!
//! Inside, sound is 24 kHz mono PCM16, and so it is in a pipe; devices are converted by the sound
//! server that has them. Reading takes WAV of any rate,
//! channel count and sample format and converts it; writing places sound on a timeline, as a
//! speaker would have played it.

mod device;
mod loudspeaker;
mod microphone;
mod raw;
mod sound_server;
mod timeline;
mod wav;

pub use crate::device::{Device, DeviceError, DeviceKind};
pub use crate::loudspeaker::Loudspeaker;
pub use crate::microphone::Microphone;
pub use crate::raw::{RawError, RawPlace, RawReader};
pub use crate::sound_server::SoundServer;
pub use crate::timeline::{Timeline, TimelineError};
pub use crate::wav::{WavError, WavReader, WavShape, write_wav};
