//! What the crate promises about whole signals.

mod resampler;
