//! Looking at many frames with several threads, in order.
//!
//! One thread decodes and hands frames out; `threads` detectors look; the
//! results come back in order and feed the tracker. At most a few frames are
//! in memory at once, whatever the length of the clip.

use fernseed_core::detect::{DetectError, Detection};
use fernseed_core::track::{Sighting, Tracker};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// One frame on its way to a detector.
struct Errand<P> {
    frame: u64,
    seconds: f64,
    cut: bool,
    picture: Option<P>,
}

/// What came back.
struct Answer {
    frame: u64,
    seconds: f64,
    cut: bool,
    detections: Option<Result<Vec<Detection>, DetectError>>,
}

/// Hands frames to the detectors.
pub(super) struct Lookout<P> {
    errands: SyncSender<Errand<P>>,
}

impl<P> Lookout<P> {
    /// Sends the next frame; `picture` is `None` where nobody looks.
    /// False if the detectors are gone.
    pub(super) fn send(&self, frame: u64, seconds: f64, cut: bool, picture: Option<P>) -> bool {
        self.errands.send(Errand { frame, seconds, cut, picture }).is_ok()
    }
}

/// What a watch came to.
pub(super) struct Watched {
    /// The tracker with everything that was seen.
    pub(super) tracker: Tracker,
    /// Frames the detectors could not look at.
    pub(super) unseen: Vec<u64>,
}

/// Runs `feed`, which sends frames in order, while `threads` detectors look.
///
/// # Errors
/// Whatever `feed` says.
pub(super) fn watch<P: Send, E: Send>(
    tracker: Tracker,
    threads: usize,
    look: &(dyn Fn(&P) -> Result<Vec<Detection>, DetectError> + Sync),
    recycle: &(dyn Fn(P) + Sync),
    feed: impl FnOnce(&Lookout<P>) -> Result<(), E>,
) -> Result<Watched, E> {
    let threads = threads.max(1);
    let (errands, waiting) = sync_channel::<Errand<P>>(2 * threads);
    let waiting = Mutex::new(waiting);
    let (answers, answered) = channel::<Answer>();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let answers = answers.clone();
            let waiting = &waiting;
            scope.spawn(move || work(waiting, &answers, look, recycle));
        }
        drop(answers);
        let collector = scope.spawn(move || collect(tracker, &answered));
        let fed = feed(&Lookout { errands });
        // `feed` dropped its end, so the detectors end when they are done.
        let watched = collector.join();
        fed?;
        Ok(watched.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn work<P>(
    waiting: &Mutex<Receiver<Errand<P>>>,
    answers: &Sender<Answer>,
    look: &(dyn Fn(&P) -> Result<Vec<Detection>, DetectError> + Sync),
    recycle: &(dyn Fn(P) + Sync),
) {
    loop {
        let errand = match waiting.lock() {
            Ok(queue) => queue.recv(),
            Err(_poisoned) => return,
        };
        let Ok(Errand { frame, seconds, cut, picture }) = errand else { return };
        let detections = picture.as_ref().map(look);
        if let Some(picture) = picture {
            recycle(picture);
        }
        if answers.send(Answer { frame, seconds, cut, detections }).is_err() {
            return;
        }
    }
}

/// Puts the answers back in order.
fn collect(mut tracker: Tracker, answers: &Receiver<Answer>) -> Watched {
    let mut early = BTreeMap::new();
    let mut next = 0;
    let mut unseen = Vec::new();
    for answer in answers {
        early.insert(answer.frame, answer);
        while let Some(Answer { frame, seconds, cut, detections }) = early.remove(&next) {
            let detections = match detections {
                Some(Ok(found)) => Some(found),
                Some(Err(_)) => {
                    unseen.push(frame);
                    None
                }
                None => None,
            };
            tracker.push(Sighting { frame, seconds, cut, detections });
            next += 1;
        }
    }
    Watched { tracker, unseen }
}
