//! The way of a client's sound to a thread, past everything else that a connection does.
//!
//! A conversation whose link is slow makes its sound wait here, and nothing but its sound:
//! requests behind it are answered, above all the one that stops it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Poll;

use app_server_protocol::{AudioChunk, AudioShapeError};
use audio_dsp::{DUET_HZ, Hearing, RateError};
use engine::{Refused, Thread};

/// Sound that may wait here. The thread itself holds some seconds before this begins to fill.
const MAX_WAITING_SAMPLES: usize = 2 * DUET_HZ as usize;

pub(crate) struct Microphone {
    thread: Thread,
    hearing: Hearing,
    /// The frame that the thread has not taken yet; those after it are in `waiting`.
    sending: Option<Sending>,
    waiting: VecDeque<Vec<i16>>,
    waiting_samples: usize,
}

type Sending = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send>>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum MicrophoneError {
    #[error(transparent)]
    Shape(#[from] AudioShapeError),
    #[error(transparent)]
    Rate(#[from] RateError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the conversation is seconds behind: send sound as fast as it sounds, not faster")]
    TooFast,
}

impl Microphone {
    pub(crate) fn new(thread: Thread) -> Self {
        Self {
            thread,
            hearing: Hearing::default(),
            sending: None,
            waiting: VecDeque::new(),
            waiting_samples: 0,
        }
    }

    /// Passes the sound on, or keeps it until the thread takes it.
    pub(crate) fn append(&mut self, chunk: &AudioChunk) -> Result<(), MicrophoneError> {
        if self.waiting_samples > MAX_WAITING_SAMPLES {
            return Err(MicrophoneError::TooFast);
        }
        let pcm = self.hearing.hear(chunk.pcm()?, chunk.sample_rate, chunk.num_channels)?;
        if pcm.is_empty() {
            return Ok(());
        }
        if self.is_waiting() {
            self.waiting_samples += pcm.len();
            self.waiting.push_back(pcm);
            return Ok(());
        }
        let mut sending = self.send(pcm);
        // Nearly always it is taken at once.
        let mut idle = std::task::Context::from_waker(std::task::Waker::noop());
        match sending.as_mut().poll(&mut idle) {
            Poll::Ready(taken) => Ok(taken?),
            Poll::Pending => {
                self.sending = Some(sending);
                Ok(())
            }
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.sending.is_some()
    }

    /// Sends what waits. Returns when all of it is sent, or nobody takes it any more. To be
    /// called again when it was dropped on the way.
    pub(crate) async fn flush(&mut self) {
        while let Some(sending) = &mut self.sending {
            let taken = sending.await;
            self.sending = None;
            if taken.is_err() {
                // The conversation has ended, which its own notification says.
                self.waiting.clear();
            }
            if let Some(pcm) = self.waiting.pop_front() {
                self.sending = Some(self.send(pcm));
            }
            self.waiting_samples = self.waiting.iter().map(Vec::len).sum();
        }
    }

    fn send(&self, pcm: Vec<i16>) -> Sending {
        let thread = self.thread.clone();
        Box::pin(async move { thread.append_audio(pcm).await })
    }
}
