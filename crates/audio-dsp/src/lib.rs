//! Sound as numbers: rates, channels, sample formats, levels, frames, and what is due when.
//!
//! Everything here is a function of the samples it was given: no devices, no files, no clock.
//! Inside Duet sound is 24 kHz mono PCM16; the speech nets take 16 kHz `f32`. Other shapes are
//! converted at the doors with what is here, and never misread.

mod framer;
pub mod g711;
mod hearing;
mod levels;
mod pcm;
mod playout;
mod resampler;

pub use crate::framer::Framer;
pub use crate::hearing::Hearing;
pub use crate::levels::{Levels, SILENCE_DBFS};
pub use crate::pcm::{Pcm16Bytes, downmix, f32_from_pcm16, f32_to_pcm16};
pub use crate::playout::{Block, Playout, SOUND_AHEAD_MS, Silenced};
pub use crate::resampler::{RateError, Resampler};

/// Samples a second of sound inside Duet, and of the realtime protocol's `audio/pcm`.
pub const DUET_HZ: u32 = 24_000;

/// Samples a second that the speech nets take.
pub const SPEECH_HZ: u32 = 16_000;
