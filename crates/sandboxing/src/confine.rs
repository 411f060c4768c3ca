//! Takes rights away from the calling thread, and so from what it starts.
//!
//! Landlock limits where files may be written, seccomp closes the network and the doors that
//! Landlock does not know, dropped capabilities make root ordinary. All three belong to the
//! thread and are inherited by children; none can be given back.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::thread::CapabilitySet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::collections::BTreeMap;

use crate::command::{Confinement, Network, Root, Sockets, Writes};

/// Newest Landlock that we ask for; older kernels give what they know. Since V3 truncation by
/// name is covered (before that seccomp does it), since V6 signals to and abstract sockets of
/// processes outside, since V9 sockets with a path.
const NEWEST: ABI = ABI::V9;

/// Devices that programs write to without meaning to change anything.
const SINKS: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Why a thread could not be confined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    #[error("this kernel has no landlock (it needs Linux 5.13 or later, built with it)")]
    NoLandlock,
    #[error("landlock is switched off on this machine (add it to the kernel's `lsm=` list)")]
    LandlockOff,
    #[error("landlock refused: {0}")]
    Landlock(#[from] landlock::RulesetError),
    #[error("seccomp refused: {0}")]
    Seccomp(String),
    #[error("capabilities cannot be dropped: {0}")]
    Capabilities(rustix::io::Errno),
    #[error("bubblewrap does not work here: {0}")]
    Bubblewrap(String),
}

/// What the kernel gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confined {
    /// Landlock's version in force; 0 when it was not asked for.
    pub(crate) landlock_abi: i32,
}

/// Confines the calling thread for good. After an error the thread may be half confined and
/// must start nothing.
pub(crate) fn confine_thread(confinement: &Confinement) -> Result<Confined, ConfineError> {
    confine_thread_up_to(confinement, NEWEST)
}

/// As [`confine_thread`], on a kernel that knows no Landlock after `newest`.
pub(crate) fn confine_thread_up_to(
    confinement: &Confinement,
    newest: ABI,
) -> Result<Confined, ConfineError> {
    let Confinement { writes, network } = confinement;
    let landlock_abi = match writes {
        Writes::Anywhere => 0,
        Writes::Only(roots) => restrict_writes(roots, *network, newest)?,
    };
    if !confinement.is_none() {
        drop_capabilities()?;
        forbid_syscalls(*network, truncates_by_name(landlock_abi))?;
    }
    Ok(Confined { landlock_abi })
}

fn restrict_writes(roots: &[Root], network: Network, newest: ABI) -> Result<i32, ConfineError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(newest))?;
    if Scope::from_all(newest) != BitFlags::EMPTY {
        ruleset = ruleset.scope(Scope::from_all(newest))?;
    }
    if network == Network::Closed && AccessNet::from_all(newest) != BitFlags::EMPTY {
        ruleset = ruleset.handle_access(AccessNet::from_all(newest))?;
    }
    let of = |sockets| {
        let roots = roots.iter().filter(move |root| root.sockets == sockets);
        path_beneath_rules(roots.map(|root| &root.path), beneath(sockets, newest))
    };
    let sink = AccessFs::from_file(newest) & AccessFs::from_write(newest);
    let status = ruleset
        .create()?
        .add_rules(of(Sockets::Open))?
        .add_rules(of(Sockets::Closed))?
        .add_rules(path_beneath_rules(SINKS, sink))?
        .restrict_self()?;
    let in_force = match status.landlock {
        LandlockStatus::NotImplemented => return Err(ConfineError::NoLandlock),
        LandlockStatus::NotEnabled => return Err(ConfineError::LandlockOff),
        LandlockStatus::Available { effective_abi, .. } => {
            (effective_abi as i32).min(newest as i32)
        }
    };
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(ConfineError::LandlockOff),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(in_force),
    }
}

/// What may be done beneath a root.
fn beneath(sockets: Sockets, newest: ABI) -> BitFlags<AccessFs> {
    // Devices are never made below a root: they would lead out of it.
    let writes = AccessFs::from_write(newest) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    match sockets {
        Sockets::Open => writes,
        Sockets::Closed => writes & !AccessFs::ResolveUnix,
    }
}

