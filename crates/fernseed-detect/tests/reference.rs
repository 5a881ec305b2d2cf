//! The engine against ONNX Runtime and its backends against each other.
//!
//! `reference.txt` was made by `reference.py` with onnxruntime 1.32.0.
#![allow(clippy::unwrap_used, reason = "tests")]

use fernseed_detect::{Backend, Engine, HeadMap, NetworkInput, Precision};

const WIDTH: usize = 224;
const HEIGHT: usize = 160;
/// Every which value of a head the file holds.
const EVERY: usize = 37;

/// The picture of `reference.py`.
fn picture() -> NetworkInput {
    let mut state = 1_u32;
    let mut data = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT as i32 {
        for x in 0..WIDTH as i32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 27) as i32;
            let head = (x - 100).pow(2) * 9 + (y - 80).pow(2) * 5 < 8000;
            let eye = ((x - 100).abs() - 11).pow(2) + (y - 70).pow(2) < 16;
            let mouth = (x - 100).abs() < 12 && (y - 98).abs() < 3;
            for c in 0..3 {
                let mut base = (x * (c + 1) + y * 2) % 160;
                if head {
                    base = 190 - 30 * c;
                }
                if eye || mouth {
                    base = 40;
                }
                data.push((base + noise) as u8);
            }
        }
    }
    NetworkInput::new(WIDTH, HEIGHT, data).unwrap()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The four heads of a picture, CenterFace's score after the sigmoid.
fn heads(engine: &Engine, input: &NetworkInput) -> Vec<HeadMap> {
    let mut centerface = engine.centerface_head(input, Precision::Full);
    for cell in centerface.values.chunks_exact_mut(5) {
        cell[0] = sigmoid(cell[0]);
    }
    let mut all = vec![centerface];
    all.extend(engine.yunet_heads(input, Precision::Full));
    all
}

fn engines() -> Vec<Engine> {
    Backend::ALL
        .into_iter()
        .filter(|backend| backend.is_supported())
        .map(|backend| Engine::with_backend(backend).unwrap())
        .collect()
}

#[test]
fn every_backend_says_what_onnx_runtime_says() {
    let input = picture();
    let sum: u64 = input.bytes().iter().map(|&byte| u64::from(byte)).sum();
    let mut lines = include_str!("reference.txt").lines();
    assert_eq!(lines.next().unwrap(), format!("picture {sum}"));
    let references: Vec<(&str, Vec<usize>, Vec<f32>)> = lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let shape = words[1..4].iter().map(|w| w.parse().unwrap()).collect();
            (words[0], shape, words[4..].iter().map(|w| w.parse().unwrap()).collect())
        })
        .collect();
    assert_eq!(references.len(), 4);
    for engine in engines() {
        for (head, (name, shape, values)) in heads(&engine, &input).iter().zip(&references) {
            assert_eq!([head.channels, head.height, head.width], shape[..], "{name}");
            assert!(values.len() > 10, "{name}");
            assert_eq!(head.values.len().div_ceil(EVERY), values.len(), "{name}");
            for (i, (ours, theirs)) in head.values.iter().step_by(EVERY).zip(values).enumerate() {
                assert!(
                    (ours - theirs).abs() <= 1e-4 * theirs.abs().max(1.0),
                    "{:?} {name} value {i}: {ours} instead of {theirs}",
                    engine.backend()
                );
            }
        }
    }
}

/// All shapes of tail: sizes whose rows are no multiple of any tile.
#[test]
fn backends_agree_at_every_size() {
    let engines = engines();
    for (width, height) in [(32, 32), (96, 32), (32, 160), (416, 64), (352, 224)] {
        let bytes = picture().bytes().iter().copied().cycle().take(width * height * 3).collect();
        let input = NetworkInput::new(width, height, bytes).unwrap();
        let first = heads(&engines[0], &input);
        for engine in &engines[1..] {
            for (a, b) in first.iter().zip(heads(engine, &input)) {
                assert_eq!(a.values.len(), b.values.len());
                for (x, y) in a.values.iter().zip(&b.values) {
                    assert!((x - y).abs() <= 1e-4 * y.abs().max(1.0), "{x} {y} {width}x{height}");
                }
            }
        }
    }
}

#[test]
fn sides_that_are_no_multiple_of_32_are_refused() {
    assert!(NetworkInput::new(33, 32, vec![0; 33 * 32 * 3]).is_none());
    assert!(NetworkInput::new(0, 32, vec![]).is_none());
    assert!(NetworkInput::new(32, 32, vec![0; 5]).is_none());
    assert!(NetworkInput::new(usize::MAX - 31, 64, vec![]).is_none());
}

/// Runs at once on two threads give what one run gives, to the bit.
#[test]
fn threads_do_not_disturb_each_other() {
    let engine = Engine::new().unwrap();
    let input = picture();
    let alone = heads(&engine, &input);
    let results: Vec<Vec<HeadMap>> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| heads(&engine, &input))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for result in results {
        for (a, b) in alone.iter().zip(&result) {
            assert_eq!(a.values, b.values);
        }
    }
}

/// The 8-bit forms say nearly what the exact ones say.
#[test]
fn bytes_say_nearly_what_floats_say() {
    let input = picture();
    for engine in engines() {
        let centerface = |precision| {
            let head = engine.centerface_head(&input, precision);
            head.values.chunks_exact(5).map(|cell| sigmoid(cell[0])).collect::<Vec<_>>()
        };
        let yunet = |precision| {
            let heads = engine.yunet_heads(&input, precision);
            let cells = heads.iter().flat_map(|head| head.values.chunks_exact(16));
            cells.map(|cell| (sigmoid(cell[0]) * sigmoid(cell[1])).sqrt()).collect::<Vec<_>>()
        };
        for (name, exact, fast) in [
            ("CenterFace", centerface(Precision::Full), centerface(Precision::Fast)),
            ("YuNet", yunet(Precision::Full), yunet(Precision::Fast)),
        ] {
            assert_eq!(exact.len(), fast.len());
            let off: Vec<f32> = exact.iter().zip(&fast).map(|(a, b)| (a - b).abs()).collect();
            let worst = off.iter().copied().fold(0.0, f32::max);
            let mean = off.iter().sum::<f32>() / off.len() as f32;
            println!("{:?} {name}: score worst {worst} mean {mean}", engine.backend());
            assert!(worst < 0.2 && mean < 0.005, "{:?} {name} {worst} {mean}", engine.backend());
        }
    }
}

/// The 8-bit forms run at every size, also where a row is narrower than a
/// register.
#[test]
fn bytes_run_at_every_size() {
    for engine in engines() {
        for (width, height) in [(32, 32), (96, 32), (32, 160), (416, 64), (352, 224)] {
            let bytes =
                picture().bytes().iter().copied().cycle().take(width * height * 3).collect();
            let input = NetworkInput::new(width, height, bytes).unwrap();
            let exact = engine.yunet_heads(&input, Precision::Full);
            let fast = engine.yunet_heads(&input, Precision::Fast);
            for (a, b) in exact.iter().zip(&fast) {
                assert_eq!((a.width, a.height), (b.width, b.height));
                for (a, b) in a.values.chunks_exact(16).zip(b.values.chunks_exact(16)) {
                    let off = (sigmoid(a[0]) - sigmoid(b[0])).abs();
                    assert!(off < 0.25, "{:?} {width}x{height} {off}", engine.backend());
                }
            }
        }
    }
}
