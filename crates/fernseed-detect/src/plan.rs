//! Which looks a picture gets.

use crate::look::{Look, Network};
use Network::{CenterFace, YuNet};
use fernseed_core::Orientation::FlipHorizontal;
use fernseed_core::{Orientation, Size};

/// How a video frame is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoLook {
    /// YuNet on a copy of 1280 pixels: a few times a second.
    Quick,
    /// The same, and CenterFace on a copy of 800 pixels, which no other look at
    /// a frame of full HD uses: the audit's usual look.
    Steady,
    /// YuNet at full size (1920 pixels), for small faces, and CenterFace on a
    /// small copy that is turned: twice a second.
    Close(Turned),
    /// The same, and CenterFace on a copy of 960 pixels and a mirrored one of
    /// 480: every other time, and at the end of a shot.
    Fine(Turned),
    /// CenterFace and YuNet at full size, a mirrored look and small turned
    /// and mirrored ones: at cuts.
    Thorough,
}

/// Which ways a small copy of a frame is turned before it is looked at: people
/// lie down, and phones are held sideways without saying so in the file.
/// Upright looks see faces that are tilted by up to about 45 degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turned {
    /// One of the three ways; they take turns, by the number of the look.
    Once(u32),
    /// By 90, 270 and 180 degrees.
    AllRound,
}

/// The ways a picture is turned for [`Turned`], likeliest first.
pub(crate) const TURNS: [Orientation; 3] =
    [Orientation::Rotate90, Orientation::Rotate270, Orientation::Rotate180];

impl Turned {
    fn ways(self) -> Vec<Orientation> {
        match self {
            Self::Once(number) => {
                TURNS.into_iter().cycle().skip(number as usize % 3).take(1).collect()
            }
            Self::AllRound => TURNS.to_vec(),
        }
    }
}

/// Shown sides up to which small pictures are looked at larger than life.
const ENLARGE_TO: f32 = 1600.0;
/// The longer side of the copy on which YuNet looks for large faces. It is
/// blind beyond some 300 pixels, so the smallest copy has to be this small.
const SMALLEST_COPY: f32 = 400.0;
/// The longer side of the copies for turned looks.
const TURNED_SIDE: f32 = 960.0;
/// The same in video, where a turned copy of every other frame would cost
/// more than all else.
const TURNED_VIDEO_SIDE: f32 = 640.0;

/// The longer side of the copy that CenterFace gets in a fine look. With 1280,
/// which takes half as long again, and with 800 as many faces were exposed on 240
/// composite clips, with 960 fewer.
const FINE_SIDE: f32 = 960.0;
/// The longer side of the copy that CenterFace gets in a steady look.
const STEADY_SIDE: f32 = 800.0;

/// The longer side of the copy on which large faces are looked for: YuNet is
/// blind to them on others, and CenterFace to those that are out of focus or
/// look aside. Of natural faces from 96 pixels on (panned photographs), it alone
/// sees 94 % there and 91 % on a copy of 1280, from 192 pixels on 100 and 98 %.
/// A fine look shows it mirrored: no network is symmetric, and all other upright
/// copies are shown as they are.
const SMALL_SIDE: f32 = 480.0;

fn long_side(size: Size) -> f32 {
    size.width.max(size.height).max(1) as f32
}

/// Pixels from which on a still picture is a large one: there the detail of
/// a second opinion at full size costs more than it finds.
const LARGE: u64 = 3_000_000;
/// The longer side of the copy on which the audit shows a large picture to
/// CenterFace.
const AUDIT_SIDE: f32 = 1600.0;

/// Smaller and smaller copies: each half of the one before, from `start`.
fn halvings(size: Size, start: f32) -> impl Iterator<Item = f32> {
    let side = long_side(size);
    std::iter::successors(Some(start), |scale| Some(scale / 2.0))
        .take_while(move |scale| side * scale >= SMALLEST_COPY)
}

