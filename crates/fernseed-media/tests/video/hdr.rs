//! High dynamic range to standard range, on clips with known light.

use super::support::Bench;
use fernseed_core::Picture;
use fernseed_media::video::{Colour, Hdr, OpenOptions, Unit, VideoReader};
use std::fs::File;

/// First picture of a grey or coloured 10-bit clip with HDR tags.
fn first(
    bench: &Bench,
    y: u32,
    cb: u32,
    cr: u32,
    transfer: &str,
) -> (Picture, Option<Hdr>, Colour) {
    let input = bench.make(
        "in.mp4",
        &format!(
            "-f lavfi -i color=black:s=128x96:r=10:d=0.3 \
             -vf format=yuv420p10le,geq=lum={y}:cb={cb}:cr={cr} \
             -c:v libx265 -x265-params log-level=none:lossless=1 \
             -color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc -color_range tv"
        ),
    );
    let mut reader =
        VideoReader::open(File::open(input).unwrap(), &OpenOptions::default()).unwrap();
    let (hdr, colour) = (reader.info().hdr, reader.info().colour);
    match reader.next().unwrap().unwrap() {
        Unit::Frame(frame) => (frame.picture, hdr, colour),
        Unit::Sound(_) | Unit::Skipped(_) => panic!("there is no sound"),
    }
}

/// Middle sample of each plane.
fn middle(picture: &Picture) -> [u8; 3] {
    [0, 1, 2].map(|i| {
        let plane = &picture.planes()[i];
        plane.row(plane.rows / 2)[plane.row_bytes / 2]
    })
}

#[test]
fn white_grey_and_colour_land_where_they_should() {
    let Some(bench) = Bench::new() else { return };
    // Codes of reference white (203 cd/m2) and 18 % grey below it (26 cd/m2).
    for (transfer, kind, white, grey) in
        [("smpte2084", Hdr::Pq, 573, 396), ("arib-std-b67", Hdr::Hlg, 721, 397)]
    {
        let (picture, hdr, colour) = first(&bench, white, 512, 512, transfer);
        assert_eq!((hdr, colour), (Some(kind), Colour::BT709));
        let [y, cb, cr] = middle(&picture);
        let percent = (f32::from(y) - 16.0) / 2.19;
        assert!((88.0..=100.0).contains(&percent), "{transfer}: white at {percent}");
        assert!(cb.abs_diff(128) <= 1 && cr.abs_diff(128) <= 1);
        let [y, ..] = middle(&first(&bench, grey, 512, 512, transfer).0);
        let percent = (f32::from(y) - 16.0) / 2.19;
        assert!((34.0..=52.0).contains(&percent), "{transfer}: grey at {percent}");
        let [y, ..] = middle(&first(&bench, 64, 512, 512, transfer).0);
        assert!(y <= 17, "{transfer}: black at {y}");
    }
    // A red surface keeps its saturation: Cr far from grey.
    let [_, _, cr] = middle(&first(&bench, 350, 450, 680, "smpte2084").0);
    assert!(cr > 175, "{cr}");
}
