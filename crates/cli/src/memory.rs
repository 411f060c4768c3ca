//! Memory that was used once is given back.
//!
//! glibc keeps what was freed for what comes next: an arena for each thread, and large blocks inside
//! of them once one of that size was freed. Sound comes in large blocks of every size, so that after
//! an hour of conversation a third of the engine's heap was holes between them (docs/soak.md).

/// Blocks of this size and more are mapped by themselves, and unmapped when they are freed: a second
/// and a half of sound. To say so also switches off that glibc raises the bound by itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 64 * 1024;

/// For the engine, which works little with much in between; not for who computes with models.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "glibc offers it to C alone: two numbers, before there is a thread")]
pub(crate) fn give_back() {
    // SAFETY: `mallopt` takes two numbers and touches nothing of ours; where it refuses one, things
    // stay as they were.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