/// Landlock before version 3 lets every file be emptied through its name.
fn truncates_by_name(landlock_abi: i32) -> Truncation {
    if (1..ABI::V3 as i32).contains(&landlock_abi) {
        Truncation::ForbidByName
    } else {
        Truncation::LeftToLandlock
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truncation {
    LeftToLandlock,
    ForbidByName,
}

impl ConfineError {
    /// Whether there is no Landlock here. Nothing was taken from the thread then.
    pub(crate) fn lacks_landlock(&self) -> bool {
        match self {
            Self::NoLandlock | Self::LandlockOff => true,
            Self::Landlock(_) | Self::Seccomp(_) | Self::Capabilities(_) | Self::Bubblewrap(_) => {
                false
            }
        }
    }
}

/// Root in a sandbox keeps what files of several owners need, and nothing that reaches past the
/// files: devices, modules, mounts, other processes' memory, raw sockets, file handles.
pub(crate) const KEPT: [(CapabilitySet, &str); 12] = [
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::FSETID, "CAP_FSETID"),
    (CapabilitySet::KILL, "CAP_KILL"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"),
    (CapabilitySet::IPC_LOCK, "CAP_IPC_LOCK"),
    (CapabilitySet::IPC_OWNER, "CAP_IPC_OWNER"),
    (CapabilitySet::LEASE, "CAP_LEASE"),
    (CapabilitySet::SYS_NICE, "CAP_SYS_NICE"),
];

fn drop_capabilities() -> Result<(), ConfineError> {
    let keep = KEPT.iter().fold(CapabilitySet::empty(), |keep, (it, _)| keep | *it);
    let mut sets = rustix::thread::capabilities(None).map_err(ConfineError::Capabilities)?;
    sets.effective &= keep;
    sets.permitted &= keep;
    sets.inheritable &= keep;
    // Root does not get them back by `exec`: no_new_privs, which landlock and seccomp set, keeps
    // the permitted set from growing.
    rustix::thread::set_capabilities(None, sets).map_err(ConfineError::Capabilities)
}

/// Installs the filters. The last step: they forbid some of what the steps before needed.
fn forbid_syscalls(network: Network, truncation: Truncation) -> Result<(), ConfineError> {
    for program in programs(network, truncation)? {
        seccompiler::apply_filter(&program)
            .map_err(|error| ConfineError::Seccomp(error.to_string()))?;
    }
    Ok(())
}

/// The filters as bytes, for somebody else to install (`struct sock_filter` of the kernel).
pub(crate) fn filters(network: Network) -> Result<[Vec<u8>; 2], ConfineError> {
    let bytes = |program: BpfProgram| {
        let instructions = program.iter().flat_map(|it| {
            let [code0, code1] = it.code.to_ne_bytes();
            let [k0, k1, k2, k3] = it.k.to_ne_bytes();
            [code0, code1, it.jt, it.jf, k0, k1, k2, k3]
        });
        instructions.collect()
    };
    Ok(programs(network, Truncation::LeftToLandlock)?.map(bytes))
}

fn programs(network: Network, truncation: Truncation) -> Result<[BpfProgram; 2], ConfineError> {
    let mut denied: Rules = BTreeMap::new();
    for syscall in DENIED {
        denied.insert(*syscall, Vec::new());
    }
    // Input faked into somebody's terminal is executed by its shell.
    denied.insert(
        libc::SYS_ioctl,
        vec![when(1, SeccompCmpOp::Eq, TIOCSTI)?, when(1, SeccompCmpOp::Eq, TIOCLINUX)?],
    );
    // Not a door by itself, but a user namespace opens much of the kernel to an ordinary user.
    let new_user = libc::CLONE_NEWUSER as u64;
    denied.insert(libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(new_user), new_user)?]);
    // Limits of the watcher, and of anything else of the user's; zero is the caller itself.
    denied.insert(libc::SYS_prlimit64, vec![when(0, SeccompCmpOp::Ne, 0)?]);
    if network == Network::Closed {
        let not_unix = || when(0, SeccompCmpOp::Ne, libc::AF_UNIX as u64);
        denied.insert(libc::SYS_socket, vec![not_unix()?]);
        denied.insert(libc::SYS_socketpair, vec![not_unix()?]);
    }
    // Their arguments are in memory, where a filter cannot look. "Not implemented" makes the C
    // libraries take the older call, whose arguments it sees.
    let mut missing: Rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    if truncation == Truncation::ForbidByName {
        denied.insert(libc::SYS_truncate, Vec::new());
        let empties = (libc::O_TRUNC | libc::O_ACCMODE) as u64;
        let by_reading = (libc::O_TRUNC | libc::O_RDONLY) as u64;
        let opens = |argument| when(argument, SeccompCmpOp::MaskedEq(empties), by_reading);
        #[cfg(target_arch = "x86_64")]
        denied.insert(libc::SYS_open, vec![opens(1)?]);
        denied.insert(libc::SYS_openat, vec![opens(2)?]);
        missing.insert(libc::SYS_openat2, Vec::new());
    }
    Ok([program(denied, libc::EPERM)?, program(missing, libc::ENOSYS)?])
}

