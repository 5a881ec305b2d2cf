//! Looking at a clip with several threads.
//!
//! One thread decodes and hands frames out in stretches: the frames since
//! the last whole look, and the frame that is looked at as a whole next.
//! Detectors take stretches, look at the end of theirs, then ask the frames
//! between who came and who went, which needs the end of the stretch before
//! ([`fernseed_core::track::between`]), and reduce all of them to what the
//! tracker follows people by ([`Luma`]). Looks differ in cost by a factor of
//! five, so there are more detectors than cores: while one waits for a slow
//! neighbour, others look further ahead. No more than `threads` of them look
//! at the same time ([`turns`]), those with the earliest stretches first.
//! Everybody waits for the look at the beginning of a shot, which is the
//! closest one, and after its end there is nothing else to do, so all threads
//! share the work of these. Results come back in order and
//! feed the tracker. At most a few stretches are in memory, whatever the length
//! of the clip.

mod turns;

use turns::Turns;

use fernseed_core::Picture;
use fernseed_core::detect::{DetectError, Detection, Place};
use fernseed_core::track::between::{Glimpse, between};
use fernseed_core::track::luma::Luma;
use fernseed_core::track::{Sighting, Track, TrackSettings, Tracker};
use fernseed_detect::VideoLook;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Stretches that wait while all detectors are busy. One is enough to keep
/// them so, and every one holds pictures.
const WAITING: usize = 1;
/// Detectors beyond the number that look at the same time.
const AHEAD: usize = 2;

/// A frame on its way.
#[derive(Debug)]
pub(super) struct Held {
    /// Its number.
    pub(super) number: u64,
    /// Its time.
    pub(super) seconds: f64,
    /// What it shows; `None` if it is damaged or was not decoded.
    pub(super) picture: Option<Picture>,
}

/// What a look came to.
pub(super) type Seen = Result<Vec<Detection>, DetectError>;

/// A look at a whole frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// How closely.
    pub(super) look: VideoLook,
    /// Threads that share the work.
    pub(super) threads: usize,
}

/// Who looks, and how. Both get the number of the frame.
pub(super) struct Eyes<'a> {
    /// Looks at a whole frame.
    pub(super) whole: &'a (dyn Fn(u64, &Picture, Whole) -> Seen + Sync),
    /// Looks near some places of a frame.
    pub(super) near: &'a (dyn Fn(u64, &Picture, &[Place]) -> Seen + Sync),
    /// Takes pictures back.
    pub(super) recycle: &'a (dyn Fn(Picture) + Sync),
    /// How the last frame of a shot is looked at, if nobody did.
    pub(super) last: VideoLook,
}

/// Who takes the tracks of those who have ended, in any order.
pub(super) type Ended<'a> = &'a mut (dyn FnMut(Track) + Send);

/// Frames since the last whole look, and the next frame to be looked at.
struct Stretch {
    index: u64,
    /// True if the end begins a new shot; then the frames between were not
    /// decoded, and may belong to either shot.
    fresh: bool,
    between: Vec<Held>,
    end: Held,
    how: VideoLook,
    /// True at either end of a shot, where nobody has anything else to do.
    shared: bool,
}

/// What was seen in a stretch.
struct Answer {
    index: u64,
    sightings: Vec<(Sighting, Option<Luma>)>,
    unseen: Vec<u64>,
}

/// Hands frames to the detectors.
pub(super) struct Lookout {
    stretches: SyncSender<Stretch>,
    next: u64,
    pending: Vec<Held>,
    last: VideoLook,
}

impl Lookout {
    /// Takes the next frame. `cut` says that it begins a new shot, which
    /// ends the shot before with a look of its own; `look` that it is looked
    /// at as a whole. False if the detectors are gone.
    pub(super) fn push(&mut self, frame: Held, cut: bool, look: Option<VideoLook>) -> bool {
        if cut && !self.end_shot() {
            return false;
        }
        match look {
            Some(how) if frame.picture.is_some() => self.send(frame, cut, how),
            // A shot that cannot be looked at in its first frame begins
            // without one; the tracker has to know all the same.
            _ if cut => self.send(frame, true, VideoLook::Quick),
            _ => {
                self.pending.push(frame);
                true
            }
        }
    }

