//! Tests of the module `tiff`.

use super::*;
use tiff::encoder::{TiffEncoder, colortype};

fn encoded(write: impl FnOnce(&mut TiffEncoder<Cursor<&mut Vec<u8>>>)) -> Vec<u8> {
    let mut file = Vec::new();
    write(&mut TiffEncoder::new(Cursor::new(&mut file)).unwrap());
    file
}

fn read(file: &[u8]) -> (Raster, Vec<Finding>) {
    let mut notes = Vec::new();
    let (raster, lossy) = decode(file, &Limits::default(), &mut notes).unwrap();
    assert!(!lossy);
    (raster, notes)
}

fn bytes(raster: Raster) -> Vec<u8> {
    raster.finish(&mut Vec::new()).unwrap().into_planes().swap_remove(0).data.into()
}

#[test]
fn the_first_page_is_read_and_the_others_are_told_of() {
    let file = encoded(|e| {
        e.write_image::<colortype::RGB8>(1, 1, &[1, 2, 3]).unwrap();
        e.write_image::<colortype::RGB8>(1, 1, &[4, 5, 6]).unwrap();
    });
    let (raster, notes) = read(&file);
    assert_eq!(bytes(raster), [1, 2, 3]);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].severity, Severity::Notice);
}

#[test]
fn orientation_is_taken_from_the_page() {
    let file = encoded(|e| {
        let mut image = e.new_image::<colortype::Gray8>(2, 1).unwrap();
        image.encoder().write_tag(Tag::Orientation, 3_u16).unwrap();
        image.write_data(&[10, 20]).unwrap();
    });
    let (raster, notes) = read(&file);
    assert!(notes.is_empty());
    assert_eq!(bytes(raster), [20, 20, 20, 10, 10, 10]);
}

#[test]
fn deep_and_inked_pages() {
    let file = encoded(|e| e.write_image::<colortype::Gray16>(1, 1, &[0x8080]).unwrap());
    assert_eq!(bytes(read(&file).0), [128; 3]);
    let file = encoded(|e| e.write_image::<colortype::CMYK8>(1, 1, &[255, 0, 0, 0]).unwrap());
    assert_eq!(bytes(read(&file).0), [0, 255, 255]);
}

#[test]
fn helpers_keep_their_word() {
    let mut premultiplied = [50_u8, 100, 0, 100, 7, 7, 7, 0];
    unmultiply(&mut premultiplied, 4, 255);
    assert_eq!(premultiplied, [128, 255, 0, 100, 7, 7, 7, 0]);
    // Three planes of two pixels each.
    assert_eq!(gather(vec![1, 2, 3, 4, 5, 6], 2, 3, 3, 3).unwrap(), [1, 3, 5, 2, 4, 6]);
    // Five samples a pixel, of which three are used.
    let five = vec![1, 2, 3, 9, 9, 4, 5, 6, 9, 9];
    assert_eq!(gather(five, 2, 1, 5, 3).unwrap(), [1, 2, 3, 4, 5, 6]);
    let palette = [0, 0xFFFF, 0, 0x8080, 0, 0];
    let Samples::U8(looked_up) = look_up(&Samples::U8(vec![1, 0]), &palette, 1).unwrap() else {
        panic!("8 bit");
    };
    assert_eq!(looked_up, [255, 128, 0, 0, 0, 0]);
}

#[test]
fn cuts_are_errors() {
    let file = encoded(|e| e.write_image::<colortype::RGB8>(8, 8, &[77; 192]).unwrap());
    for cut in 0..file.len() - 1 {
        assert!(decode(&file[..cut], &Limits::default(), &mut Vec::new()).is_err(), "{cut}");
    }
}
