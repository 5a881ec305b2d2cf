//! Length-prefixed JSON over the control socket.
//!
//! One message is a `u32` little-endian body length and that many bytes of
//! JSON. A receiver names the longest body it takes before it takes memory,
//! and memory grows with what arrived, not with what was announced.

use crate::error::SandboxError;
use crate::posture::Posture;
use crate::untrusted::{Untrusted, printable};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Version of everything that crosses the control socket. Host and worker are
/// the same binary, so a difference means a mixed-up installation.
pub const PROTOCOL_VERSION: u32 = 1;

/// Bound for ordinary messages (progress, findings), bytes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Bound for messages that carry a plan, bytes.
pub const MAX_PLAN_MESSAGE: usize = 64 << 20;

const PREFIX: usize = 4;
const CHUNK: usize = 64 << 10;

/// First message of every worker, sent after sealing and before anything of
/// the input was read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) posture: Posture,
    /// Forbidden acts that succeeded in the self-test.
    pub(crate) self_test: Vec<String>,
}

/// Turns a message into its bytes on the wire.
fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, SandboxError> {
    let mut bytes = vec![0; PREFIX];
    serde_json::to_writer(&mut bytes, message).map_err(SandboxError::Encode)?;
    let length = bytes.len() - PREFIX;
    let too_large = SandboxError::MessageTooLarge { length: length as u64, max: MAX_PLAN_MESSAGE };
    if length > MAX_PLAN_MESSAGE {
        return Err(too_large);
    }
    let Ok(prefix) = u32::try_from(length) else { return Err(too_large) };
    bytes[..PREFIX].copy_from_slice(&prefix.to_le_bytes());
    Ok(bytes)
}

/// The part of a message that has arrived so far. Survives a deadline, so a
/// later call goes on where the earlier one stopped.
#[derive(Debug, Default)]
struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Bytes still missing before [`Frame::take`] may be called, 0 if none.
    fn missing(&self, max: usize) -> Result<usize, SandboxError> {
        let Some(prefix) = self.bytes.first_chunk::<PREFIX>() else {
            return Ok(PREFIX - self.bytes.len());
        };
        let length = u32::from_le_bytes(*prefix);
        match usize::try_from(length) {
            Ok(length) if length <= max => Ok((PREFIX + length).saturating_sub(self.bytes.len())),
            _ => Err(SandboxError::MessageTooLarge { length: u64::from(length), max }),
        }
    }

    /// Parses the complete message and starts the next one.
    fn take<T: DeserializeOwned>(&mut self) -> Result<T, SandboxError> {
        let bytes = std::mem::take(&mut self.bytes);
        let body = bytes.get(PREFIX..).unwrap_or_default();
        serde_json::from_slice(body)
            .map_err(|error| SandboxError::Malformed { reason: printable(&error.to_string(), 200) })
    }

    /// Why the stream must not end here.
    fn end(&self) -> SandboxError {
        if self.bytes.is_empty() { SandboxError::Closed } else { SandboxError::Truncated }
    }
}

/// The worker's end of the control socket. Blocks; the host holds the clock.
#[derive(Debug)]
pub struct Control {
    /// A `File`, because std's socket types use `recvfrom` and `sendto`, which
    /// a sealed worker may not call. `read` and `write` do the same.
    socket: File,
    frame: Frame,
}

