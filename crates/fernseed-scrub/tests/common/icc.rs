//! A colour profile that equals sRGB, with a description.

/// A matrix profile of sRGB primaries with a table for its curve, as cameras
/// write it; `description` is its description.
pub fn srgb(description: &[u8]) -> Vec<u8> {
    let fixed = |v: f64| ((v * 65536.0).round() as i32).to_be_bytes();
    let xyz = |v: [f64; 3]| {
        [b"XYZ \0\0\0\0".to_vec(), v.iter().flat_map(|&x| fixed(x)).collect()].concat()
    };
    let mut curve = b"curv\0\0\0\0".to_vec();
    curve.extend(1024u32.to_be_bytes());
    for i in 0..1024 {
        let x = f64::from(i) / 1023.0;
        let y = if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) };
        curve.extend(((y * 65535.0).round() as u16).to_be_bytes());
    }
    let mut text = b"desc\0\0\0\0".to_vec();
    text.extend((description.len() as u32).to_be_bytes());
    text.extend(description);
    text.resize(text.len() + 80, 0);
    let tags: Vec<([u8; 4], Vec<u8>)> = vec![
        (*b"desc", text),
        (*b"rXYZ", xyz([0.43607, 0.22249, 0.01392])),
        (*b"gXYZ", xyz([0.38515, 0.71687, 0.09708])),
        (*b"bXYZ", xyz([0.14307, 0.06061, 0.71410])),
        (*b"rTRC", curve.clone()),
        (*b"gTRC", curve.clone()),
        (*b"bTRC", curve),
    ];
    let mut out = vec![0; 128];
    out[12..24].copy_from_slice(b"mntrRGB XYZ ");
    out[36..40].copy_from_slice(b"acsp");
    out.extend((tags.len() as u32).to_be_bytes());
    let mut at = 132 + 12 * tags.len();
    for (kind, value) in &tags {
        out.extend(kind);
        out.extend((at as u32).to_be_bytes());
        out.extend((value.len() as u32).to_be_bytes());
        at += value.len();
    }
    tags.iter().for_each(|t| out.extend(&t.1));
    let size = (out.len() as u32).to_be_bytes();
    out[..4].copy_from_slice(&size);
    out
}
