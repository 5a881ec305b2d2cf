//! Both networks on every backend at three sizes, in floats and in 8 bits, and
//! the whole finder on a full HD frame and a small still. One thread, whose processor time counts.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fernseed_core::detect::{Detector, Effort, Place};
use fernseed_core::picture::YuvColour;
use fernseed_core::{Orientation, Picture, PixelFormat, Rect, Size};
use fernseed_detect::{
    Backend, Engine, FaceFinder, FinderConfig, NetworkInput, Precision, Turned, VideoLook,
};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long some runs take this thread: processor time where the system tells
/// (Linux), so that a busy machine disturbs less; else the time that passes.
fn spent<T>(runs: u64, mut run: impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    let now = || {
        let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let spent = line.split(' ').next().and_then(|word| word.parse().ok());
        spent.map_or_else(|| start.elapsed(), Duration::from_nanos)
    };
    let before = now();
    for _ in 0..runs {
        black_box(run());
    }
    // The system's clock is coarse, and criterion wants more than nothing.
    now().saturating_sub(before).max(Duration::from_nanos(1))
}

/// Noise: no face, so that decoding costs its minimum.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 / 4 + 90
        })
        .collect()
}

fn frame(width: u32, height: u32) -> Picture {
    let format = PixelFormat::Yuv420(YuvColour::BT709);
    let mut picture = Picture::filled(Size::new(width, height), format, [120, 110, 100]);
    let luma = &mut picture.planes_mut()[0];
    luma.data = bytes(luma.data.len()).into();
    picture
}

fn networks(criterion: &mut Criterion) {
    for backend in Backend::ALL {
        let Ok(engine) = Engine::with_backend(backend) else { continue };
        for (width, height) in [(640, 384), (1280, 736), (1920, 1088)] {
            let Some(input) = NetworkInput::new(width, height, bytes(width * height * 3)) else {
                continue;
            };
            let size = format!("{backend:?}/{width}x{height}");
            let mut group = criterion.benchmark_group("networks");
            group.sample_size(10);
            for precision in [Precision::Full, Precision::Fast] {
                let size = format!("{size}/{precision:?}");
                group.bench_function(BenchmarkId::new("centerface", &size), |b| {
                    b.iter_custom(|runs| spent(runs, || engine.centerface_head(&input, precision)));
                });
                group.bench_function(BenchmarkId::new("yunet", &size), |b| {
                    b.iter_custom(|runs| spent(runs, || engine.yunet_heads(&input, precision)));
                });
            }
            group.finish();
        }
    }
}

fn finder(criterion: &mut Criterion) {
    let Ok(finder) = FaceFinder::new(FinderConfig { threads: 1 }) else { return };
    let mut group = criterion.benchmark_group("finder");
    group.sample_size(10);
    let full_hd = frame(1920, 1080);
    for look in [
        VideoLook::Quick,
        VideoLook::Steady,
        VideoLook::Close(Turned::Once(0)),
        VideoLook::Fine(Turned::Once(0)),
        VideoLook::Thorough,
    ] {
        group.bench_function(format!("{look:?}/1920x1080"), |b| {
            b.iter_custom(|runs| spent(runs, || finder.look_at_frame(&full_hd, look, 0.1)));
        });
    }
    let expected: Vec<Place> = (0..8)
        .map(|i| Rect::centred(180.0 + 200.0 * i as f32, 500.0, 50.0, 70.0 + 10.0 * i as f32))
        .map(|rect| Place { rect, turn: Some(Orientation::Upright) })
        .collect();
    for faces in [1, 8] {
        group.bench_function(format!("near/{faces} faces"), |b| {
            b.iter_custom(|runs| {
                spent(runs, || finder.look_near(&full_hd, &expected[..faces], 0.1))
            });
        });
    }
    let small = frame(400, 300);
    for effort in [Effort::Still, Effort::Audit] {
        group.bench_function(format!("{effort:?}/400x300"), |b| {
            b.iter_custom(|runs| spent(runs, || finder.detect(&small, effort, 0.1)));
        });
    }
    group.finish();
}

criterion_group!(benches, networks, finder);
criterion_main!(benches);
