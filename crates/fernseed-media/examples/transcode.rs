//! Reads a video and writes it anew with one moving mask: the cheapest path
//! through this crate, to measure and to try things out.
//!
//! `transcode IN OUT [sound] [webm] [plain] [quick]`: decoding and encoding
//! run on two threads, as in the real pipeline. With `-` for OUT it only
//! reads; `rough` and `references` make that cheaper.
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use fernseed_core::Picture;
use fernseed_core::Rect;
use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Redacted, Renderer};
use fernseed_core::sound::{KeepVoices, SampleBlock, SoundStage};
use fernseed_media::video::{
    Container, OpenOptions, Preset, SinkOptions, Unit, VideoReader, VideoWriter,
};
use std::error::Error;
use std::fs::File;
use std::sync::mpsc::{channel, sync_channel};
use std::time::Instant;

enum Job {
    Frame(Redacted<Picture>, i64, i64),
    Sound(Redacted<SampleBlock>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, flags @ ..] = &arguments[..] else {
        return Err("transcode IN OUT [sound] [webm] [plain] [quick]".into());
    };
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    let begin = Instant::now();
    let open = OpenOptions {
        want_audio: has("sound"),
        analysis: has("rough"),
        references_only: has("references"),
        ..OpenOptions::default()
    };
    let mut reader = VideoReader::open(File::open(input)?, &open)?;
    println!("{:#?}", reader.info());
    println!("open: {:.3} s", begin.elapsed().as_secs_f64());
    if output == "-" {
        while let Some(unit) = reader.next()? {
            if let Unit::Frame(frame) = unit {
                reader.recycle(frame.picture);
            }
        }
        println!("{:#?}\n{:.3} s", reader.report(), begin.elapsed().as_secs_f64());
        return Ok(());
    }
    let container = if has("webm") { Container::WebM } else { Container::Mp4 };
    let mut options = SinkOptions::new(container, reader.info());
    if has("quick") {
        options.preset = Preset::Quick;
    }
    if has("crf23") {
        options.quality = 72;
    }
    let file = File::options().read(true).write(true).create(true).truncate(true).open(output)?;
    let mut writer = VideoWriter::create(file, options)?;
    let (jobs, queue) = sync_channel::<Job>(6);
    let (used, spare) = channel::<Picture>();
    let encoding = std::thread::spawn(move || {
        for job in queue {
            match job {
                Job::Frame(picture, pts, duration) => {
                    if let Some(picture) = writer.write_frame(picture, pts, duration)? {
                        // The reader may be gone already at the end.
                        let _gone = used.send(picture);
                    }
                }
                Job::Sound(block) => writer.write_sound(&block)?,
            }
        }
        writer.finish()
    });
    let mut renderer = Renderer::new(&Policy::default());
    let mut count = 0_u32;
    while let Some(unit) = reader.next()? {
        let job = match unit {
            Unit::Frame(frame) => {
                let x = (count * 3 % 300) as f32;
                let mask = Mask { track: 1, rect: Rect::new(x, 20.0, x + 60.0, 100.0) };
                let masks = if has("plain") { &[][..] } else { &[mask] };
                count += 1;
                let picture = reader.own(frame.picture);
                Job::Frame(renderer.render(picture, masks), frame.pts, frame.duration)
            }
            Unit::Skipped(_) => continue,
            Unit::Sound(block) => Job::Sound(KeepVoices.process(block)),
        };
        if jobs.send(job).is_err() {
            break;
        }
        while let Ok(picture) = spare.try_recv() {
            reader.recycle(picture);
        }
    }
    drop(jobs);
    let summary = encoding.join().ok().ok_or("the encoder's thread panicked")??;
    println!("{:#?}\n{summary:#?}", reader.report());
    println!("{:.3} s", begin.elapsed().as_secs_f64());
    Ok(())
}
