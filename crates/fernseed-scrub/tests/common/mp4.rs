//! A plain MP4 file written by hand, and ways to spoil it.

/// A box.
pub fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(body);
    out
}

/// A box with version and flags.
pub fn full(kind: &[u8; 4], flags: u32, body: &[u8]) -> Vec<u8> {
    boxed(kind, &[&flags.to_be_bytes()[..], body].concat())
}

pub fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_be_bytes()).collect()
}

/// 320x240, Constrained Baseline.
const SPS: [u8; 8] = [0x67, 0x42, 0xC0, 0x1E, 0xDA, 0x05, 0x07, 0xE4];
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

const PPS: [u8; 4] = [0x68, 0xCE, 0x3C, 0x80];

/// What can be put into the file at each place.
#[derive(Clone, Default)]
pub struct Recipe {
    pub created: u32,
    pub handler_name: Vec<u8>,
    pub compressor: u8,
    /// Appended to these containers.
    pub moov_extra: Vec<u8>,
    pub trak_extra: Vec<u8>,
    pub stbl_extra: Vec<u8>,
    /// Put before the others.
    pub minf_extra: Vec<u8>,
    pub top_extra: Vec<u8>,
    pub avcc_extra: Vec<u8>,
    /// Further sequence and picture parameter sets.
    pub more_sets: (Vec<Vec<u8>>, Vec<Vec<u8>>),
    pub entry_extra: Vec<u8>,
    pub elst_start: u32,
    pub language: Option<u16>,
    /// Bytes before and after the samples in `mdat`.
    pub orphan: usize,
    /// Unit put before the slice of the first sample.
    pub unit: Vec<u8>,
    /// Replaces every duration entry.
    pub stts: Option<Vec<u8>>,
}

pub fn sps() -> Vec<u8> {
    SPS.to_vec()
}

/// Ten frames of 100 ticks each, timescale 1000, 320x240.
pub fn build(recipe: &Recipe) -> Vec<u8> {
    let slice = |i: u8| {
        let mut nal = vec![0, 0, 0, 6, if i == 0 { 0x65 } else { 0x41 }, 0x88, i, 1, 2, 3];
        if i == 0 && !recipe.unit.is_empty() {
            let mut unit = (recipe.unit.len() as u32).to_be_bytes().to_vec();
            unit.extend(&recipe.unit);
            unit.append(&mut nal);
            nal = unit;
        }
        nal
    };
    let samples: Vec<Vec<u8>> = (0..10).map(slice).collect();
    let sizes: Vec<u32> = samples.iter().map(|s| s.len() as u32).collect();
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomiso2avc1mp41");
    let mut moov = movie(recipe, &sizes, 0);
    let offset = ftyp.len() + moov.len() + recipe.top_extra.len() + 8 + recipe.orphan;
    moov = movie(recipe, &sizes, offset as u32);
    let mut data = vec![7; recipe.orphan];
    data.extend(samples.concat());
    [ftyp, moov, recipe.top_extra.clone(), boxed(b"mdat", &data)].concat()
}

fn movie(recipe: &Recipe, sizes: &[u32], offset: u32) -> Vec<u8> {
    let mvhd = full(
        b"mvhd",
        0,
        &[
            words(&[recipe.created, recipe.created, 1000, 1000, 0x1_0000]),
            vec![1, 0],
            vec![0; 10],
            words(&MATRIX),
            vec![0; 24],
            words(&[2]),
        ]
        .concat(),
    );
    let tkhd = full(
        b"tkhd",
        3,
        &[words(&[0, 0, 1, 0, 1000]), vec![0; 16], words(&MATRIX), words(&[320 << 16, 240 << 16])]
            .concat(),
    );
    let elst =
        full(b"elst", 0, &words(&[1, 1000 - recipe.elst_start, recipe.elst_start, 0x1_0000]));
    let mdhd = full(
        b"mdhd",
        0,
        &[
            words(&[0, 0, 1000, 1000]),
            recipe.language.unwrap_or(0x55C4).to_be_bytes().to_vec(),
            vec![0, 0],
        ]
        .concat(),
    );
    let name = [recipe.handler_name.clone(), vec![0]].concat();
    let hdlr = full(b"hdlr", 0, &[&[0; 4], &b"vide"[..], &[0; 12], &name].concat());
    let vmhd = full(b"vmhd", 1, &[0; 8]);
    let dinf = boxed(b"dinf", &full(b"dref", 0, &[words(&[1]), full(b"url ", 1, &[])].concat()));
    let sps = sps();
    let list = |first: &[u8], more: &[Vec<u8>]| -> Vec<u8> {
        let sets = std::iter::once(first).chain(more.iter().map(Vec::as_slice));
        sets.flat_map(|s| [&[0, s.len() as u8][..], s].concat()).collect()
    };
    let (more_sps, more_pps) = &recipe.more_sets;
    let avcc = [
        &[1, 0x42, 0xC0, 0x1E, 0xFF, 0xE1 + more_sps.len() as u8][..],
        &list(&sps, more_sps),
        &[1 + more_pps.len() as u8],
        &list(&PPS, more_pps),
        &recipe.avcc_extra,
    ]
    .concat();
    let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1];
    entry.extend([0; 16]);
    entry.extend([1, 64, 0, 240, 0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 1]);
    entry.extend([recipe.compressor; 32]);
    entry.extend([0, 24, 0xFF, 0xFF]);
    entry.extend(boxed(b"avcC", &avcc));
    entry.extend(&recipe.entry_extra);
    let stsd = full(b"stsd", 0, &[words(&[1]), boxed(b"avc1", &entry)].concat());
    let stts = recipe.stts.clone().unwrap_or_else(|| words(&[1, 10, 100]));
    let stbl = [
        stsd,
        full(b"stts", 0, &stts),
        full(b"stss", 0, &words(&[1, 1])),
        full(b"stsc", 0, &words(&[1, 1, sizes.len() as u32, 1])),
        full(b"stsz", 0, &[words(&[0, sizes.len() as u32]), words(sizes)].concat()),
        full(b"stco", 0, &words(&[1, offset])),
        recipe.stbl_extra.clone(),
    ]
    .concat();
    let minf = [recipe.minf_extra.clone(), vmhd, dinf, boxed(b"stbl", &stbl)].concat();
    let mdia = [mdhd, hdlr, boxed(b"minf", &minf)].concat();
    let trak =
        [tkhd, boxed(b"edts", &elst), boxed(b"mdia", &mdia), recipe.trak_extra.clone()].concat();
    boxed(b"moov", &[mvhd, boxed(b"trak", &trak), recipe.moov_extra.clone()].concat())
}