    /// Looks at the last frame of a shot, if nobody did. Frames after it
    /// that were not decoded stay: they may belong to the next shot.
    fn end_shot(&mut self) -> bool {
        let Some(last) = self.pending.iter().rposition(|f| f.picture.is_some()) else {
            return true;
        };
        let after = self.pending.split_off(last + 1);
        let sent = match self.pending.pop() {
            Some(end) => self.hand_out(end, false, self.last, true),
            None => true,
        };
        self.pending = after;
        sent
    }

    /// Sends what is left at the end of the clip.
    fn finish(mut self) {
        // If the detectors are gone, their panic ends the scope.
        self.end_shot();
        if let Some(end) = self.pending.pop() {
            self.send(end, false, VideoLook::Quick);
        }
    }

    fn send(&mut self, end: Held, fresh: bool, how: VideoLook) -> bool {
        let shared = fresh || self.next == 0;
        self.hand_out(end, fresh, how, shared)
    }

    fn hand_out(&mut self, end: Held, fresh: bool, how: VideoLook, shared: bool) -> bool {
        let between = std::mem::take(&mut self.pending);
        let index = self.next;
        self.next += 1;
        self.stretches.send(Stretch { index, fresh, between, end, how, shared }).is_ok()
    }
}

/// Runs `feed`, which pushes frames in order, while `threads` detectors look,
/// and `ended` is given the tracks of those they saw. Returns the frames the
/// detectors could not look at.
///
/// # Errors
/// Whatever `feed` says.
pub(super) fn watch<E: Send>(
    settings: TrackSettings,
    threads: usize,
    eyes: &Eyes<'_>,
    ended: Ended<'_>,
    feed: impl FnOnce(&mut Lookout) -> Result<(), E>,
) -> Result<Vec<u64>, E> {
    let (stretches, waiting) = sync_channel::<Stretch>(WAITING);
    let desk = Desk {
        waiting: Mutex::new(waiting),
        ends: Mutex::default(),
        news: Condvar::new(),
        turns: Turns::new(threads),
    };
    let (answers, answered) = channel::<Answer>();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) + AHEAD {
            let (answers, desk, settings) = (answers.clone(), &desk, &settings);
            scope.spawn(move || work(desk, &answers, eyes, settings));
        }
        drop(answers);
        let tracker = Tracker::new(settings);
        let collector = scope.spawn(move || collect(tracker, &answered, ended));
        let mut lookout = Lookout { stretches, next: 0, pending: Vec::new(), last: eyes.last };
        let fed = feed(&mut lookout);
        // Ends the queue, so the detectors end when they are done.
        lookout.finish();
        let unseen = collector.join();
        fed?;
        Ok(unseen.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// What the detectors share.
struct Desk {
    waiting: Mutex<Receiver<Stretch>>,
    /// What is known of the ends of stretches whose successors want it.
    ends: Mutex<BTreeMap<u64, Glimpse>>,
    news: Condvar,
    /// Who may look.
    turns: Turns,
}

impl Desk {
    fn next(&self) -> Option<Stretch> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<u64, Glimpse>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the end of a stretch, waiting for who looks at it. Stretches
    /// are handed out in order, so somebody does.
    fn take(&self, index: u64) -> Glimpse {
        let mut ends = self.ends();
        loop {
            if let Some(end) = ends.remove(&index) {
                return end;
            }
            ends = self.news.wait(ends).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn publish(&self, index: u64, end: Glimpse) {
        self.ends().insert(index, end);
        self.news.notify_all();
    }
}

/// Publishes something even if a detector panics, so that nobody waits for
/// ever; the panic itself ends the watch.
struct Promise<'a> {
    desk: &'a Desk,
    index: u64,
    kept: bool,
}

impl Promise<'_> {
    fn keep(mut self, end: Glimpse) {
        self.kept = true;
        self.desk.publish(self.index, end);
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.desk.publish(self.index, Glimpse::default());
        }
    }
}

