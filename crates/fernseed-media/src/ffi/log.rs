//! Keeps FFmpeg's messages off the terminal and remembers the last error.
//!
//! libav writes its most useful words ("moov atom not found") only to its
//! log. The sink keeps the last error line, cut and sanitised, and counts
//! error lines; it never prints.
//!
//! That a decoder had to invent parts of a picture counts as an error line,
//! though the library says so only by the way. Its other sign of it, a flag at the
//! picture, is not to be relied upon with several threads: a picture may be
//! handed out by one thread before another, which decodes it, sets the flag.

use ffmpeg_sys_the_third as av;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longest message kept, in bytes.
const LINE: usize = 200;

thread_local! {
    /// True while this thread has the library refuse decoders.
    static REFUSING: Cell<bool> = const { Cell::new(false) };
}

static LAST: Mutex<String> = Mutex::new(String::new());
static ERRORS: AtomicU64 = AtomicU64::new(0);

/// Number of error lines, and of pictures with invented parts, since the program
/// began; one counter for all readers and writers of this process.
pub(crate) fn error_count() -> u64 {
    ERRORS.load(Ordering::Relaxed)
}

/// The last error line, if there was one since the last call.
pub(crate) fn take_last_error() -> Option<String> {
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (!last.is_empty()).then(|| std::mem::take(&mut *last))
}

/// What the library says of a decoder that it may not open.
const REFUSED: &str = "not on whitelist";

/// How the library begins to say, as mere information, that parts of a picture
/// were not in the stream and are invented.
const CONCEALING: &[u8] = b"concealing ";

/// Does something for which the library may not open some decoders, on purpose:
/// that it says so is neither kept nor counted meanwhile. All else is.
pub(super) fn refusing_decoders<T>(work: impl FnOnce() -> T) -> T {
    /// Ends it, also when `work` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            REFUSING.set(false);
        }
    }
    REFUSING.set(true);
    let _end = End;
    work()
}

/// Installs the sink.
pub(super) fn install() {
    // SAFETY: `sink` has the signature the library asks for, is thread-safe
    // and lives as long as the program.
    unsafe { av::av_log_set_callback(Some(sink)) };
}

/// The log callback; called from any thread.
unsafe extern "C" fn sink(
    context: *mut c_void,
    level: c_int,
    format: *const c_char,
    arguments: *mut av::__va_list_tag,
) {
    if level > av::AV_LOG_ERROR {
        // SAFETY: the library's format strings are literals that end with a
        // zero; null is excluded.
        let says = level <= av::AV_LOG_INFO
            && !format.is_null()
            && unsafe { CStr::from_ptr(format) }.to_bytes().starts_with(CONCEALING);
        // Counted only: as the last words of a failure it would be no help.
        ERRORS.fetch_add(u64::from(says), Ordering::Relaxed);
        return;
    }
    let mut line = [0_u8; LINE];
    let mut prefix: c_int = 0;
    // SAFETY: context, format and arguments are passed through as the
    // library gave them to this callback; the buffer is writable for its
    // length and the function ends it with a zero.
    let written = unsafe {
        av::av_log_format_line2(
            context,
            level,
            format,
            arguments,
            line.as_mut_ptr().cast(),
            LINE as c_int,
            &raw mut prefix,
        )
    };
    if written <= 0 {
        return;
    }
    let text: String = line
        .iter()
        .take_while(|&&b| b != 0)
        .map(|&b| if (b' '..=b'~').contains(&b) { b as char } else { ' ' })
        .collect();
    let text = text.trim();
    if REFUSING.get() && text.contains(REFUSED) {
        return;
    }
    ERRORS.fetch_add(1, Ordering::Relaxed);
    if let (false, Ok(mut last)) = (text.is_empty(), LAST.lock()) {
        text.clone_into(&mut last);
    }
}
