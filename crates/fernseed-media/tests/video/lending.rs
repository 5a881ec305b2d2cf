//! Pictures are delivered and encoded where they lie, in the decoder's memory
//! or in their own, and that makes no difference to what is in a file.

use super::support::Bench;
use fernseed_core::Picture;
use fernseed_core::policy::Policy;
use fernseed_core::render::Renderer;
use fernseed_media::video::{
    Container, OpenOptions, SinkOptions, Unit, VideoFrame, VideoInfo, VideoReader, VideoWriter,
};
use std::fs::File;
use std::path::Path;

const FRAMES: usize = 60;
/// References in both directions, so that the decoder holds on to pictures.
const SOURCE: &str = "-f lavfi -i testsrc2=s=200x120:r=25:d=2.4 -pix_fmt yuv420p \
                      -c:v libx264 -preset medium";

fn reader(path: &Path) -> VideoReader {
    let options = OpenOptions { threads: 3, ..OpenOptions::default() };
    VideoReader::open(File::open(path).unwrap(), &options).unwrap()
}

fn frames(reader: &mut VideoReader) -> Vec<VideoFrame> {
    std::iter::from_fn(|| reader.next().unwrap())
        .filter_map(|unit| if let Unit::Frame(frame) = unit { Some(frame) } else { None })
        .collect()
}

/// The bytes of a file of these frames, and how many pictures came back.
fn write(
    bench: &Bench,
    info: &VideoInfo,
    container: Container,
    frames: Vec<VideoFrame>,
) -> (Vec<u8>, usize) {
    let output = bench.path("out");
    let out = File::options().read(true).write(true).create(true).truncate(true).open(&output);
    let mut writer = VideoWriter::create(out.unwrap(), SinkOptions::new(container, info)).unwrap();
    let mut renderer = Renderer::new(&Policy::default());
    let mut back = 0;
    for VideoFrame { picture, pts, duration, .. } in frames {
        let redacted = renderer.render(picture, &[]);
        back += usize::from(writer.write_frame(redacted, pts, duration).unwrap().is_some());
    }
    writer.finish().unwrap();
    (std::fs::read(&output).unwrap(), back)
}

#[test]
fn pictures_that_are_kept_show_what_they_showed() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let mut reader = reader(&input);
    let mut kept: Vec<(Picture, Picture)> = Vec::new();
    while let Some(unit) = reader.next().unwrap() {
        let Unit::Frame(frame) = unit else { continue };
        assert!(frame.picture.is_lent());
        let copy = reader.own(frame.picture.clone());
        assert!(!copy.is_lent());
        kept.push((frame.picture, copy));
    }
    drop(reader);
    assert_eq!(kept.len(), FRAMES);
    assert!(kept.iter().all(|(lent, copy)| lent == copy));
    assert!(kept.windows(2).all(|pair| pair[0].0 != pair[1].0), "every frame is another one");
}

#[test]
fn drawing_on_a_lent_picture_changes_no_other() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (mut plain, mut drawn) = (reader(&input), reader(&input));
    for (before, VideoFrame { mut picture, .. }) in
        frames(&mut plain).into_iter().zip(std::iter::from_fn(|| match drawn.next().unwrap() {
            Some(Unit::Frame(frame)) => Some(frame),
            _ => None,
        }))
    {
        // Were the decoder's own picture drawn on, the next ones would show it.
        assert_eq!(before.picture, picture);
        picture.planes_mut().iter_mut().for_each(|plane| plane.data.fill(0));
        assert!(!picture.is_lent());
    }
}

#[test]
fn where_a_picture_lies_makes_no_difference_to_the_file() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    for container in [Container::Mp4, Container::WebM] {
        let mut reader = reader(&input);
        let info = reader.info().clone();
        let lent = frames(&mut reader);
        let own = lent.iter().map(|frame| {
            let picture = reader.own(frame.picture.clone());
            VideoFrame { picture, ..frame.clone() }
        });
        let own: Vec<VideoFrame> = own.collect();
        let (from_own, back) = write(&bench, &info, container, own);
        assert_eq!(back, FRAMES, "both encoders copy what they keep");
        let (from_lent, _) = write(&bench, &info, container, lent);
        assert!(from_own == from_lent, "{container:?}");
    }
}
