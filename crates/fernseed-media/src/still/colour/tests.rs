//! Colour: profiles and code points end as sRGB.

use super::*;

fn through(colour: Colour, rgb: [u8; 3]) -> [u8; 3] {
    let out = to_srgb8(Samples::U8(rgb.to_vec()), Channels::Rgb, colour, &mut Vec::new()).unwrap();
    out.try_into().unwrap()
}

fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(x, y)| x.abs_diff(y) <= 2)
}

#[test]
fn display_p3_is_converted() {
    let icc = ColorProfile::new_display_p3().encode().unwrap();
    // sRGB (200, 100, 50) is (187, 106, 62) in Display P3.
    for colour in [Colour::Icc(icc), Colour::Cicp { primaries: 12, transfer: 13 }] {
        let out = through(colour, [187, 106, 62]);
        assert!(near(out, [200, 100, 50]), "{out:?}");
    }
}

#[test]
fn adobe_rgb_is_converted() {
    let icc = ColorProfile::new_adobe_rgb().encode().unwrap();
    // Adobe RGB's green is outside sRGB, its greys are sRGB's greys.
    let out = through(Colour::Icc(icc.clone()), [128, 128, 128]);
    assert!(near(out, [128, 128, 128]), "{out:?}");
    let out = through(Colour::Icc(icc), [100, 200, 100]);
    assert!(out[0] < 60 && out[1] >= 200, "{out:?}");
}

#[test]
fn srgb_in_other_words_changes_nothing() {
    let icc = ColorProfile::new_srgb().encode().unwrap();
    for rgb in [[1, 2, 3], [255, 0, 128], [77, 77, 77]] {
        assert_eq!(through(Colour::Icc(icc.clone()), rgb), rgb);
        assert_eq!(through(Colour::Cicp { primaries: 1, transfer: 13 }, rgb), rgb);
    }
}

#[test]
fn gamma_is_honoured() {
    // A linear file: half the light is sRGB 188.
    let out = through(Colour::Calibrated { gamma: 1.0, xy: None }, [128, 128, 128]);
    assert!(near(out, [188, 188, 188]), "{out:?}");
}

#[test]
fn a_broken_profile_is_reported_and_ignored() {
    let mut notes = Vec::new();
    let colour = Colour::Icc(b"not a profile".to_vec());
    let out = to_srgb8(Samples::U8(vec![1, 2, 3]), Channels::Rgb, colour, &mut notes).unwrap();
    assert_eq!(out, [1, 2, 3]);
    assert_eq!(notes[0].code, FindingCode::ColourApproximated);
}

#[test]
fn grey_with_an_rgb_profile_is_converted_too() {
    let icc = ColorProfile::new_pro_photo_rgb().encode().unwrap();
    let mut notes = Vec::new();
    let out =
        to_srgb8(Samples::U8(vec![100]), Channels::Gray, Colour::Icc(icc), &mut notes).unwrap();
    assert!(notes.is_empty());
    // ProPhoto's gamma is 1.8, so the same number is lighter.
    assert!(out[0] > 112 && out[0].abs_diff(out[1]) <= 1 && out[0].abs_diff(out[2]) <= 1);
}

#[test]
fn cmyk_without_a_profile() {
    let inks = vec![0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255];
    let out = to_srgb8(Samples::U8(inks), Channels::Cmyk, Colour::Srgb, &mut Vec::new()).unwrap();
    assert_eq!(out, [255, 255, 255, 0, 255, 255, 0, 0, 0]);
}

#[test]
fn narrowing_rounds_exactly() {
    for v in 0..=u16::MAX {
        assert_eq!(narrow(v), (f64::from(v) / 257.0).round() as u8, "{v}");
    }
}
