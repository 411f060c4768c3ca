//! What a program did before its first answer, from the log of `strace -f`.

use std::collections::HashSet;

use anyhow::bail;

/// The calls that [`read`] looks at. `?` is for those that not every machine has.
pub(super) const CALLS: &str =
    "trace=?open,openat,?openat2,?creat,execve,?execveat,clone,?clone3,?fork,?vfork,write";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Start {
    /// Also such as were not there; without what the kernel tells of itself, which depends on
    /// the machine. Only by the program itself: what it starts races with its answer.
    pub(super) files: u32,
    /// Not threads, whose number is that of the cores.
    pub(super) processes: u32,
}

/// Everything up to the first write to standard output.
pub(super) fn read(log: &str) -> anyhow::Result<Start> {
    let mut start = Start::default();
    let mut began = false;
    let mut others = HashSet::new();
    for line in log.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        match name {
            "write" if arguments.starts_with("1,") => return Ok(start),
            "execve" | "execveat" if !began => began = true,
            "execve" | "execveat" => {
                others.insert(process);
            }
            "clone" | "clone3" | "fork" | "vfork" if !arguments.contains("CLONE_THREAD") => {
                start.processes += 1;
            }
            "open" | "openat" | "openat2" | "creat" if !others.contains(process) => {
                let path = arguments.split('"').nth(1).unwrap_or_default();
                if !path.starts_with("/proc/") && !path.starts_with("/sys/") {
                    start.files += 1;
                }
            }
            _other => {}
        }
    }
    bail!("the program ended without an answer:\n{log}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As strace 6.1 writes it.
    const LOG: &str = r#"311   execve("/x/duet", ["/x/duet", "app-server"], 0x7ffd /* 2 vars */) = 0
311   openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
311   openat(AT_FDCWD, "/proc/self/maps", O_RDONLY|O_CLOEXEC) = 3
311   openat(AT_FDCWD, "/sys/fs/cgroup/cpu.max", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
311   clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88 <unfinished ...>
312   execve("/proc/self/exe", ["duet", "spawner"], 0x557a /* 1 var */ <unfinished ...>
311   <... clone3 resumed>)             = 312
311   openat(AT_FDCWD, "/h/config.toml", O_RDONLY|O_CLOEXEC <unfinished ...>
312   <... execve resumed>)             = 0
311   <... openat resumed>)             = -1 ENOENT (No such file or directory)
312   openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
311   clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack_size=0x9000}, 88) = 313
313   openat(AT_FDCWD, "/dev/null", O_RDONLY|O_CLOEXEC) = 4
313   write(5, "\1\0\0\0\0\0\0\0", 8)   = 8
313   write(1, "{\"id\":1,\"result\":{"..., 142) = 142
311   openat(AT_FDCWD, "/late", O_RDONLY|O_CLOEXEC) = 3
"#;

    #[test]
    fn only_the_program_itself_and_only_before_its_answer() {
        // The cache, the missing file, and the one of a thread.
        assert_eq!(read(LOG).unwrap(), Start { files: 3, processes: 1 });
    }

    #[test]
    fn without_an_answer_there_is_no_start() {
        let silent: String = LOG.lines().take(5).map(|line| format!("{line}\n")).collect();
        assert!(read(&silent).is_err());
    }
}