fn work(desk: &Desk, answers: &Sender<Answer>, eyes: &Eyes<'_>, settings: &TrackSettings) {
    while let Some(stretch) = desk.next() {
        if answers.send(look(desk, stretch, eyes, settings)).is_err() {
            return;
        }
    }
}

fn look(desk: &Desk, stretch: Stretch, eyes: &Eyes<'_>, settings: &TrackSettings) -> Answer {
    let Stretch { index, fresh, between: frames, end, how, shared } = stretch;
    let promise = Promise { desk, index, kept: false };
    let whole = end.picture.as_ref().map(|picture| {
        let turn = if shared { desk.turns.take_all(index) } else { desk.turns.take(index) };
        (eyes.whole)(end.number, picture, Whole { look: how, threads: turn.count() })
    });
    let previous = match index.checked_sub(1) {
        Some(before) => desk.take(before),
        None => Glimpse::default(),
    };
    // From here on nobody is waited for.
    let turn = desk.turns.take(index);
    let seconds = end.seconds;
    let glimpse = match (whole, &end.picture) {
        (Some(Ok(found)), _) if fresh || index == 0 => Some(Ok(Glimpse::first(seconds, found))),
        (Some(Ok(found)), Some(picture)) => {
            Some(previous.then(seconds, found, settings, &mut |places: &[Place]| {
                (eyes.near)(end.number, picture, places)
            }))
        }
        (Some(Err(error)), _) => Some(Err(error)),
        (_, None) | (None, _) => None,
    };
    let known = match &glimpse {
        Some(Ok(glimpse)) => glimpse.clone(),
        _ if fresh => Glimpse::default(),
        _ => previous.clone(),
    };
    promise.keep(known);

    // Only what was decoded can be asked.
    let (shown, pictures): (Vec<usize>, Vec<&Picture>) = frames
        .iter()
        .enumerate()
        .filter_map(|(i, frame)| Some((i, frame.picture.as_ref()?)))
        .unzip();
    let times: Vec<f64> = shown.iter().map(|&i| frames[i].seconds).collect();
    let mut near =
        |i: usize, places: &[Place]| (eyes.near)(frames[shown[i]].number, pictures[i], places);
    let inside = match &glimpse {
        Some(Ok(glimpse)) => between(&previous, glimpse, &times, settings, &mut near),
        _ => Ok(Vec::new()),
    };
    let inside = inside.map(|found| {
        let mut all = vec![Vec::new(); frames.len()];
        shown.iter().zip(found).for_each(|(&i, found)| all[i] = found);
        all
    });
    drop(turn);
    let mut unseen = Vec::new();
    let inside = inside.unwrap_or_else(|_error| {
        unseen.extend(frames.iter().map(|f| f.number));
        vec![Vec::new(); frames.len()]
    });
    if matches!(glimpse, Some(Err(_))) {
        unseen.push(end.number);
    }
    let mut sightings: Vec<(Sighting, Option<Luma>)> = frames
        .iter()
        .zip(inside)
        .map(|(f, found)| sighting(f, None, (!found.is_empty()).then_some(found)))
        .collect();
    let found = glimpse.and_then(Result::ok).map(|g| g.detections().collect());
    let cut = fresh.then(|| frames.first().map_or(end.number, |f| f.number));
    sightings.push(sighting(&end, cut, found));
    for picture in frames.into_iter().chain([end]).filter_map(|f| f.picture) {
        (eyes.recycle)(picture);
    }
    Answer { index, sightings, unseen }
}

fn sighting(
    frame: &Held,
    cut: Option<u64>,
    detections: Option<Vec<Detection>>,
) -> (Sighting, Option<Luma>) {
    let sighting = Sighting { frame: frame.number, seconds: frame.seconds, cut, detections };
    (sighting, frame.picture.as_ref().map(Luma::of))
}

