//! Equal input gives equal bytes, however fast its frames come and however
//! busy the machine is: an encoder that looks ahead in a thread of its own
//! must not decide by how far that thread has got.

use super::support::Bench;
use fernseed_core::policy::Policy;
use fernseed_core::render::Renderer;
use fernseed_media::video::{Container, OpenOptions, SinkOptions, Unit, VideoReader, VideoWriter};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A cut after two seconds and a fade at the end; a width that is no multiple
/// of eight macroblocks (see `instructions` in the encoders).
const SOURCE: &str = "-f lavfi -i testsrc2=s=200x120:r=25:d=2 \
                      -f lavfi -i testsrc=s=200x120:r=25:d=2 \
                      -filter_complex [0][1]concat,fade=out:75:25,format=yuv420p \
                      -c:v libx264 -preset ultrafast";

/// Writes all frames and waits `pause(number)` before each.
fn write(bench: &Bench, input: &Path, pause: &dyn Fn(u64) -> Duration) -> Vec<u8> {
    let mut reader =
        VideoReader::open(File::open(input).unwrap(), &OpenOptions::default()).unwrap();
    let output = bench.path("out.mp4");
    let out = File::options().read(true).write(true).create(true).truncate(true).open(&output);
    let options = SinkOptions::new(Container::Mp4, reader.info());
    let mut writer = VideoWriter::create(out.unwrap(), options).unwrap();
    let mut renderer = Renderer::new(&Policy::default());
    let mut number = 0;
    while let Some(unit) = reader.next().unwrap() {
        let Unit::Frame(frame) = unit else { panic!("a frame") };
        std::thread::sleep(pause(number));
        let redacted = renderer.render(frame.picture, &[]);
        writer.write_frame(redacted, frame.pts, frame.duration).unwrap();
        number += 1;
    }
    assert_eq!(number, 100);
    writer.finish().unwrap();
    std::fs::read(output).unwrap()
}

#[test]
fn timing_does_not_show_in_the_bytes() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let milliseconds = Duration::from_millis;
    let first = write(&bench, &input, &|_| Duration::ZERO);
    assert!(first == write(&bench, &input, &|_| milliseconds(3)), "slow frames");
    assert!(first == write(&bench, &input, &|n| milliseconds(n % 7 * 3)), "uneven frames");
    // So many frames at once, then a wait that empties every queue.
    let bursts = write(&bench, &input, &|n| milliseconds(u64::from(n % 17 == 0) * 60));
    assert!(first == bursts, "bursts");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let busy: Vec<bool> =
            (0..6).map(|_| first == write(&bench, &input, &|_| Duration::ZERO)).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(busy.iter().all(|equal| *equal), "a busy machine");
    });
}
