//! Ears and voice: four small networks as plain, synchronous functions of samples and text.
//!
//! * [`Vad`]: is somebody speaking in this 32 ms frame?
//! * [`EndOfTurn`]: has the speaker finished, or only paused?
//! * [`Asr`]: what was said?
//! * [`Tts`]: how does this sound?
//!
//! Nothing here knows about devices, conversations or time; nothing spawns a task or draws a random
//! number. All of them take 16 kHz mono `f32` in [-1, 1], except the voice, which gives 24 kHz mono
//! PCM16. Every call runs on the [`Cores`] its network was loaded with, so whoever owns the cores
//! decides when a call is made; the long ones ([`Asr::transcribe`], [`Tts::speak`]) also ask between
//! steps whether to go on.

mod asr;
mod cores;
mod end_of_turn;
mod error;
mod mel;
mod net;
pub mod text;
mod tts;
mod vad;

pub use crate::asr::{Asr, AsrError, AsrFiles, AsrOptions, Transcript};
pub use crate::cores::Cores;
pub use crate::end_of_turn::EndOfTurn;
pub use crate::error::{LoadError, NetError};
pub use crate::tts::{Sentence, Tts, TtsError, TtsFiles, TtsOptions, VOICE_RATE};
pub use crate::vad::{VAD_FRAME, Vad, VadStream};

/// What the ears take: samples per second.
pub const EAR_RATE: u32 = 16_000;
