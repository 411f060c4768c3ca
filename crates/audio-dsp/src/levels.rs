//! How loud a stretch of sound is.

/// What digital silence is shown as: below the last bit of 16 (-96 dB), so that it sorts
/// below everything that sounds.
pub const SILENCE_DBFS: f32 = -120.0;

/// Levels of some samples, linear: 1.0 is full scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Levels {
    pub rms: f32,
    pub peak: f32,
}

impl Levels {
    /// Of samples in -1.0..=1.0. No samples are silence; what is not a number counts as 0.
    pub fn of(samples: &[f32]) -> Self {
        let finite = |sample: &f32| if sample.is_finite() { *sample } else { 0.0 };
        let energy: f64 = samples.iter().map(finite).map(|it| f64::from(it).powi(2)).sum();
        let peak = samples.iter().map(finite).map(f32::abs).fold(0.0, f32::max);
        Self { rms: (energy / samples.len().max(1) as f64).sqrt() as f32, peak }
    }

    pub fn of_pcm16(samples: &[i16]) -> Self {
        let energy: f64 = samples.iter().map(|it| f64::from(*it).powi(2)).sum();
        let peak = samples.iter().map(|it| it.unsigned_abs()).max().unwrap_or(0);
        Self {
            rms: ((energy / samples.len().max(1) as f64).sqrt() / 32_768.0) as f32,
            peak: f32::from(peak) / 32_768.0,
        }
    }

    /// Decibels below full scale, where a sine of amplitude 1.0 is -3.01.
    pub fn rms_dbfs(&self) -> f32 {
        dbfs(self.rms)
    }

    pub fn peak_dbfs(&self) -> f32 {
        dbfs(self.peak)
    }
}

fn dbfs(level: f32) -> f32 {
    if level <= 0.0 { SILENCE_DBFS } else { (20.0 * level.log10()).max(SILENCE_DBFS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_three_decibels_below_its_peak() {
        let tone: Vec<f32> = (0..24_000)
            .map(|n| (std::f32::consts::TAU * 440.0 * n as f32 / 24_000.0).sin())
            .collect();
        let levels = Levels::of(&tone);
        assert!((levels.rms_dbfs() - -3.01).abs() < 0.01, "{levels:?}");
        assert!(levels.peak_dbfs().abs() < 0.01, "{levels:?}");
    }

    #[test]
    fn silence_and_nothing_are_the_floor() {
        for samples in [&[] as &[i16], &[0; 480]] {
            assert_eq!(Levels::of_pcm16(samples).rms_dbfs(), SILENCE_DBFS);
            assert_eq!(Levels::of_pcm16(samples).peak_dbfs(), SILENCE_DBFS);
        }
    }

    #[test]
    fn the_loudest_negative_sample_is_full_scale() {
        assert_eq!(Levels::of_pcm16(&[i16::MIN]), Levels { rms: 1.0, peak: 1.0 });
    }

    #[test]
    fn what_is_not_a_number_is_not_loud() {
        assert_eq!(Levels::of(&[f32::NAN, f32::INFINITY]), Levels::default());
    }
}
