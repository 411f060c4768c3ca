//! Smoothing.

/// The mean of each value with those before it, `window` values at most.
pub fn running_mean(values: &[f64], window: usize) -> Vec<f64> {
    let mut means = Vec::new();
    for at in 0..values.len() {
        let from = at.saturating_sub(window);
        means.push(mean(&values[from..=at]));
    }
    means
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
