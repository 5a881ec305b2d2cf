//! Both networks with packed weights, ready to run from any thread.

use crate::centerface::{ActivationRanges, CenterFace, Precision};
use crate::face_box::{FaceBox, suppress};
use crate::feature_map::{FeatureMap, NetworkInput, Scratch};
use crate::kernels::{Backend, Kernels};
use crate::yunet::{YuNet, YuNetRanges};
use fernseed_core::detect::DetectError;
use std::sync::{Mutex, PoisonError};

static CENTERFACE_ONNX: &[u8] = include_bytes!(env!("FERNSEED_CENTERFACE_ONNX"));
static CENTERFACE_RANGES: &[u8] = include_bytes!("../weights/centerface.ranges");
static YUNET_F32: &[u8] = include_bytes!("../weights/yunet_s.f32");
static YUNET_RANGES: &[u8] = include_bytes!("../weights/yunet.ranges");

/// Boxes of one network that overlap more than this are one face.
const SAME_FACE_IOU: f32 = 0.3;

/// Runs kept memory for at most this many concurrent runs.
const MAX_POOLED: usize = 8;

/// Larger pictures for a network give their memory up (1080p takes 6 MB).
const LARGEST_KEPT: usize = 8 << 20;

/// The two networks.
///
/// Building one unpacks the weights and starts nothing; running needs no
/// more than memory, which is kept for the next run. Any number of threads
/// may run at once.
#[derive(Debug)]
pub struct Engine {
    kernels: Kernels,
    centerface: CenterFace,
    yunet: YuNet,
    pool: Mutex<Vec<Scratch>>,
    /// Memory of pictures that networks were shown, for the next ones.
    inputs: Mutex<Vec<Vec<u8>>>,
}

/// Raw output of a network: one map, `[row][column][channel]`.
#[derive(Clone, Debug)]
pub struct HeadMap {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values of a cell, without padding.
    pub channels: usize,
    /// `height * width * channels` values.
    pub values: Vec<f32>,
}

impl Engine {
    /// The networks on the fastest backend of this processor.
    ///
    /// # Errors
    /// [`DetectError::Weights`] if the embedded weights cannot be read.
    pub fn new() -> Result<Self, DetectError> {
        Self::with_backend(Backend::best())
    }

    /// The networks on a given backend.
    ///
    /// # Errors
    /// [`DetectError::Weights`] if this processor cannot run the backend, or
    /// the embedded weights cannot be read.
    pub fn with_backend(backend: Backend) -> Result<Self, DetectError> {
        let weights =
            |network: &str, reason: String| DetectError::Weights(format!("{network}: {reason}"));
        let kernels = Kernels::new(backend).ok_or_else(|| {
            DetectError::Weights(format!("this processor cannot run {backend:?}"))
        })?;
        Ok(Self {
            kernels,
            centerface: CenterFace::load(kernels, CENTERFACE_ONNX, CENTERFACE_RANGES)
                .map_err(|reason| weights("CenterFace", reason))?,
            yunet: YuNet::load(kernels, YUNET_F32, YUNET_RANGES)
                .map_err(|reason| weights("YuNet", reason))?,
            pool: Mutex::default(),
            inputs: Mutex::default(),
        })
    }

    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// The backend in use.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.kernels.backend()
    }

    /// Faces CenterFace sees, best first, without duplicates, in the pixels
    /// of `input`; those scored at least `floor`.
    #[must_use]
    pub fn centerface(
        &self,
        input: &NetworkInput,
        precision: Precision,
        floor: f32,
    ) -> Vec<FaceBox> {
        self.with_scratch(|scratch| {
            let map = self.centerface.run(self.kernels, input, precision, scratch);
            suppress(CenterFace::decode(map, floor), SAME_FACE_IOU)
        })
    }

    /// Faces YuNet sees, best first, without duplicates, in the pixels of
    /// `input`; those scored at least `floor`.
    #[must_use]
    pub fn yunet(&self, input: &NetworkInput, precision: Precision, floor: f32) -> Vec<FaceBox> {
        self.with_scratch(|scratch| {
            let maps = self.yunet.run(self.kernels, input, precision, scratch);
            suppress(YuNet::decode(maps, floor), SAME_FACE_IOU)
        })
    }

    /// CenterFace's raw output at a quarter of the size: score before the
    /// sigmoid, log height, log width, offset y, offset x.
    #[must_use]
    pub fn centerface_head(&self, input: &NetworkInput, precision: Precision) -> HeadMap {
        self.with_scratch(|scratch| {
            HeadMap::of(self.centerface.run(self.kernels, input, precision, scratch), 5)
        })
    }

    /// Runs both networks in floats and widens their ranges by what is seen,
    /// for calibrating their 8-bit forms.
    pub fn measure_ranges(
        &self,
        input: &NetworkInput,
        centerface: &mut ActivationRanges,
        yunet: &mut YuNetRanges,
    ) {
        self.with_scratch(|scratch| {
            self.centerface.run_floats(self.kernels, input, scratch, Some(centerface));
            self.yunet.run_floats(self.kernels, input, scratch, Some(yunet));
        });
    }

    /// YuNet's raw output at strides 8, 16 and 32: class and objectness
    /// before the sigmoid, box, five points.
    #[must_use]
    pub fn yunet_heads(&self, input: &NetworkInput, precision: Precision) -> [HeadMap; 3] {
        self.with_scratch(|scratch| {
            let maps = self.yunet.run(self.kernels, input, precision, scratch);
            maps.map(|map| HeadMap::of(map, 16))
        })
    }

    /// Gives up the working memory kept from earlier runs; the next run
    /// takes it anew.
    pub fn release_memory(&self) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Memory for what a network is shown: of an earlier input, or none. The
    /// pages of a picture cost more to get from the system than to fill.
    pub(crate) fn memory_for_input(&self) -> Vec<u8> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes the memory of an input back.
    pub(crate) fn return_input(&self, input: NetworkInput) {
        let memory = input.into_bytes();
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if inputs.len() < MAX_POOLED && memory.capacity() <= LARGEST_KEPT {
            inputs.push(memory);
        }
    }

    fn with_scratch<T>(&self, run: impl FnOnce(&mut Scratch) -> T) -> T {
        let pooled = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = pooled.unwrap_or_default();
        let result = run(&mut scratch);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < MAX_POOLED {
            pool.push(scratch);
        }
        result
    }
}

impl HeadMap {
    fn of(map: &FeatureMap, channels: usize) -> Self {
        let cells = map.values().chunks_exact(map.channels);
        let values = cells.flat_map(|cell| &cell[..channels]).copied().collect();
        Self { height: map.height, width: map.width, channels, values }
    }
}

/// The compiled-in files, in the order of [`crate::models()`].
#[cfg(test)]
pub(crate) const fn embedded_weights() -> [&'static [u8]; 2] {
    [CENTERFACE_ONNX, YUNET_F32]
}