/// Calls that no build, test or tool of a project needs, and that lead past Landlock, into other
/// processes or deep into the kernel.
const DENIED: &[libc::c_long] = &[
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // A second way to make any call, unseen by these filters.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Files by handle instead of by path.
    libc::SYS_open_by_handle_at,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// `asm-generic/ioctls.h`: as if it had been typed. libc has it with a type that depends on the
/// target.
const TIOCSTI: u64 = 0x5412;

/// The same header: selection and pasting on a virtual console.
const TIOCLINUX: u64 = 0x541C;

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

fn when(argument: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompRule, ConfineError> {
    // The kernel reads these arguments as 32 bits; comparing 64 would let a high bit pass.
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|error| ConfineError::Seccomp(error.to_string()))
}

/// Any other architecture's calls (32-bit programs) end the process: their numbers differ.
fn program(mut rules: Rules, errno: i32) -> Result<BpfProgram, ConfineError> {
    // The x32 calling convention passes for x86-64 with this bit in the number.
    #[cfg(target_arch = "x86_64")]
    rules.append(&mut rules.iter().map(|(nr, when)| (nr | 0x4000_0000, when.clone())).collect());
    let failed = |error: &dyn std::fmt::Display| ConfineError::Seccomp(error.to_string());
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH
            .try_into()
            .map_err(|error: seccompiler::BackendError| failed(&error))?,
    );
    filter.and_then(TryInto::try_into).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel of the machine that tests may be too old to show it.
    #[test]
    fn sockets_are_a_right_of_their_own() {
        let right = |sockets| beneath(sockets, NEWEST).contains(AccessFs::ResolveUnix);
        assert!(right(Sockets::Open));
        assert!(!right(Sockets::Closed));
        assert_eq!(beneath(Sockets::Open, ABI::V8), beneath(Sockets::Closed, NEWEST));
    }

    /// On kernels whose Landlock does not cover truncation, no file outside can be emptied.
    #[test]
    fn old_kernels_truncate_nothing_either() {
        let directory = tempfile::tempdir().unwrap();
        let precious = directory.path().join("precious");
        std::fs::write(&precious, "data").unwrap();
        let python = r#"
import os, sys
path = sys.argv[1]
def attempt(name, act):
    try:
        act()
        print(name)
    except OSError:
        pass
attempt("truncate", lambda: os.truncate(path, 0))
attempt("open to read", lambda: os.open(path, os.O_RDONLY | os.O_TRUNC))
attempt("open to write", lambda: os.open(path, os.O_WRONLY | os.O_TRUNC))
attempt("read", lambda: os.open(path, os.O_RDONLY))
"#;
        for (abi, number) in [(ABI::V1, 1), (ABI::V2, 2), (ABI::V3, 3)] {
            let confinement =
                Confinement { writes: Writes::Only(Vec::new()), network: Network::Closed };
            let mut command = std::process::Command::new("python3");
            command.args(["-c", python]).arg(&precious);
            let output = std::thread::spawn(move || {
                let confined = confine_thread_up_to(&confinement, abi).unwrap();
                assert_eq!(confined.landlock_abi, number);
                command.output().unwrap()
            });
            let output = output.join().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "read\n", "version {number}");
            assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");
        }
    }
}
