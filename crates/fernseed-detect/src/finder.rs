//! [`FaceFinder`]: the detector of faces.

use crate::engine::Engine;
use crate::face_box::FaceBox;
use crate::look::{Look, Network, Part};
use crate::merge::{Vote, merge};
use crate::plan::{self, Turned, VideoLook};
use crate::tone::Brightness;
use crate::view::{Shown, View};
use fernseed_core::Picture;
use fernseed_core::detect::{DetectError, Detection, Detector, Effort};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Called after each run of a network, from whatever thread did it.
pub type Tick<'a> = &'a (dyn Fn() + Sync);

/// How a [`FaceFinder`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinderConfig {
    /// Threads that share the work of one picture. They live as long as one
    /// call; 1 means the caller's thread alone.
    pub threads: usize,
}

impl Default for FinderConfig {
    fn default() -> Self {
        Self { threads: 1 }
    }
}

/// Finds faces.
///
/// Building one unpacks the weights (a few milliseconds, about 16 MB) and
/// starts no thread; it may be built in one process and used in its forked
/// children.
#[derive(Debug)]
pub struct FaceFinder {
    engine: Arc<Engine>,
    config: FinderConfig,
}

impl FaceFinder {
    /// A finder on the fastest backend of this processor.
    ///
    /// # Errors
    /// [`DetectError::Weights`] if the embedded weights cannot be read.
    pub fn new(config: FinderConfig) -> Result<Self, DetectError> {
        Ok(Self::with_engine(Engine::new()?, config))
    }

    /// A finder on an engine of the caller's choice.
    #[must_use]
    pub fn with_engine(engine: Engine, config: FinderConfig) -> Self {
        Self { engine: Arc::new(engine), config }
    }

    /// The same finder, with the same weights and working memory, for other
    /// pictures or other numbers of threads.
    #[must_use]
    pub fn with_threads(&self, threads: usize) -> Self {
        Self { engine: Arc::clone(&self.engine), config: FinderConfig { threads } }
    }

    /// Gives up the working memory kept from earlier looks, some 100 MB after
    /// pictures of full HD; the next look takes it anew.
    pub fn release_memory(&self) {
        self.engine.release_memory();
    }

    /// Raw boxes of some looks, in picture pixels: for every look in turn
    /// what its network scores at least `floor`, duplicates within one run
    /// merged, nothing else done.
    #[must_use]
    pub fn look(&self, picture: &Picture, looks: &[Look], floor: f32) -> Vec<(Network, FaceBox)> {
        let parts: Vec<Part> = looks.iter().flat_map(|look| look.parts(picture.size())).collect();
        let runs = self.run_all(&parts, picture, &|_| floor, &|| {});
        let named = parts
            .iter()
            .zip(runs)
            .flat_map(|(part, found)| found.into_iter().map(move |b| (part.network(), b)));
        named.collect()
    }

