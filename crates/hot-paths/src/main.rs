//! What `cargo xtask gates` measures from outside and from inside: one hot path, gone COUNT times.
//!
//! ```text
//! hot-paths PATH COUNT    microphone, microphone-48k, model-delta, voice
//! ```
//!
//! Prints how much was allocated on the way, as JSON. The way is gone [`WARM_UP`] times before
//! that, so that buffers have the size they keep; who counts instructions runs it with two COUNTs
//! and takes the difference. No clock and no thread: two runs do the same.

mod allocations;
mod path;

use std::hint::black_box;

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::allocations::{Allocated, Counting};
use crate::path::{Delta, Microphone, Path, Voice};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Also past the first times, which begin items and tell of stages.
const WARM_UP: u32 = 100;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().context("which path?")?;
    let count: u32 = words.next().context("how often?")?.parse()?;
    let mut path = named(&name)?;
    let mut out = Vec::new();
    go(path.as_mut(), WARM_UP, &mut out)?;
    let before = Allocated::so_far();
    go(path.as_mut(), count, &mut out)?;
    let Allocated { allocations, bytes } = Allocated::so_far().since(before);
    println!("{}", json!({ "allocations": allocations, "bytes": bytes }));
    Ok(())
}

fn named(name: &str) -> anyhow::Result<Box<dyn Path>> {
    Ok(match name {
        "microphone" => Box::new(Microphone::new()),
        "microphone-48k" => Box::new(Microphone::of_48_khz()),
        "model-delta" => Box::new(Delta::new()?),
        "voice" => Box::new(Voice::new()?),
        _ => bail!("there is no path {name}"),
    })
}

fn go(path: &mut dyn Path, times: u32, out: &mut Vec<String>) -> anyhow::Result<()> {
    for _ in 0..times {
        path.step(out)?;
        black_box(&mut *out).clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_counted() {
        let before = Allocated::so_far();
        let mut text = black_box(String::with_capacity(100));
        text.reserve_exact(black_box(300));
        drop(black_box(text));
        let Allocated { allocations, bytes } = Allocated::so_far().since(before);
        assert!(2 <= allocations && 300 <= bytes, "{allocations} of {bytes} bytes");
    }
}
