//! Peak memory and time of one part alone: `memory decode IN THREADS`,
//! `memory encode IN OUT THREADS [FRAMES]` (frames are decoded once, kept
//! and encoded; the peak before and after encoding is printed).
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use fernseed_core::policy::Policy;
use fernseed_core::render::Renderer;
use fernseed_media::video::{Container, OpenOptions, SinkOptions, Unit, VideoReader, VideoWriter};
use std::error::Error;
use std::fs::File;

/// A field of `/proc/self/status`, in MB.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Seconds of processor time so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        text.split_whitespace().skip(13).take(2).filter_map(|v| v.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let part = arguments.first().map(String::as_str);
    let input = arguments.get(1).ok_or("no input")?;
    let number =
        |i: usize, usual: usize| arguments.get(i).and_then(|v| v.parse().ok()).unwrap_or(usual);
    let before = status("VmRSS");
    let threads = if part == Some("decode") { number(2, 0) } else { 1 };
    let open = OpenOptions { threads, ..OpenOptions::default() };
    let mut reader = VideoReader::open(File::open(input)?, &open)?;
    let begin = std::time::Instant::now();
    if part == Some("decode") {
        let mut frames = 0;
        while let Some(unit) = reader.next()? {
            if let Unit::Frame(frame) = unit {
                frames += 1;
                reader.recycle(frame.picture);
            }
        }
        let (peak, now) = (status("VmHWM"), status("VmRSS"));
        println!("{frames} frames, {:.2} s, cpu {:.2} s", begin.elapsed().as_secs_f64(), cpu());
        println!("before {before} MB, peak {peak} MB, at the end {now} MB");
        return Ok(());
    }
    let output = arguments.get(2).ok_or("no output")?;
    let options = SinkOptions {
        threads: number(3, 0),
        audio: None,
        ..SinkOptions::new(Container::Mp4, reader.info())
    };
    let most = number(4, 100);
    let mut renderer = Renderer::new(&Policy::default());
    let mut frames = Vec::new();
    while let Some(unit) = reader.next()? {
        if let Unit::Frame(frame) = unit {
            let picture = reader.own(frame.picture);
            frames.push((renderer.render(picture, &[]), frame.pts, frame.duration));
            if frames.len() >= most {
                break;
            }
        }
    }
    drop(reader);
    let (held, used) = (status("VmRSS"), cpu());
    let file = File::options().read(true).write(true).create(true).truncate(true).open(output)?;
    let mut writer = VideoWriter::create(file, options)?;
    let begin = std::time::Instant::now();
    for (picture, pts, duration) in &frames {
        writer.write_frame(picture.clone(), *pts, *duration)?;
    }
    let full = status("VmRSS");
    writer.finish()?;
    println!(
        "{} frames, {:.2} s, cpu {:.2} s",
        frames.len(),
        begin.elapsed().as_secs_f64(),
        cpu() - used
    );
    println!(
        "encoder: {} MB while full, {} MB after",
        full.saturating_sub(held),
        status("VmRSS").saturating_sub(held)
    );
    Ok(())
}
