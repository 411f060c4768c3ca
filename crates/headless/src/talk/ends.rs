//! Where a talk's sound comes from and where it goes, as the command line names it.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use audio_io::RawPlace;

/// Where the question comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Wav(PathBuf),
    /// Live sound. What is said while an answer sounds interrupts it, or adds to the work.
    Raw(RawPlace),
    /// Live too. By its name or a part of it; without one, the default.
    Microphone(Option<String>),
}

/// Where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Wav(PathBuf),
    /// What a speaker would play, in real time.
    Raw(RawPlace),
    /// By its name or a part of it; without one, the default.
    Speaker(Option<String>),
}

impl Input {
    /// `-` and pipes are raw; all else is a WAV file.
    pub fn named(path: PathBuf) -> Self {
        RawPlace::of_input(&path).map_or(Self::Wav(path), Self::Raw)
    }

    /// Whether it is standard input.
    pub fn is_standard(&self) -> bool {
        *self == Self::Raw(RawPlace::Standard)
    }

    /// Whether `output` is the same file or pipe, by whatever name.
    pub(crate) fn is_same(&self, output: &Output) -> bool {
        let id = |path: Option<&Path>| fs::metadata(path?).ok().map(|it| (it.dev(), it.ino()));
        let input = match self {
            Self::Wav(path) | Self::Raw(RawPlace::NamedPipe(path)) => Some(path.as_path()),
            Self::Raw(RawPlace::Standard) | Self::Microphone(_) => None,
        };
        id(input).is_some_and(|input| Some(input) == id(output.path()))
    }

    /// What helps where nothing was heard.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Wav(_) => "listen to it, and record it louder or closer",
            Self::Raw(_) => {
                "check that the recorder runs, that its microphone is not muted, and that it \
                 writes raw 24 kHz mono PCM16, as `arecord -t raw -f S16_LE -r 24000 -c 1` does"
            }
            Self::Microphone(_) => {
                "speak louder or closer, check that it is not muted and that it is the one you \
                 speak into (`duet talk --list-devices`)"
            }
        }
    }
}

impl Output {
    /// `-` and pipes are raw; all else is a WAV file.
    pub fn named(path: PathBuf) -> Self {
        RawPlace::of_output(&path).map_or(Self::Wav(path), Self::Raw)
    }

    /// Whether it is standard output, where no text can be then.
    pub fn is_standard(&self) -> bool {
        *self == Self::Raw(RawPlace::Standard)
    }

    /// `None` for standard output and for a speaker.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Wav(path) | Self::Raw(RawPlace::NamedPipe(path)) => Some(path),
            Self::Raw(RawPlace::Standard) | Self::Speaker(_) => None,
        }
    }
}

/// As a sentence names it.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wav(path) | Self::Raw(RawPlace::NamedPipe(path)) => path.display().fmt(f),
            Self::Raw(RawPlace::Standard) => f.write_str("standard input"),
            Self::Microphone(None) => f.write_str("the microphone"),
            Self::Microphone(Some(name)) => write!(f, "the microphone {name}"),
        }
    }
}

/// As a sentence names it.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wav(path) | Self::Raw(RawPlace::NamedPipe(path)) => path.display().fmt(f),
            Self::Raw(RawPlace::Standard) => f.write_str("standard output"),
            Self::Speaker(None) => f.write_str("the speaker"),
            Self::Speaker(Some(name)) => write!(f, "the speaker {name}"),
        }
    }
}
