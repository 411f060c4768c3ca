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
        Self {
            memory: memory(Path::new("/")),
            vector_units: has_vector_units(),
            disk: free_space(models_dir).ok(),
        }
    }

    /// Whether the models can run here. A model host that runs already counts against itself,
    /// so this is asked before there are models.
    pub fn can_run(&self) -> Result<(), Unfit> {
        if !self.vector_units {
            return Err(Unfit::Cpu);
        }
        if let Some(have) = self.memory.filter(|have| *have < MEMORY_NEEDED) {
            return Err(Unfit::Memory { need: MEMORY_NEEDED, have });
        }
        Ok(())
    }

    /// Whether the models can be kept here, by whichever machine they are used; `to_fetch` are
    /// bytes still to come.
    pub fn can_hold(&self, to_fetch: u64) -> Result<(), Unfit> {
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

/// What can be had without swapping, of the machine and of every control group that we are in:
/// in a container the machine's memory is not ours. `root` is `/`.
fn memory(root: &Path) -> Option<u64> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let machine = read("proc/meminfo").as_deref().and_then(available_memory);
    let groups = read("proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        // number:controllers:path
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        let version = if controllers.is_empty() {
            &UNIFIED
        } else if controllers.split(',').any(|it| it == "memory") {
            &FIRST
        } else {
            return None;
        };
        version.left(&root.join(version.mount), path)
    });
    machine.into_iter().chain(limits).min()
}

/// Where a version of Linux' control groups says what.
struct Cgroups {
    mount: &'static str,
    limit: &'static str,
    used: &'static str,
    /// A line of `memory.stat`: files that can be dropped at once.
    cache: &'static str,
}

const UNIFIED: Cgroups = Cgroups {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    cache: "inactive_file ",
};

const FIRST: Cgroups = Cgroups {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: "total_inactive_file ",
};

impl Cgroups {
    /// The least that `group` and those around it leave. The path may be one that only the
    /// outside of a container knows; then what is mounted is our group.
    fn left(&self, mount: &Path, group: &str) -> Option<u64> {
        let group = mount.join(group.trim_start_matches('/'));
        let around = group.ancestors().take_while(|it| it.starts_with(mount));
        around.filter_map(|group| self.left_in(group)).min()
    }

    fn left_in(&self, group: &Path) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(group.join(name)).ok();
        // "max" is no number and no limit.
        let limit: u64 = read(self.limit)?.trim().parse().ok()?;
        let used: u64 = read(self.used)?.trim().parse().ok()?;
        let stat = read("memory.stat").unwrap_or_default();
        let cache = stat.lines().find_map(|line| line.strip_prefix(self.cache)?.parse().ok());
        Some(limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
    }
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
        assert_eq!(FIT.can_run(), Ok(()));
        assert_eq!(FIT.can_hold(1 << 30), Ok(()));
        assert_eq!(Machine { vector_units: false, ..FIT }.can_run(), Err(Unfit::Cpu));
        let tight = Machine { memory: Some(1 << 30), ..FIT };
        assert_eq!(tight.can_run(), Err(Unfit::Memory { need: 3 << 30, have: 1 << 30 }));
        assert_eq!(FIT.can_hold(3 << 30), Err(Unfit::Disk { need: 3 << 30, have: 2 << 30 }));
        let silent = Machine { memory: None, disk: None, ..FIT };
        assert_eq!((silent.can_run(), silent.can_hold(3 << 30)), (Ok(()), Ok(())));
    }

    /// They may be fetched here and used elsewhere.
    #[test]
    fn a_machine_that_cannot_run_the_models_can_hold_them() {
        let weak = Machine { memory: Some(1), vector_units: false, ..FIT };
        assert_eq!(weak.can_hold(1 << 30), Ok(()));
    }

    /// Files below a root, and what memory is left there.
    #[track_caller]
    fn check(files: &[(&str, &str)], left: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        let machine = ("proc/meminfo", "MemAvailable: 8000 kB\n");
        for (path, text) in files.iter().chain([&machine]) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(memory(root.path()), left);
    }

    #[test]
    fn a_container_has_less_memory_than_its_machine() {
        check(&[], Some(8_000 << 10));
        let group = ("proc/self/cgroup", "0::/a/b\n");
        check(&[group, ("sys/fs/cgroup/a/b/memory.max", "max\n")], Some(8_000 << 10));
        // Around it, less what is cached.
        check(
            &[
                group,
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/cgroup/a/memory.max", "5000\n"),
                ("sys/fs/cgroup/a/memory.current", "3000\n"),
                ("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 1000\n"),
            ],
            Some(3_000),
        );
        // The path is that of the outside.
        check(
            &[
                ("proc/self/cgroup", "0::/../../x\n"),
                ("sys/fs/cgroup/memory.max", "100\n"),
                ("sys/fs/cgroup/memory.current", "200\n"),
            ],
            Some(0),
        );
        // The first version.
        check(
            &[
                ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n"),
                ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "5000\n"),
                ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "3000\n"),
                ("sys/fs/cgroup/memory/x/memory.stat", "total_inactive_file 500\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n"),
            ],
            Some(2_500),
        );
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