/// The first looks at a still picture: together less than four times the
/// work of CenterFace at native size, not counting those for dark pictures.
/// Of large pictures, where a face has pixels enough, CenterFace's further
/// looks are in 8 bits.
pub(crate) fn still(size: Size, dark: bool) -> Vec<Look> {
    let large = size.pixels() > LARGE;
    let centerface = |scale: f32| {
        let look = Look::new(CenterFace, scale);
        if large { look.fast() } else { look }
    };
    let mut looks = vec![Look::new(CenterFace, 1.0), centerface(0.5), Look::new(YuNet, 1.0)];
    if large {
        looks.push(centerface(0.5).turned(FlipHorizontal));
    } else {
        looks.push(centerface(1.0).turned(FlipHorizontal));
        looks.push(centerface(0.75));
    }
    if long_side(size) * 2.0 <= ENLARGE_TO {
        looks.push(Look::new(YuNet, 2.0));
    }
    for scale in halvings(size, 0.5) {
        looks.push(Look::new(YuNet, scale));
        if scale < 0.5 {
            looks.push(centerface(scale));
        }
    }
    if dark {
        looks.push(centerface(1.0).lifted());
        looks.push(Look::new(YuNet, 1.0).lifted());
    }
    looks
}

/// Further looks where the upright ones leave doubt: people lying down,
/// cameras held sideways or upside down.
pub(crate) fn turned(size: Size) -> Vec<Look> {
    let scale = (TURNED_SIDE / long_side(size)).min(1.0);
    TURNS.into_iter().map(|turn| Look::new(CenterFace, scale).turned(turn).fast()).collect()
}

/// The looks of the audit: sizes the first look did not use. CenterFace's
/// are in 8 bits, and YuNet's of large pictures.
pub(crate) fn audit(size: Size, dark: bool) -> Vec<Look> {
    let centerface = |scale: f32| Look::new(CenterFace, scale).fast();
    if size.pixels() > LARGE {
        let reduced = AUDIT_SIDE / long_side(size);
        let mut looks = vec![
            Look::new(YuNet, 0.8).fast(),
            centerface(reduced),
            Look::new(YuNet, reduced / 2.0).fast(),
        ];
        if dark {
            looks.push(centerface(reduced).lifted());
        }
        return looks;
    }
    let mut looks =
        vec![centerface(0.8), Look::new(YuNet, 1.25), centerface(1.25).turned(FlipHorizontal)];
    for scale in halvings(size, 0.4) {
        looks.push(centerface(scale));
        looks.push(Look::new(YuNet, scale));
    }
    if dark {
        looks.push(centerface(0.8).lifted());
    }
    looks
}

/// The looks of a video frame, in 8 bits.
pub(crate) fn video(look: VideoLook, size: Size, dark: bool) -> Vec<Look> {
    let side = long_side(size);
    // Small pictures are shown larger than life, up to twice; beyond full HD
    // the detail is in the optics, not in the faces.
    let up_to = |shown: f32| (shown / side).min(2.0);
    let (full, reduced) = (up_to(1920.0), up_to(1280.0));
    let quarter = SMALL_SIDE / side;
    let mut looks = match look {
        VideoLook::Quick => vec![Look::new(YuNet, reduced)],
        VideoLook::Close(_) => vec![Look::new(YuNet, full)],
        VideoLook::Steady => {
            vec![Look::new(YuNet, reduced), Look::new(CenterFace, up_to(STEADY_SIDE))]
        }
        VideoLook::Fine(_) => vec![Look::new(YuNet, full), Look::new(CenterFace, up_to(FINE_SIDE))],
        VideoLook::Thorough => vec![
            Look::new(CenterFace, full.min(1.5)),
            Look::new(YuNet, full),
            Look::new(CenterFace, reduced.min(1.0)).turned(FlipHorizontal),
        ],
    };
    if quarter < 0.75 * reduced {
        looks.push(Look::new(YuNet, quarter));
    }
    if dark {
        let quick = matches!(look, VideoLook::Quick | VideoLook::Close(_));
        let network = if quick { YuNet } else { CenterFace };
        looks.push(Look::new(network, reduced).lifted());
    }
    let ways = match look {
        VideoLook::Quick | VideoLook::Steady => Vec::new(),
        VideoLook::Close(turned) | VideoLook::Fine(turned) => turned.ways(),
        VideoLook::Thorough => Turned::AllRound.ways(),
    };
    let blurred = Look::new(CenterFace, quarter.min(1.0));
    match look {
        VideoLook::Quick | VideoLook::Steady | VideoLook::Close(_) => {}
        VideoLook::Fine(_) => looks.push(blurred.turned(FlipHorizontal)),
        VideoLook::Thorough => looks.extend([blurred, blurred.turned(FlipHorizontal)]),
    }
    let small = up_to(TURNED_VIDEO_SIDE);
    looks.extend(ways.into_iter().map(|way| Look::new(CenterFace, small).turned(way)));
    in_bytes(looks)
}

fn in_bytes(looks: Vec<Look>) -> Vec<Look> {
    looks.into_iter().map(Look::fast).collect()
}
