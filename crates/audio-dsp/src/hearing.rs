//! Sound of any shape, as the one shape everything inside has.

use crate::{DUET_HZ, RateError, Resampler, downmix, f32_from_pcm16, f32_to_pcm16};

/// The sound of one client for one thread. A change of shape in the middle begins a new
/// stream: nothing of the old one is lost.
#[derive(Debug, Default)]
pub struct Hearing {
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    hz: u32,
    channels: u16,
    resampler: Resampler,
}

impl Hearing {
    /// `pcm` has its channels interleaved. What comes back is 24 kHz mono: the same, where that
    /// is what came. Resampled sound lags what was sent by a few milliseconds.
    pub fn hear(&mut self, pcm: Vec<i16>, hz: u32, channels: u16) -> Result<Vec<i16>, RateError> {
        let mut resampled = Vec::new();
        let changed = self.stream.as_ref().is_some_and(|it| (it.hz, it.channels) != (hz, channels));
        if changed && let Some(mut ended) = self.stream.take() {
            ended.resampler.finish(&mut resampled);
        }
        if (hz, channels) == (DUET_HZ, 1) {
            if resampled.is_empty() {
                return Ok(pcm);
            }
            let mut heard = f32_to_pcm16(&resampled);
            heard.extend(pcm);
            return Ok(heard);
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let resampler = Resampler::new(hz, DUET_HZ)?;
                self.stream.insert(Stream { hz, channels, resampler })
            }
        };
        let mono = downmix(&f32_from_pcm16(&pcm), usize::from(channels));
        stream.resampler.push(&mono, &mut resampled);
        Ok(f32_to_pcm16(&resampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of 440 Hz on every channel.
    fn tone(hz: u32, channels: u16, ms: u32) -> Vec<i16> {
        let sample = |i: u32| {
            let phase = f64::from(i) * 440.0 / f64::from(hz) * std::f64::consts::TAU;
            (phase.sin() * 10_000.0) as i16
        };
        (0..hz * ms / 1000).flat_map(|i| vec![sample(i); usize::from(channels)]).collect()
    }

    fn crossings(pcm: &[i16]) -> usize {
        pcm.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count()
    }

    #[test]
    fn every_shape_sounds_the_same() {
        for (hz, channels) in [(24_000, 1), (48_000, 2), (16_000, 1), (44_100, 1), (8_000, 2)] {
            let mut hearing = Hearing::default();
            let mut heard = Vec::new();
            for part in tone(hz, channels, 1000).chunks(usize::from(channels) * 441) {
                heard.extend(hearing.hear(part.to_vec(), hz, channels).unwrap());
            }
            let ms = heard.len() / 24;
            assert!((950..=1000).contains(&ms), "{hz} Hz, {channels} channels: {ms} ms");
            let pitch = crossings(&heard) * 1000 / ms;
            assert!((435..=445).contains(&pitch), "{hz} Hz, {channels} channels: {pitch} Hz");
        }
    }

    #[test]
    fn a_change_of_shape_loses_nothing() {
        let mut hearing = Hearing::default();
        let mut heard = hearing.hear(tone(48_000, 2, 500), 48_000, 2).unwrap();
        heard.extend(hearing.hear(tone(24_000, 1, 500), 24_000, 1).unwrap());
        assert_eq!(heard.len(), 24_000);
    }
}
