//! Where faces and backgrounds come from: a pinned public-domain photo, and
//! the shared test data where it is present.
//!
//! The boxes are the data sets' own labels; the pictures themselves are not
//! in the repository. Chosen by eye: sharp, whole head, nobody beside it.

pub(super) const BARE: [(&str, [f32; 4]); 40] = [
    ("faces/dlib_faces/2008_001322.jpg", [104.0, 162.0, 76.0, 76.0]),
    ("faces/dlib_faces/2008_001322.jpg", [232.0, 218.0, 63.0, 63.0]),
    ("faces/dlib_faces/2009_004587.jpg", [154.0, 46.0, 75.0, 76.0]),
    ("faces/dlib_faces/2009_004587.jpg", [266.0, 280.0, 63.0, 63.0]),
    ("faces/masks853/maksssksksss125.jpg", [118.0, 151.0, 98.0, 128.0]),
    ("faces/masks853/maksssksksss128.jpg", [93.0, 183.0, 101.0, 112.0]),
    ("faces/masks853/maksssksksss14.jpg", [152.0, 192.0, 87.0, 127.0]),
    ("faces/masks853/maksssksksss154.jpg", [90.0, 200.0, 94.0, 133.0]),
    ("faces/masks853/maksssksksss161.jpg", [123.0, 227.0, 67.0, 101.0]),
    ("faces/masks853/maksssksksss239.jpg", [91.0, 208.0, 98.0, 109.0]),
    ("faces/masks853/maksssksksss248.jpg", [126.0, 186.0, 59.0, 109.0]),
    ("faces/masks853/maksssksksss258.jpg", [133.0, 43.0, 61.0, 65.0]),
    ("faces/masks853/maksssksksss299.jpg", [62.0, 194.0, 98.0, 126.0]),
    ("faces/masks853/maksssksksss317.jpg", [283.0, 25.0, 43.0, 44.0]),
    ("faces/masks853/maksssksksss348.jpg", [86.0, 189.0, 102.0, 115.0]),
    ("faces/masks853/maksssksksss370.jpg", [135.0, 135.0, 106.0, 128.0]),
    ("faces/masks853/maksssksksss379.jpg", [129.0, 197.0, 83.0, 120.0]),
    ("faces/masks853/maksssksksss402.jpg", [90.0, 256.0, 75.0, 93.0]),
    ("faces/masks853/maksssksksss420.jpg", [96.0, 171.0, 101.0, 111.0]),
    ("faces/masks853/maksssksksss442.jpg", [89.0, 169.0, 126.0, 140.0]),
    ("faces/masks853/maksssksksss443.jpg", [89.0, 155.0, 98.0, 109.0]),
    ("faces/masks853/maksssksksss48.jpg", [85.0, 152.0, 105.0, 127.0]),
    ("faces/masks853/maksssksksss51.jpg", [114.0, 159.0, 99.0, 127.0]),
    ("faces/masks853/maksssksksss528.jpg", [43.0, 169.0, 106.0, 139.0]),
    ("faces/masks853/maksssksksss537.jpg", [95.0, 177.0, 100.0, 118.0]),
    ("faces/masks853/maksssksksss540.jpg", [107.0, 129.0, 95.0, 116.0]),
    ("faces/masks853/maksssksksss561.jpg", [81.0, 163.0, 103.0, 116.0]),
    ("faces/masks853/maksssksksss565.jpg", [134.0, 191.0, 95.0, 125.0]),
    ("faces/masks853/maksssksksss571.jpg", [122.0, 196.0, 88.0, 123.0]),
    ("faces/masks853/maksssksksss609.jpg", [91.0, 103.0, 148.0, 162.0]),
    ("faces/masks853/maksssksksss618.jpg", [118.0, 171.0, 94.0, 126.0]),
    ("faces/masks853/maksssksksss655.jpg", [107.0, 175.0, 102.0, 117.0]),
    ("faces/masks853/maksssksksss660.jpg", [132.0, 141.0, 100.0, 123.0]),
    ("faces/masks853/maksssksksss716.jpg", [101.0, 174.0, 108.0, 125.0]),
    ("faces/masks853/maksssksksss72.jpg", [112.0, 176.0, 95.0, 115.0]),
    ("faces/masks853/maksssksksss757.jpg", [104.0, 182.0, 116.0, 135.0]),
    ("faces/masks853/maksssksksss759.jpg", [273.0, 87.0, 66.0, 59.0]),
    ("faces/masks853/maksssksksss817.jpg", [102.0, 141.0, 91.0, 109.0]),
    ("faces/masks853/maksssksksss837.jpg", [95.0, 151.0, 97.0, 110.0]),
    ("faces/masks853/maksssksksss841.jpg", [134.0, 184.0, 89.0, 112.0]),
];
pub(super) const MASKED: [(&str, [f32; 4]); 20] = [
    ("faces/masks853/maksssksksss107.jpg", [121.0, 192.0, 91.0, 120.0]),
    ("faces/masks853/maksssksksss133.jpg", [100.0, 179.0, 121.0, 139.0]),
    ("faces/masks853/maksssksksss150.jpg", [60.0, 136.0, 104.0, 124.0]),
    ("faces/masks853/maksssksksss165.jpg", [324.0, 135.0, 86.0, 103.0]),
    ("faces/masks853/maksssksksss190.jpg", [143.0, 75.0, 79.0, 80.0]),
    ("faces/masks853/maksssksksss224.jpg", [214.0, 112.0, 84.0, 88.0]),
    ("faces/masks853/maksssksksss25.jpg", [122.0, 68.0, 73.0, 84.0]),
    ("faces/masks853/maksssksksss26.jpg", [73.0, 87.0, 101.0, 119.0]),
    ("faces/masks853/maksssksksss283.jpg", [77.0, 206.0, 93.0, 117.0]),
    ("faces/masks853/maksssksksss295.jpg", [92.0, 76.0, 76.0, 86.0]),
    ("faces/masks853/maksssksksss339.jpg", [89.0, 210.0, 91.0, 93.0]),
    ("faces/masks853/maksssksksss35.jpg", [132.0, 44.0, 76.0, 79.0]),
    ("faces/masks853/maksssksksss393.jpg", [44.0, 88.0, 117.0, 118.0]),
    ("faces/masks853/maksssksksss531.jpg", [92.0, 201.0, 80.0, 121.0]),
    ("faces/masks853/maksssksksss582.jpg", [160.0, 127.0, 161.0, 182.0]),
    ("faces/masks853/maksssksksss600.jpg", [143.0, 77.0, 109.0, 107.0]),
    ("faces/masks853/maksssksksss659.jpg", [113.0, 97.0, 139.0, 154.0]),
    ("faces/masks853/maksssksksss688.jpg", [166.0, 67.0, 94.0, 93.0]),
    ("faces/masks853/maksssksksss794.jpg", [65.0, 179.0, 72.0, 84.0]),
    ("faces/masks853/maksssksksss794.jpg", [254.0, 189.0, 78.0, 87.0]),
];

/// Street pictures without people, under `data/plates/cars184`.
pub(super) const STREETS: [u32; 20] =
    [1, 129, 144, 160, 163, 164, 2, 204, 21, 237, 251, 260, 294, 331, 345, 365, 427, 65, 7, 144];

/// Videos without people, under `data/video`, with moments in seconds.
pub(super) const VIEWS: [(&str, f32); 6] = [
    ("gopro/karma.mp4", 0.5),
    ("gopro/karma.mp4", 4.0),
    ("gopro/karma.mp4", 8.0),
    ("gopro/karma.mp4", 11.0),
    ("intel/car-detection.mp4", 5.0),
    ("intel/car-detection.mp4", 15.0),
];

/// Pinned photos in `bench/media` (scripts/composite-media.sh): face box.
pub(super) const PINNED: [(&str, [f32; 4]); 1] = [("astronaut.png", [180.0, 70.0, 84.0, 120.0])];

/// Pinned pictures without people.
pub(super) const PINNED_VIEWS: [&str; 4] = ["coffee.png", "rocket.jpg", "chelsea.png", "grass.png"];
