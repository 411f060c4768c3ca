//! Whether this machine can run the models, asked before anything is downloaded.

use std::fs;
use std::path::Path;

use crate::shelf::free_space;

/// Resident size of the bundled agent model with its context, and of the speech models
/// (measured: `docs/benchmarks.md`), with room for the rest of Duet.
const MEMORY_NEEDED: u64 = 3 << 30;

/// What the bundled models need and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Memory that could be had without swapping, in bytes; `None` where the system does not say.
    pub memory: Option<u64>,
    /// AVX2, FMA and F16C: what llama.cpp is built with here. Always true off x86-64.
    pub vector_units: bool,
    /// Free on the disk of the models directory, in bytes.
    pub disk: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "the bundled models need {} of free memory and this machine has {}; close something, or use a provider in config.toml",
        size(*need), size(*have)
    )]
    Memory { need: u64, have: u64 },
    #[error(
        "this CPU lacks AVX2, FMA or F16C, which the bundled models need; use a provider in config.toml"
    )]
    Cpu,
    #[error(
        "{} must be fetched and the disk has {} free; free some space, or name another disk with DUET_MODELS",
        size(*need), size(*have)
    )]
    Disk { need: u64, have: u64 },
}

impl Machine {
    pub fn probe(models_dir: &Path) -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").ok();
        Self {
            memory: meminfo.as_deref().and_then(available_memory),
            vector_units: has_vector_units(),
            disk: free_space(models_dir).ok(),
        }
    }

    /// `to_fetch` are bytes still to come.
    pub fn check(&self, to_fetch: u64) -> Result<(), Unfit> {
        if !self.vector_units {
            return Err(Unfit::Cpu);
        }
        if let Some(have) = self.memory.filter(|have| *have < MEMORY_NEEDED) {
            return Err(Unfit::Memory { need: MEMORY_NEEDED, have });
        }
        match self.disk {
            Some(have) if to_fetch > 0 && have < to_fetch => {
                Err(Unfit::Disk { need: to_fetch, have })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Bytes as people read them: powers of ten, as disks and downloads are sold.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1e3;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        value /= 1e3;
        unit = next;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// `MemAvailable` of Linux' `/proc/meminfo`, in bytes.
fn available_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(target_arch = "x86_64")]
fn has_vector_units() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vector_units() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIT: Machine = Machine { memory: Some(8 << 30), vector_units: true, disk: Some(2 << 30) };

    #[test]
    fn each_lack_is_named() {
        assert_eq!(FIT.check(1 << 30), Ok(()));
        assert_eq!(Machine { vector_units: false, ..FIT }.check(0), Err(Unfit::Cpu));
        let tight = Machine { memory: Some(1 << 30), ..FIT };
        assert_eq!(tight.check(0), Err(Unfit::Memory { need: 3 << 30, have: 1 << 30 }));
        assert_eq!(FIT.check(3 << 30), Err(Unfit::Disk { need: 3 << 30, have: 2 << 30 }));
        let silent = Machine { memory: None, disk: None, ..FIT };
        assert_eq!(silent.check(3 << 30), Ok(()));
    }

    #[test]
    fn memory_is_read_from_meminfo() {
        let text = "MemTotal:       24576000 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_memory(text), Some(2048 * 1024));
        assert_eq!(available_memory("MemAvailable: lots"), None);
        assert_eq!(available_memory(""), None);
    }

    #[test]
    fn sizes_read_well() {
        let shown: Vec<String> =
            [0, 999, 12_345, 999_600, 1_117_320_768, 20_000_000_000_000].map(size).to_vec();
        assert_eq!(shown, ["0.0 kB", "1.0 kB", "12 kB", "1.0 MB", "1.1 GB", "20 TB"]);
    }
}
