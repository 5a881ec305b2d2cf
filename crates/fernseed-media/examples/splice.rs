//! Smart rendering from end to end, with the processor time of each step.
//!
//! `splice IN OUT FIRST LAST [FIRST LAST]...`: frames FIRST to LAST get a mask; groups of
//! pictures without one of them are carried over. Prints the steps'
//! processor time and what the comparison of both files has found.
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use fernseed_core::Rect;
use fernseed_core::limits::Limits;
use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Renderer};
use fernseed_media::video::splice::{SpliceReader, SpliceUnit, Survey, verify};
use fernseed_media::video::{Container, OpenOptions, SinkOptions, Unit, VideoReader, VideoWriter};
use std::error::Error;
use std::fs::File;

/// Seconds of processor time so far (Linux only).
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.split_whitespace().skip(13).take(2).filter_map(|v| v.parse::<f64>().ok());
    fields.sum::<f64>() / 100.0
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, numbers @ ..] = &arguments[..] else {
        return Err("splice IN OUT FIRST LAST ...".into());
    };
    let numbers = numbers.iter().map(|n| n.parse()).collect::<Result<Vec<usize>, _>>()?;
    let hidden = |frame: usize| numbers.chunks_exact(2).any(|r| (r[0]..=r[1]).contains(&frame));
    let survey = Survey::take(File::open(input)?, &Limits::default())?;
    println!("survey: {:.2} s", cpu());
    let open = OpenOptions { analysis: true, ..OpenOptions::default() };
    let mut reader = VideoReader::open(File::open(input)?, &open)?;
    while let Some(unit) = reader.next()? {
        if let Unit::Frame(frame) = unit {
            reader.recycle(frame.picture);
        }
    }
    println!("survey and analysis: {:.2} s", cpu());
    let begin = cpu();
    let splice = survey.choose(reader.info(), &reader.report(), &mut |frame| hidden(frame))?;
    println!("groups carried: {:?}", splice.groups());
    let options = SinkOptions { audio: None, ..SinkOptions::new(Container::Mp4, reader.info()) };
    drop(reader);
    let open = OpenOptions::default();
    let mut reader = SpliceReader::open(File::open(input)?, splice.clone(), &open)?;
    let file = File::options().read(true).write(true).create(true).truncate(true).open(output)?;
    let mut writer = VideoWriter::create_spliced(file, options, &splice)?;
    let mut renderer = Renderer::new(&Policy::default());
    let mask = Mask { track: 1, rect: Rect::new(20.0, 20.0, 90.0, 80.0) };
    while let Some(unit) = reader.next()? {
        match unit {
            SpliceUnit::Frame(number, frame) => {
                let masks = if hidden(number as usize) { &[mask][..] } else { &[] };
                let redacted = renderer.render(reader.own(frame.picture), masks);
                if let Some(picture) = writer.write_frame(redacted, frame.pts, frame.duration)? {
                    reader.recycle(picture);
                }
            }
            SpliceUnit::Carried(picture) => writer.write_carried(&picture)?,
            SpliceUnit::Sound(_) => {}
        }
    }
    println!("{:?}", writer.finish()?);
    println!("splice: {:.2} s", cpu() - begin);
    let begin = cpu();
    let found = verify(File::open(input)?, File::open(output)?, &splice, &open)?;
    println!("{found:?}, holds: {}", found.holds());
    println!("comparison: {:.2} s", cpu() - begin);
    Ok(())
}
