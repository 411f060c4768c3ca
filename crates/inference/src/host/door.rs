//! The socket, and who may hold it: one host at a time.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::options::open_ours;

/// Between taking the lock and listening a host does nothing, and a leaving one exits within
/// milliseconds: this long means that the holder hangs.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);
const TAKEOVER_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Held until the process ends, however it ends.
    _lock: File,
}

pub(super) enum Entered {
    Ours(Door),
    AnotherServes,
}

impl Door {
    pub(super) fn open(path: &Path) -> io::Result<Entered> {
        let lock = path.with_extension("lock");
        let lock = open_ours(OpenOptions::new().truncate(false).write(true), &lock)?;
        let began = Instant::now();
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(error.into()),
            }
            // The holder listens, or is about to, or leaves.
            if UnixStream::connect(path).is_ok() {
                return Ok(Entered::AnotherServes);
            }
            if began.elapsed() > TAKEOVER_LIMIT {
                return Err(io::Error::other(format!(
                    "another host holds {} but does not answer: end that process",
                    path.with_extension("lock").display()
                )));
            }
            thread::sleep(TAKEOVER_PAUSE);
        }
        // The lock is ours, so a socket that is still there belongs to nobody.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Entered::Ours(Self { listener, path: path.to_owned(), _lock: lock }))
    }

    /// The next visitor, or `None` when the time is over. Strangers are turned away.
    pub(super) fn knock(&mut self, patience: Duration) -> io::Result<Option<UnixStream>> {
        let timeout = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        let mut listener = [PollFd::new(&self.listener, PollFlags::IN)];
        match poll(&mut listener, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            // Nobody, or somebody who already left.
            Err(error) if is_about_the_visitor(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(false)?;
        let peer = rustix::net::sockopt::socket_peercred(&stream)?;
        if peer.uid != rustix::process::getuid() {
            return Ok(None);
        }
        Ok(Some(stream))
    }

    pub(super) fn close(&self) {
        // Another host may already have replaced it only if we lost the lock, which we cannot.
        drop(fs::remove_file(&self.path));
    }
}

fn is_about_the_visitor(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
    )
}
