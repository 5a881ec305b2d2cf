//! Messages between host and zygote: one datagram each, descriptors attached.
//!
//! Both ends are trusted (the zygote never touches a file it passes on), so
//! this is kept apart from [`crate::protocol`].

use crate::limits::{MAX_FILES, WorkerLimits};
use crate::policy::DenyMode;
use crate::posture::Level;
use crate::seal::Namespaces;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Control socket, status pipe and files.
const MAX_FDS: usize = 2 + MAX_FILES;

/// Longest datagram, bytes.
const MAX_DATAGRAM: usize = 16 << 10;

/// Host to zygote. Descriptors: control socket, status pipe, files.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SpawnRequest {
    pub(crate) role: u8,
    pub(crate) limits: WorkerLimits,
    pub(crate) deny: DenyMode,
    pub(crate) minimum: Level,
}

/// Zygote to host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Prepared; first message of a zygote.
    Ready { version: u32, namespaces: Namespaces },
    /// Will not serve.
    Refused { reason: String },
    /// Forked. Descriptor: a pidfd.
    Forked { pid: i32 },
    /// Could not fork.
    NotForked { reason: String },
}

/// Sends one datagram.
///
/// # Errors
/// As `sendmsg`; `EPIPE` if the peer is gone.
pub(crate) fn send<T: Serialize>(
    socket: &OwnedFd,
    message: &T,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message).map_err(io::Error::other)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    loop {
        let slices = [IoSlice::new(&bytes)];
        match rustix::net::sendmsg(socket, &slices, &mut ancillary, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Receives one datagram, `None` if the peer is gone.
///
/// # Errors
/// As `recvmsg`, or if the datagram cannot be understood.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: &OwnedFd,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MAX_DATAGRAM];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(received) => break received,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let body = bytes.get(..received.bytes).unwrap_or_default();
    let message = serde_json::from_slice(body).map_err(io::Error::other)?;
    Ok(Some((message, fds)))
}
