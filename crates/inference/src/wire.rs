//! What is said over the host's socket. One connection carries one job.
//!
//! The client sends a [`Job`], for voice activity then [`Samples`] for as long as it listens.
//! The host answers [`Reply::Accepted`] at once, then what the job yields, and closes after
//! [`Reply::Done`] or [`Reply::Failed`]. A client that closes first has cancelled.

mod frame;
mod job;
mod reply;

pub(crate) use self::frame::{
    Frame, FrameCodec, FrameError, floats_from_bytes, floats_to_bytes, pcm_from_bytes, pcm_to_bytes,
};
pub(crate) use self::job::{Job, Samples};
pub(crate) use self::reply::{Failure, Reply};

/// Changes with every change of these shapes. It is part of the socket's name, so a client
/// only ever meets a host that speaks its own version.
pub(crate) const VERSION: u32 = 1;