/// Puts the answers back in order. Returns the frames without one.
fn collect(mut tracker: Tracker, answers: &Receiver<Answer>, ended: Ended<'_>) -> Vec<u64> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    let mut unseen = Vec::new();
    for answer in answers {
        early.insert(answer.index, answer);
        while let Some(answer) = early.remove(&next) {
            answer.sightings.into_iter().for_each(|(sighting, luma)| tracker.push(sighting, luma));
            unseen.extend(answer.unseen);
            tracker.take_ended().into_iter().for_each(&mut *ended);
            next += 1;
        }
    }
    tracker.finish().into_iter().for_each(ended);
    unseen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::cadence::FINDING;
    use fernseed_core::detect::{DetectorId, Label};
    use fernseed_core::{Orientation, PixelFormat, Rect, Size};

    fn face(x: f32) -> Detection {
        Detection {
            rect: Rect::centred(x, 50.0, 20.0, 20.0),
            label: Label::Face,
            confidence: 0.9,
            source: DetectorId::Fake,
            turn: Orientation::Upright,
        }
    }

    /// Frame `number` of a clip at `rate` frames a second; nothing to see in it.
    fn held(number: u64, rate: f64, decoded: bool) -> Held {
        let blank = || Picture::filled(Size::new(16, 16), PixelFormat::Rgb8, [0, 0, 0]);
        Held { number, seconds: number as f64 / rate, picture: decoded.then(blank) }
    }

    /// A clip at 25 frames a second in which somebody stands at 100 in the
    /// frames `there`; every fifth frame is looked at.
    fn run(threads: usize, frames: u64, cuts: &[u64], there: std::ops::Range<u64>) -> Vec<Track> {
        let sees = |number: u64| if there.contains(&number) { vec![face(100.0)] } else { vec![] };
        let eyes = Eyes {
            whole: &|number, _, _| Ok(sees(number)),
            near: &|number, _, _| Ok(sees(number)),
            recycle: &drop,
            last: FINDING.last,
        };
        let (tracks, unseen) = watched(threads, &eyes, |lookout| {
            for number in 0..frames {
                let cut = cuts.contains(&number);
                let look = (cut || number.is_multiple_of(5)).then_some(VideoLook::Quick);
                assert!(lookout.push(held(number, 25.0, true), cut, look));
            }
        });
        assert!(unseen.is_empty());
        tracks
    }

    /// The tracks of a watch, and the frames that nobody could look at.
    fn watched(
        threads: usize,
        eyes: &Eyes<'_>,
        feed: impl FnOnce(&mut Lookout),
    ) -> (Vec<Track>, Vec<u64>) {
        let mut tracks = Vec::new();
        let mut ended = |track| tracks.push(track);
        let settings = TrackSettings::for_threshold(0.5);
        let unseen = watch(settings, threads, eyes, &mut ended, |lookout| {
            feed(lookout);
            Ok::<(), ()>(())
        });
        (tracks, unseen.unwrap())
    }

    #[test]
    fn nothing_depends_on_the_number_of_threads() {
        let tracks = |threads| run(threads, 203, &[60, 61, 120], 33..150);
        let one = tracks(1);
        assert!(!one.is_empty());
        assert_eq!(one, tracks(2));
        assert_eq!(one, tracks(5));
    }

    #[test]
    fn somebody_who_comes_just_before_a_cut_is_seen() {
        // Frames 57 to 59: after the look at 55, before the cut at 60.
        let tracks = run(2, 100, &[60], 57..60);
        assert_eq!(tracks.len(), 1);
        let seen: Vec<u64> = tracks[0].points.iter().filter(|p| p.seen).map(|p| p.frame).collect();
        assert_eq!(seen, [57, 58, 59]);
        assert_eq!(tracks[0].points.last().map(|p| p.frame), Some(59));
    }

    #[test]
    fn the_last_frame_of_a_shot_is_looked_at_closely() {
        // Somebody whom quick looks do not see comes after the look at 55.
        let there = |number: u64| (57..60).contains(&number) || (97..100).contains(&number);
        let sees = |number: u64| if there(number) { vec![face(100.0)] } else { vec![] };
        let eyes = Eyes {
            whole: &|number, _, whole| match whole.look {
                VideoLook::Fine(_) => Ok(sees(number)),
                _ => Ok(Vec::new()),
            },
            near: &|number, _, _| Ok(sees(number)),
            recycle: &drop,
            last: FINDING.last,
        };
        let (tracks, unseen) = watched(2, &eyes, |lookout| {
            for number in 0..100u64 {
                let look = number.is_multiple_of(5).then_some(VideoLook::Quick);
                assert!(lookout.push(held(number, 25.0, true), number == 60, look));
            }
        });
        assert!(unseen.is_empty());
        let seen = |t: &Track| t.points.iter().filter(|p| p.seen).map(|p| p.frame).collect();
        let seen: Vec<Vec<u64>> = tracks.iter().map(seen).collect();
        assert_eq!(seen, [[57, 58, 59], [97, 98, 99]]);
    }

    #[test]
    fn frames_that_were_not_decoded_belong_to_both_shots() {
        let sees = |number: u64| vec![face(if number < 50 { 100.0 } else { 300.0 })];
        let eyes = Eyes {
            whole: &|number, _, _| Ok(sees(number)),
            near: &|number, _, _| Ok(sees(number)),
            recycle: &drop,
            last: FINDING.last,
        };
        let (tracks, unseen) = watched(2, &eyes, |lookout| {
            for number in 0..101u64 {
                // Every other frame is decoded.
                let look = number.is_multiple_of(10).then_some(VideoLook::Quick);
                let frame = held(number, 25.0, number.is_multiple_of(2));
                assert!(lookout.push(frame, number == 50, look));
            }
        });
        assert!(unseen.is_empty());
        let span = |t: &fernseed_core::track::Track| {
            (t.points[0].frame, t.points[t.points.len() - 1].frame)
        };
        assert_eq!(tracks.iter().map(span).collect::<Vec<_>>(), [(0, 49), (49, 100)]);
    }

    #[test]
    fn somebody_new_is_followed_back_over_frames_that_were_not_decoded() {
        // Every fourth frame is decoded; somebody comes in frame 60, and the
        // next whole look is in frame 80.
        let sees = |number: u64| if number >= 60 { vec![face(100.0)] } else { vec![] };
        let eyes = Eyes {
            whole: &|number, _, _| Ok(sees(number)),
            near: &|number, _, _| Ok(sees(number)),
            recycle: &drop,
            last: FINDING.last,
        };
        let (tracks, unseen) = watched(2, &eyes, |lookout| {
            for number in 0..161u64 {
                let look = number.is_multiple_of(40).then_some(VideoLook::Quick);
                let frame = held(number, 100.0, number.is_multiple_of(4));
                assert!(lookout.push(frame, false, look));
            }
        });
        assert!(unseen.is_empty());
        assert_eq!(tracks.len(), 1);
        let first = tracks[0].points.iter().find(|p| p.seen).map(|p| p.frame);
        assert_eq!(first, Some(60));
    }

    #[test]
    fn a_detector_that_fails_leaves_frames_unseen() {
        let eyes = Eyes {
            whole: &|_, _, _| Err(DetectError::Size { width: 0, height: 0 }),
            near: &|_, _, _| Ok(Vec::new()),
            recycle: &drop,
            last: FINDING.last,
        };
        let (tracks, unseen) = watched(2, &eyes, |lookout| {
            for number in 0..10u64 {
                let frame = Held { seconds: 0.0, ..held(number, 25.0, true) };
                let look = number.is_multiple_of(3).then_some(VideoLook::Quick);
                assert!(lookout.push(frame, false, look));
            }
        });
        assert!(tracks.is_empty());
        assert_eq!(unseen, [0, 3, 6, 9]);
    }
}
