//! What each kind of look costs on each backend: the least processor time of
//! some runs on one thread, preparation of the picture included, in turns so
//! that a busy machine disturbs all alike.
//!
//! usage: `speed [ROUNDS [PART_OF_A_NAME [BACKEND]]]`
#![allow(clippy::print_stdout, reason = "a measuring tool talks on standard output")]

use fernseed_core::detect::Place;
use fernseed_core::picture::YuvColour;
use fernseed_core::{Orientation, Picture, PixelFormat, Rect, Size};
use fernseed_detect::Network::{CenterFace, YuNet};
use fernseed_detect::{Backend, Engine, FaceFinder, FinderConfig, Look};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Looks near faces per measurement: the clock is coarse.
const REPEATS: u32 = 50;

/// Processor time of this thread where the system tells (Linux), else the
/// time since the start.
fn now(start: Instant) -> Duration {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = line.split(' ').next().and_then(|word| word.parse().ok());
    spent.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let size = Size::new(1920, 1080);
    let mut frame = Picture::filled(size, PixelFormat::Yuv420(YuvColour::BT709), [120, 110, 100]);
    let mut state = 7_u32;
    for value in frame.planes_mut()[0].data.iter_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 24) as u8 / 4 + 90;
    }
    let wanted = std::env::args().nth(2).unwrap_or_default();
    let wanted_backend = std::env::args().nth(3).unwrap_or_default();
    let side = |side: f32| side / 1920.0;
    let looks = [
        ("YuNet 480", Look::new(YuNet, side(480.0))),
        ("YuNet 1280", Look::new(YuNet, side(1280.0))),
        ("YuNet 1920", Look::new(YuNet, 1.0)),
        ("YuNet 480 fast", Look::new(YuNet, side(480.0)).fast()),
        ("YuNet 1280 fast", Look::new(YuNet, side(1280.0)).fast()),
        ("YuNet 1920 fast", Look::new(YuNet, 1.0).fast()),
        ("CenterFace 640", Look::new(CenterFace, side(640.0))),
        ("CenterFace 1280", Look::new(CenterFace, side(1280.0))),
        ("CenterFace 1920", Look::new(CenterFace, 1.0)),
        ("CenterFace 640 fast", Look::new(CenterFace, side(640.0)).fast()),
        ("CenterFace 1280 fast", Look::new(CenterFace, side(1280.0)).fast()),
        ("CenterFace 1920 fast", Look::new(CenterFace, 1.0).fast()),
    ];
    let looks: Vec<_> = looks.into_iter().filter(|(name, _)| name.contains(&wanted)).collect();
    let expected: Vec<Place> = (0..8)
        .map(|i| Rect::centred(180.0 + 200.0 * i as f32, 500.0, 50.0, 70.0 + 10.0 * i as f32))
        .map(|rect| Place { rect, turn: Some(Orientation::Upright) })
        .collect();
    let near = [("near, 1 face", 1), ("near, 8 faces", 8)];
    let near: Vec<_> = near.into_iter().filter(|(name, _)| name.contains(&wanted)).collect();

    let mut finders = Vec::new();
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
        if !format!("{backend:?}").contains(&wanted_backend) {
            continue;
        }
        let engine = Engine::with_backend(backend)?;
        finders.push(FaceFinder::with_engine(engine, FinderConfig { threads: 1 }));
        print!("{backend:?}\t");
    }
    println!("(ms of processor time, least of {rounds})");
    let start = Instant::now();
    let time = |least: &mut Duration, run: &dyn Fn()| {
        let before = now(start);
        run();
        *least = (*least).min(now(start).saturating_sub(before));
    };
    let mut table = vec![vec![Duration::MAX; finders.len()]; looks.len() + near.len()];
    for _ in 0..rounds {
        for (column, finder) in finders.iter().enumerate() {
            for (row, (_, look)) in looks.iter().enumerate() {
                time(&mut table[row][column], &|| {
                    black_box(finder.look(&frame, &[*look], 0.1));
                });
            }
            for (row, (_, faces)) in near.iter().enumerate() {
                time(&mut table[looks.len() + row][column], &|| {
                    for _ in 0..REPEATS {
                        drop(black_box(finder.look_near(&frame, &expected[..*faces], 0.1)));
                    }
                });
            }
        }
    }
    let names = looks.iter().map(|(name, _)| name).chain(near.iter().map(|(name, _)| name));
    for (index, (name, row)) in names.zip(&table).enumerate() {
        let runs = if index < looks.len() { 1.0 } else { f64::from(REPEATS) };
        for time in row {
            print!("{:.2}\t", time.as_secs_f64() * 1e3 / runs);
        }
        println!("{name}");
    }
    Ok(())
}