    /// Runs parts on the configured number of threads; results in the order
    /// of `parts`, whoever was first: boxes that a network scores at least
    /// its `floor`. `tick` is called after each.
    pub(crate) fn run_all(
        &self,
        parts: &[Part],
        picture: &Picture,
        floor: &(dyn Fn(Network) -> f32 + Sync),
        tick: Tick<'_>,
    ) -> Vec<Vec<FaceBox>> {
        let threads = self.config.threads.min(parts.len());
        let views = SharedViews::of(parts);
        let run = |index: usize| {
            let found = match views.show(index, &self.engine, picture) {
                Some(shown) => {
                    let part = &parts[index];
                    let found = part.run(&self.engine, &shown, floor(part.network()));
                    // The last to be shown it gives its memory back.
                    if let Some(shown) = Arc::into_inner(shown) {
                        self.engine.return_input(shown.input);
                    }
                    found
                }
                None => Vec::new(),
            };
            tick();
            found
        };
        if threads <= 1 {
            return (0..parts.len()).map(run).collect();
        }
        // Expensive parts first, so that the threads end together.
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by(|&a, &b| parts[b].cost().total_cmp(&parts[a].cost()));
        let next = AtomicUsize::new(0);
        let results = Mutex::new(vec![Vec::new(); parts.len()]);
        let work = || {
            while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = run(index);
                results.lock().unwrap_or_else(PoisonError::into_inner)[index] = found;
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What parts are shown: made once for all parts that are shown the same,
/// and given up after the last of them.
struct SharedViews {
    /// Which of `made` each part is shown.
    index: Vec<usize>,
    made: Vec<Mutex<Making>>,
}

/// One view, when it is made, and how many parts have yet to see it.
struct Making {
    view: View,
    shown: Option<Arc<Shown>>,
    waiting: usize,
}

impl SharedViews {
    fn of(parts: &[Part]) -> Self {
        let mut makings: Vec<Making> = Vec::new();
        let mut index = Vec::with_capacity(parts.len());
        for view in parts.iter().map(Part::view) {
            let at = makings.iter().position(|m| m.view == view).unwrap_or_else(|| {
                makings.push(Making { view, shown: None, waiting: 0 });
                makings.len() - 1
            });
            makings[at].waiting += 1;
            index.push(at);
        }
        Self { index, made: makings.into_iter().map(Mutex::new).collect() }
    }

    /// What part `part` is shown, the first or the next time. `None` if it
    /// would be nothing.
    fn show(&self, part: usize, engine: &Engine, picture: &Picture) -> Option<Arc<Shown>> {
        let mut making = self.made[self.index[part]].lock().unwrap_or_else(PoisonError::into_inner);
        making.waiting = making.waiting.saturating_sub(1);
        let shown = match making.shown.take() {
            Some(shown) => shown,
            None => {
                let memory = engine.memory_for_input();
                Arc::new(making.view.show(engine.kernels(), picture, memory)?)
            }
        };
        if making.waiting > 0 {
            making.shown = Some(Arc::clone(&shown));
        }
        Some(shown)
    }
}

/// The score of a network below which a box is not even counted as support.
pub(crate) fn floor(network: Network) -> f32 {
    match network {
        Network::CenterFace => 0.06,
        Network::YuNet => 0.12,
    }
}

/// A still picture whose best face is less sure than this is turned, too.
const SURE: f32 = 0.75;

/// What is seen in a turned picture alone counts less: most pictures are
/// upright, and each turn is another chance to err.
pub(crate) const TURNED_TRUST: f32 = 0.75;

impl FaceFinder {
    /// Looks at a video frame in one of several ways, so that a caller can
    /// mix cheap and thorough looks. Confidences mean the same in all.
    ///
    /// # Errors
    /// [`DetectError::Size`] if the picture is empty.
    pub fn look_at_frame(
        &self,
        picture: &Picture,
        look: VideoLook,
        floor: f32,
    ) -> Result<Vec<Detection>, DetectError> {
        not_empty(picture)?;
        let dark = Brightness::sampled(picture).is_dark();
        let votes = self.votes(picture, &plan::video(look, picture.size(), dark), 0, 1.0, &|| {});
        Ok(merge(votes, floor))
    }

    /// All boxes of some looks as votes; looks are numbered from `first`.
    fn votes(
        &self,
        picture: &Picture,
        looks: &[Look],
        first: usize,
        trust: f32,
        tick: Tick<'_>,
    ) -> Vec<Vote> {
        let parts: Vec<(usize, Part)> = looks
            .iter()
            .enumerate()
            .flat_map(|(i, look)| look.parts(picture.size()).into_iter().map(move |p| (i, p)))
            .collect();
        let only: Vec<Part> = parts.iter().map(|&(_, part)| part).collect();
        let runs = self.run_all(&only, picture, &floor, tick);
        let named = parts.into_iter().zip(runs).flat_map(|((look, part), found)| {
            let turn = part.view().turn;
            found.into_iter().map(move |b| {
                // Stills say for all looks of a call how much they are trusted;
                // of a video frame some are turned and some are not.
                let trust =
                    if plan::TURNS.contains(&turn) { trust.min(TURNED_TRUST) } else { trust };
                Vote::new(part.network(), b, first + look, trust).turned(turn)
            })
        });
        named.collect()
    }
}

impl Detector for FaceFinder {
    fn detect(
        &self,
        picture: &Picture,
        effort: Effort,
        floor: f32,
    ) -> Result<Vec<Detection>, DetectError> {
        self.detect_ticking(picture, effort, floor, &|| {})
    }
}

impl FaceFinder {
    /// [`Detector::detect`] that calls `tick` after each run of a network, as
    /// a sign of life: a large picture takes many, each a second or less.
    /// Calls come from whatever thread did the run.
    ///
    /// # Errors
    /// [`DetectError::Size`] if the picture is empty.
    pub fn detect_ticking(
        &self,
        picture: &Picture,
        effort: Effort,
        floor: f32,
        tick: Tick<'_>,
    ) -> Result<Vec<Detection>, DetectError> {
        not_empty(picture)?;
        let size = picture.size();
        let dark = Brightness::sampled(picture).is_dark();
        let looks = match effort {
            Effort::VideoFrame => {
                return self.look_at_frame(picture, VideoLook::Fine(Turned::AllRound), floor);
            }
            Effort::Still => plan::still(size, dark),
            Effort::Audit => plan::audit(size, dark),
        };
        let mut votes = self.votes(picture, &looks, 0, 1.0, tick);
        if merge(votes.clone(), SURE).is_empty() {
            let turned = plan::turned(size);
            votes.extend(self.votes(picture, &turned, looks.len(), TURNED_TRUST, tick));
        }
        Ok(merge(votes, floor))
    }
}

/// A picture must have pixels.
pub(crate) fn not_empty(picture: &Picture) -> Result<(), DetectError> {
    let size = picture.size();
    if size.pixels() > 0 {
        Ok(())
    } else {
        Err(DetectError::Size { width: size.width, height: size.height })
    }
}