impl Control {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket: File::from(socket), frame: Frame::default() }
    }

    /// Sends one message to the host.
    ///
    /// # Errors
    /// [`SandboxError::Encode`], [`SandboxError::MessageTooLarge`] (over
    /// [`MAX_PLAN_MESSAGE`]), [`SandboxError::Io`].
    pub fn send<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), SandboxError> {
        Ok(self.socket.write_all(&encode(message)?)?)
    }

    /// Receives one message of at most `max` bytes from the host.
    ///
    /// # Errors
    /// [`SandboxError::Closed`] if the host is done,
    /// [`SandboxError::Truncated`], [`SandboxError::MessageTooLarge`],
    /// [`SandboxError::Malformed`], [`SandboxError::Io`].
    pub fn recv<T: DeserializeOwned>(&mut self, max: usize) -> Result<T, SandboxError> {
        loop {
            let missing = self.frame.missing(max)?;
            if missing == 0 {
                return self.frame.take();
            }
            let start = self.frame.bytes.len();
            self.frame.bytes.resize(start + missing.min(CHUNK), 0);
            let read = self.socket.read(&mut self.frame.bytes[start..]);
            self.frame.bytes.truncate(start + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Err(self.frame.end()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends bytes as they are. Only for tests of a misbehaving worker.
    ///
    /// # Errors
    /// [`SandboxError::Io`].
    #[doc(hidden)]
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), SandboxError> {
        Ok(self.socket.write_all(bytes)?)
    }
}

/// The host's end of the control socket. Never blocks past its deadline, and
/// everything it receives is [`Untrusted`].
#[derive(Debug)]
pub struct HostControl {
    socket: OwnedFd,
    frame: Frame,
    /// When the worker's wall clock runs out.
    ends: Instant,
}

impl HostControl {
    pub(crate) fn new(socket: OwnedFd, ends: Instant) -> Self {
        Self { socket, frame: Frame::default(), ends }
    }

    /// Sends one message. Waits for a worker that does not read until its
    /// wall clock runs out; half a message may be under way then, so nothing
    /// more can be sent. [`crate::Worker::send`] also tells how it ended.
    ///
    /// # Errors
    /// [`SandboxError::Encode`], [`SandboxError::MessageTooLarge`] (over
    /// [`MAX_PLAN_MESSAGE`]), [`SandboxError::DeadlinePassed`],
    /// [`SandboxError::Closed`] if the worker is gone, [`SandboxError::Io`].
    pub fn send<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), SandboxError> {
        let bytes = encode(message)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::send(&self.socket, rest, flags) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    wait_for(self.socket.as_fd(), PollFlags::OUT, self.ends)?;
                }
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(SandboxError::Closed),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Receives one message of at most `max` bytes. `deadline` is for the
    /// whole message, however slowly it drips.
    ///
    /// # Errors
    /// [`SandboxError::DeadlinePassed`] (what arrived is kept for the next
    /// call), [`SandboxError::Closed`], [`SandboxError::Truncated`],
    /// [`SandboxError::MessageTooLarge`], [`SandboxError::Malformed`],
    /// [`SandboxError::Io`].
    pub fn recv<T: DeserializeOwned>(
        &mut self,
        deadline: Instant,
        max: usize,
    ) -> Result<Untrusted<T>, SandboxError> {
        let deadline = deadline.min(self.ends);
        loop {
            let missing = self.frame.missing(max)?;
            if missing == 0 {
                return self.frame.take().map(Untrusted::new);
            }
            wait_for(self.socket.as_fd(), PollFlags::IN, deadline)?;
            let start = self.frame.bytes.len();
            self.frame.bytes.resize(start + missing.min(CHUNK), 0);
            let got = rustix::net::recv(
                &self.socket,
                &mut self.frame.bytes[start..],
                RecvFlags::DONTWAIT,
            );
            self.frame.bytes.truncate(start + got.map_or(0, |(length, _)| length));
            match got {
                Ok((0, _)) | Err(Errno::CONNRESET) => return Err(self.frame.end()),
                Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Waits until `fd` is ready (or broken, which the next call on it reports).
///
/// # Errors
/// [`SandboxError::DeadlinePassed`], [`SandboxError::Io`].
pub(crate) fn wait_for(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Instant,
) -> Result<(), SandboxError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SandboxError::DeadlinePassed);
        }
        let mut fds = [PollFd::from_borrowed_fd(fd, events)];
        match rustix::event::poll(&mut fds, Some(&timespec(left))) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A duration as the kernel wants it; a day at most, callers loop.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    let duration = duration.min(Duration::from_secs(86_400));
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(86_400),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    /// A host end and the raw worker end.
    fn pair() -> (HostControl, UnixStream) {
        let (host, worker) = UnixStream::pair().unwrap();
        let ends = Instant::now() + Duration::from_secs(30);
        (HostControl::new(host.into(), ends), worker)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn value<T: DeserializeOwned>(host: &mut HostControl, max: usize) -> Result<T, SandboxError> {
        host.recv(soon(), max)?.validate_with(|_: &T| Ok(()))
    }

    #[test]
    fn a_message_may_arrive_in_pieces_over_several_deadlines() {
        let (mut host, mut worker) = pair();
        for byte in encode("split").unwrap() {
            let early = value::<String>(&mut host, 100);
            assert!(matches!(early, Err(SandboxError::DeadlinePassed)));
            worker.write_all(&[byte]).unwrap();
        }
        assert_eq!(value::<String>(&mut host, 100).unwrap(), "split");
    }

    #[test]
    fn bounds_hold_at_the_edge() {
        let (mut host, mut worker) = pair();
        worker.write_all(&encode("12345678").unwrap()).unwrap();
        let error = value::<String>(&mut host, 9).unwrap_err();
        assert!(matches!(error, SandboxError::MessageTooLarge { length: 10, max: 9 }));
        assert_eq!(value::<String>(&mut host, 10).unwrap(), "12345678");
    }

    #[test]
    fn an_announced_length_takes_no_memory() {
        let (mut host, mut worker) = pair();
        worker.write_all(&u32::to_le_bytes(60 << 20)).unwrap();
        let error = value::<String>(&mut host, MAX_PLAN_MESSAGE).unwrap_err();
        assert!(matches!(error, SandboxError::DeadlinePassed));
        assert!(host.frame.bytes.capacity() <= 2 * CHUNK, "{}", host.frame.bytes.capacity());
    }

    #[test]
    fn deep_nesting_is_malformed() {
        let (mut host, mut worker) = pair();
        let mut bytes = 100_000_u32.to_le_bytes().to_vec();
        bytes.resize(100_004, b'[');
        worker.write_all(&bytes).unwrap();
        let error = value::<serde_json::Value>(&mut host, MAX_MESSAGE).unwrap_err();
        assert!(matches!(error, SandboxError::Malformed { .. }), "{error}");
    }

    #[test]
    fn sending_to_nobody_is_closed_and_to_a_sleeper_is_bounded() {
        let (mut host, worker) = pair();
        host.ends = Instant::now() + Duration::from_millis(100);
        let error = host.send(&"x".repeat(8 << 20)).unwrap_err();
        assert!(matches!(error, SandboxError::DeadlinePassed), "{error}");
        drop(worker);
        let error = host.send("x").unwrap_err();
        assert!(matches!(error, SandboxError::Closed), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_in_a_value_or_an_error(bytes: Vec<u8>, max in 0usize..64) {
            let (mut host, mut worker) = pair();
            worker.write_all(&bytes).unwrap();
            drop(worker);
            let mut last = Ok(());
            // Each turn takes at least a prefix or fails.
            for _ in 0..=bytes.len() / PREFIX {
                last = value::<serde_json::Value>(&mut host, max).map(drop);
                if !matches!(last, Ok(()) | Err(SandboxError::Malformed { .. })) {
                    break;
                }
            }
            let ended = matches!(
                last,
                Err(SandboxError::Closed
                    | SandboxError::Truncated
                    | SandboxError::MessageTooLarge { .. })
            );
            proptest::prop_assert!(ended);
        }
    }
}
