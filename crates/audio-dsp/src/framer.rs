//! Cuts a stream of samples into frames of one length, whatever pieces it arrives in.

use std::collections::VecDeque;

/// ```text
/// push 3 samples, push 5 samples, frames of 4: [0 1 2 3] [4 5 6 7]
/// ```
#[derive(Debug, Clone)]
pub struct Framer<T> {
    waiting: VecDeque<T>,
    len: usize,
}

impl<T: Copy> Framer<T> {
    /// Frames of `len` samples; a length of 0 is taken as 1.
    pub fn new(len: usize) -> Self {
        Self { waiting: VecDeque::new(), len: len.max(1) }
    }

    pub fn push(&mut self, samples: &[T]) {
        self.waiting.extend(samples);
    }

    /// The next whole frame.
    pub fn next_frame(&mut self) -> Option<Vec<T>> {
        (self.len <= self.waiting.len()).then(|| self.waiting.drain(..self.len).collect())
    }

    /// What is left of less than a frame at the end of a stream.
    pub fn take_rest(&mut self) -> Vec<T> {
        std::mem::take(&mut self.waiting).into()
    }

    /// Samples that wait for their frame to fill.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_do_not_depend_on_the_pieces() {
        let samples: Vec<u16> = (0..1_000).collect();
        for piece in [1, 3, 7, 100, 480, 999] {
            let mut framer = Framer::new(64);
            let mut frames = Vec::new();
            for piece in samples.chunks(piece) {
                framer.push(piece);
                frames.extend(std::iter::from_fn(|| framer.next_frame()));
            }
            assert!(frames.iter().all(|frame| frame.len() == 64));
            frames.push(framer.take_rest());
            assert_eq!(frames.concat(), samples);
        }
    }

    #[test]
    fn a_frame_of_nothing_is_no_endless_stream() {
        let mut framer = Framer::new(0);
        assert_eq!(framer.next_frame(), None);
        framer.push(&[1.0_f32]);
        assert_eq!(framer.next_frame(), Some(vec![1.0]));
        assert_eq!(framer.next_frame(), None);
    }
}
