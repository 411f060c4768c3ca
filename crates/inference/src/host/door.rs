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

/// Between two tries to let a visitor in for whom there is no room: others have to leave first.
const FULL_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
    room: Room,
    /// Held until the process ends, however it ends.
    _lock: File,
}

/// For another visitor: open files and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Some,
    /// It was said.
    None,
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
        let path = path.to_owned();
        Ok(Entered::Ours(Self { listener, path, room: Room::Some, _lock: lock }))
    }

    /// The next visitor, or `None` when the time is over. Strangers are turned away; those for
    /// whom there is no room wait. An error means that nobody will ever come in again.
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
            Err(error) => match Trouble::of(&error) {
                Trouble::Visitor => return Ok(None),
                Trouble::Room => {
                    if self.room == Room::Some {
                        eprintln!("model host: no room for another connection: {error}");
                    }
                    self.room = Room::None;
                    thread::sleep(FULL_PAUSE);
                    return Ok(None);
                }
                Trouble::Door => return Err(error),
            },
        };
        self.room = Room::Some;
        // A visitor who cannot be looked at is a stranger.
        let is_ours = || {
            let peer = rustix::net::sockopt::socket_peercred(&stream)?;
            stream.set_nonblocking(false)?;
            Ok::<_, io::Error>(peer.uid == rustix::process::getuid())
        };
        let admitted = is_ours().unwrap_or(false);
        Ok(admitted.then_some(stream))
    }

    pub(super) fn close(&self) {
        // Another host may already have replaced it only if we lost the lock, which we cannot.
        drop(fs::remove_file(&self.path));
    }
}

/// What a failed accept is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Nobody came, or somebody who already left.
    Visitor,
    /// The process or the machine has none left.
    Room,
    Door,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::PERM) => {
                Self::Visitor
            }
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Self::Room,
            Some(_) | None => Self::Door,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_door_ends_the_host() {
        for (errno, trouble) in [
            (Errno::WOULDBLOCK, Trouble::Visitor),
            (Errno::CONNABORTED, Trouble::Visitor),
            (Errno::MFILE, Trouble::Room),
            (Errno::NFILE, Trouble::Room),
            (Errno::NOMEM, Trouble::Room),
            (Errno::BADF, Trouble::Door),
            (Errno::INVAL, Trouble::Door),
        ] {
            assert_eq!(Trouble::of(&io::Error::from(errno)), trouble, "{errno:?}");
        }
    }
}
