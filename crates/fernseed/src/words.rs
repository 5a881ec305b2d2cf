//! The sentences people read. English; everything here is data for a later
//! translation.

use crate::protocol::FailureKind;
use fernseed_core::plan::MediaKind;
use fernseed_scrub::Category;

/// What a piece of metadata could tell somebody.
#[must_use]
pub const fn category(category: Category) -> &'static str {
    match category {
        Category::Place => "place",
        Category::Time => "time",
        Category::Device => "device",
        Category::Software => "software",
        Category::People => "people",
        Category::Preview => "earlier versions and previews",
        Category::Hidden => "hidden content",
        Category::Link => "links to other files",
        Category::Other => "other",
    }
}

/// The question that a group of metadata answers.
#[must_use]
pub const fn question(category: Category) -> &'static str {
    match category {
        Category::Place => "where it was recorded",
        Category::Time => "when",
        Category::Device => "with which device",
        Category::Software => "with which programs",
        Category::People => "who made it or is in it",
        Category::Preview => "what it looked like before",
        Category::Hidden => "what no viewer shows",
        Category::Link => "what ties it to other files and to accounts",
        Category::Other => "what else stands in it",
    }
}

/// What to do about a failure, as the end of a sentence.
#[must_use]
pub const fn hint(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NotMedia => {
            "; only pictures and videos can be redacted (see the table of formats in the README)"
        }
        FailureKind::Unsupported => "; convert it to JPEG, PNG or MP4 first",
        FailureKind::Truncated => "; copy it again from where it came, it is cut short",
        FailureKind::Damaged => "; copy it again from where it came, or repair it first",
        FailureKind::Encrypted => "; remove the protection first",
        FailureKind::TooLarge => "; make it smaller first",
        FailureKind::NeedsReencoding => "; leave out --no-reencode",
        FailureKind::Plan => "; make a new plan with `fernseed scan`",
        FailureKind::Io
        | FailureKind::Internal
        | FailureKind::OtherFormat
        | FailureKind::StartOver => "",
    }
}

/// What to do about a failure to strip, as the end of a sentence.
#[must_use]
pub const fn strip_hint(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NotMedia => "; see the table of formats in docs/strip.md",
        FailureKind::Unsupported => "; convert it to a common format first",
        other => hint(other),
    }
}

/// What stripping metadata does not protect against, for a whole run.
pub const STRIP_NOT_PROTECTED: &str = "Only metadata went. Faces, voices, places and screens \
    in the picture are still there, and so is the trace that a camera's sensor leaves in it.";

/// What stripping one file does not protect against. `format` is what the file
/// is, in words; `name_kept` says that its name is made from the original's.
#[must_use]
pub fn not_protected_by_strip(format: &str, bit_exact: bool, name_kept: bool) -> Vec<String> {
    let sound_only = format.contains("sound");
    let still = format.contains("photo") || format.contains("picture");
    let mut out = Vec::new();
    if !sound_only {
        out.push(
            "What is seen: faces, bodies, places, number plates, papers and screens are as they \
             were (`fernseed redact` hides faces)."
                .to_owned(),
        );
    }
    if !still {
        out.push("Voices and noises: the sound is as it was.".to_owned());
    }
    if !sound_only {
        out.push(
            "The camera: its sensor leaves a trace in every picture (PRNU) that is not removed."
                .to_owned(),
        );
    }
    out.push(if bit_exact {
        "The encoder: how picture or sound were coded tells of the program or device that did \
         it (`fernseed audit --link` shows which files share such traces)."
            .to_owned()
    } else {
        "The first encoder: traces of it may survive being coded again.".to_owned()
    });
    if name_kept {
        out.push("The name: it is made from the original's (--rename gives a random one).".into());
    }
    out.push(
        "The time of this work: the file system keeps it beside the neutral date of the file."
            .to_owned(),
    );
    out
}

/// What redacting faces does not protect against.
#[must_use]
pub fn not_protected(kind: MediaKind, voices_kept: bool) -> Vec<String> {
    let mut out = Vec::new();
    if voices_kept {
        out.push("Voices: the sound was kept, people can be recognised by their voice.".to_owned());
    }
    let body = if kind == MediaKind::Video {
        "Clothes, body, tattoos and the way people move: only faces were hidden."
    } else {
        "Clothes, body and tattoos: only faces were hidden."
    };
    out.push(body.to_owned());
    out.push(
        "What can be read: names, numbers and badges on clothes, papers and screens, signs and \
         number plates."
            .to_owned(),
    );
    out.push("Place and time: buildings, landscape, weather and light are still there.".to_owned());
    out.push(
        "The camera: its sensor leaves a trace in every picture that is not removed.".to_owned(),
    );
    out
}

/// `1 person`, `2 people`.
#[must_use]
pub fn people(count: usize) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}
