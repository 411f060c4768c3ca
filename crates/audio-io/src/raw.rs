//! Raw sound through pipes: 24 kHz mono PCM16, little-endian, without a header.
//!
//! Whatever tool a machine has records and plays this. Reading and writing block, and so does
//! opening a named pipe, until somebody has opened its other end: they are for threads that nobody
//! waits for.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use audio_dsp::{DUET_HZ, Framer, Pcm16Bytes};

/// 20 ms: what a microphone would deliver at a time.
const FRAME: usize = DUET_HZ as usize / 50;

/// The most that is read at a time: a third of a second.
const READ_BYTES: usize = 16 * 1024;

/// Enough to know a WAV file by.
const HEAD_BYTES: usize = 12;

/// Where raw sound comes from, or goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPlace {
    /// Standard input, or standard output.
    Standard,
    NamedPipe(PathBuf),
}

/// Raw sound as frames of 20 ms.
#[derive(Debug)]
pub struct RawReader<R> {
    source: R,
    /// The first bytes, until they are enough. `None` once it is known that they are sound.
    head: Option<Vec<u8>>,
    bytes: Pcm16Bytes,
    framer: Framer<i16>,
}

/// Why a stream gives no sound.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    #[error(
        "it begins as a WAV file, and a stream has no header: name a file with --input, or take \
         the header off, for instance with `ffmpeg -i - -f s16le -ar 24000 -ac 1 -`"
    )]
    Wav,
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

impl RawPlace {
    /// `None` where sound is read from a file. `-` is standard input, by that or another name.
    pub fn of_input(path: &Path) -> Option<Self> {
        Self::of(path, Path::new("/dev/stdin"), io::stdin().as_fd())
    }

    /// `None` where sound is written to a file. `-` is standard output, by that or another name.
    pub fn of_output(path: &Path) -> Option<Self> {
        Self::of(path, Path::new("/dev/stdout"), io::stdout().as_fd())
    }

    fn of(path: &Path, name: &Path, descriptor: BorrowedFd<'_>) -> Option<Self> {
        if path == Path::new("-") {
            return Some(Self::Standard);
        }
        let there = fs::metadata(path).ok()?;
        let kind = there.file_type();
        // A file that a shell put there is a file.
        if path == name && !kind.is_file() {
            return Some(Self::Standard);
        }
        if !kind.is_fifo() {
            return None;
        }
        let standard = of_descriptor(descriptor).and_then(|it| it.metadata());
        if standard.is_ok_and(|it| (it.dev(), it.ino()) == (there.dev(), there.ino())) {
            return Some(Self::Standard);
        }
        Some(Self::NamedPipe(path.to_owned()))
    }

    /// Blocks, see above.
    pub fn open_input(&self) -> io::Result<File> {
        match self {
            Self::Standard => of_descriptor(io::stdin().as_fd()),
            Self::NamedPipe(path) => File::open(path),
        }
    }

    /// Blocks, see above.
    pub fn open_output(&self) -> io::Result<File> {
        match self {
            Self::Standard => of_descriptor(io::stdout().as_fd()),
            Self::NamedPipe(path) => File::options().write(true).open(path),
        }
    }
}

/// Without the buffers and the lock that the library has for it.
fn of_descriptor(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    Ok(File::from(descriptor.try_clone_to_owned()?))
}

impl<R: Read> RawReader<R> {
    pub fn new(source: R) -> Self {
        Self {
            source,
            head: Some(Vec::new()),
            bytes: Pcm16Bytes::default(),
            framer: Framer::new(FRAME),
        }
    }

    /// Blocks until there are 20 ms; the last frame may be shorter; `None` at the end. Half a
    /// sample at the end is none.
    pub fn next_frame(&mut self) -> Result<Option<Vec<i16>>, RawError> {
        loop {
            if let Some(frame) = self.framer.next_frame() {
                return Ok(Some(frame));
            }
            let mut read = vec![0; READ_BYTES];
            match self.source.read(&mut read) {
                Ok(0) => {
                    let head = self.head.take().unwrap_or_default();
                    self.framer.push(&self.bytes.push(&head));
                    let rest = self.framer.take_rest();
                    return Ok((!rest.is_empty()).then_some(rest));
                }
                Ok(count) => self.take(&read[..count])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&mut self, read: &[u8]) -> Result<(), RawError> {
        let Some(mut head) = self.head.take() else {
            self.framer.push(&self.bytes.push(read));
            return Ok(());
        };
        head.extend_from_slice(read);
        if head.len() < HEAD_BYTES {
            self.head = Some(head);
            return Ok(());
        }
        let [magic, _length, form] = [&head[..4], &head[4..8], &head[8..12]];
        if (magic == b"RIFF" || magic == b"RF64") && form == b"WAVE" {
            return Err(RawError::Wav);
        }
        self.framer.push(&self.bytes.push(&head));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its pieces one by one, as a pipe does.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn read(pieces: Vec<Vec<u8>>) -> Result<Vec<Vec<i16>>, RawError> {
        let mut reader = RawReader::new(Pieces(pieces));
        std::iter::from_fn(|| reader.next_frame().transpose()).collect()
    }

    #[test]
    fn frames_do_not_depend_on_where_the_bytes_are_cut() {
        let samples: Vec<i16> = (0..1_000).map(|i| i * 31).collect();
        let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        for piece in [1, 2, 3, 7, 959, 960, 961, 2_000] {
            let frames = read(bytes.chunks(piece).map(<[u8]>::to_vec).collect()).unwrap();
            let lengths: Vec<usize> = frames.iter().map(Vec::len).collect();
            assert_eq!(lengths, [480, 480, 40], "in pieces of {piece}");
            assert_eq!(frames.concat(), samples, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_short_stream_is_heard_and_half_a_sample_is_none() {
        assert_eq!(read(vec![vec![1, 0, 2, 0, 3]]).unwrap(), [[1, 2]]);
        assert_eq!(read(vec![vec![3]]).unwrap(), Vec::<Vec<i16>>::new());
        assert_eq!(read(Vec::new()).unwrap(), Vec::<Vec<i16>>::new());
    }

    #[test]
    fn a_header_is_no_sound() {
        let header = b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec();
        for piece in [1, 5, 16] {
            let pieces = header.chunks(piece).map(<[u8]>::to_vec).collect();
            assert!(matches!(read(pieces), Err(RawError::Wav)), "in pieces of {piece}");
        }
        // Loud, and no header.
        assert_eq!(read(vec![b"RIFF and so on".to_vec()]).unwrap().concat().len(), 7);
    }

    #[test]
    fn names_tell_streams_from_files() {
        let standard = Some(RawPlace::Standard);
        assert_eq!(RawPlace::of_input(Path::new("-")), standard);
        assert_eq!(RawPlace::of_output(Path::new("-")), standard);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(RawPlace::of_input(file.path()), None);
        assert_eq!(RawPlace::of_output(Path::new("/none/answer.wav")), None);
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("answer.pcm");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(RawPlace::of_output(&pipe), Some(RawPlace::NamedPipe(pipe)));
        // A device takes a WAV file.
        assert_eq!(RawPlace::of_output(Path::new("/dev/null")), None);
    }
}
