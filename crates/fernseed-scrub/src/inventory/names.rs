//! What a property gives away, judged by its name. Used wherever metadata
//! is a list of named texts: XMP, PNG keywords, QuickTime keys, Matroska
//! tags.

use super::{Category, Harm};
use Category::{Device, Link, Other, People, Place, Preview, Software, Time};
use Harm::{High, Low, Medium};

/// Category, harm and plain words.
pub(super) type Sense = ((Category, Harm), &'static str);

/// Parts of names, in order of precedence. All lower case, without
/// punctuation.
const PARTS: &[(&str, Sense)] = &[
    ("gpsdatetime", ((Time, High), "time from satellite")),
    ("gpsdatestamp", ((Time, High), "date from satellite")),
    ("gpstimestamp", ((Time, High), "time from satellite")),
    ("gpsimgdirection", ((Place, Medium), "viewing direction")),
    ("gpsversion", ((Place, Low), "GPS data version")),
    ("gpslatitude", ((Place, High), "GPS position")),
    ("gpslongitude", ((Place, High), "GPS position")),
    ("gps", ((Place, High), "GPS data")),
    ("thumbnail", ((Preview, High), "thumbnail")),
    ("pageimage", ((Preview, High), "thumbnail")),
    ("embeddedrelatedimage", ((Preview, High), "embedded second picture")),
    ("gdepth", ((Preview, High), "depth map")),
    ("motionphoto", ((Preview, High), "motion photo")),
    ("microvideo", ((Preview, High), "motion photo")),
    ("livephoto", ((Link, Medium), "live photo link")),
    ("stillimagetime", ((Link, Medium), "live photo link")),
    ("serial", ((Device, High), "serial number")),
    ("cameraidentifier", ((Link, Medium), "camera identifier")),
    ("vehicleid", ((Link, High), "vehicle identifier")),
    ("documentid", ((Link, High), "document identifier")),
    ("instanceid", ((Link, High), "document identifier")),
    ("contentidentifier", ((Link, High), "content identifier")),
    ("uniqueid", ((Link, High), "unique identifier")),
    ("uniqueimageid", ((Link, High), "unique identifier")),
    ("imageid", ((Link, High), "unique identifier")),
    ("umid", ((Link, High), "unique identifier")),
    ("uuid", ((Link, High), "unique identifier")),
    ("guid", ((Link, High), "unique identifier")),
    ("derivedfrom", ((Link, Medium), "earlier document")),
    ("ingredient", ((Link, Medium), "earlier document")),
    ("manifest", ((Link, Medium), "earlier document")),
    ("rawfilename", ((Link, Medium), "original file name")),
    ("preservedfilename", ((Link, Medium), "original file name")),
    ("originalfilename", ((Link, Medium), "original file name")),
    ("filename", ((Link, Medium), "file name")),
    ("filepath", ((Link, High), "file path")),
    ("history", ((Software, Medium), "editing history")),
    ("timecreated", ((Time, Medium), "time")),
    ("timezone", ((Time, Medium), "time zone")),
    ("timecode", ((Time, Low), "time code")),
    ("creationtime", ((Time, Medium), "date and time")),
    ("creationdate", ((Time, Medium), "date and time")),
    ("createdate", ((Time, Medium), "date and time")),
    ("modifydate", ((Time, Medium), "date and time")),
    ("metadatadate", ((Time, Medium), "date and time")),
    ("datetime", ((Time, Medium), "date and time")),
    ("datecreated", ((Time, Medium), "date and time")),
    ("datetaken", ((Time, Medium), "date and time")),
    ("dateacquired", ((Time, Medium), "date and time")),
    ("digitizationdate", ((Time, Medium), "date and time")),
    ("softwareagent", ((Software, Medium), "editing history")),
    ("creatortool", ((Software, Low), "software")),
    ("writingapp", ((Software, Low), "software")),
    ("muxingapp", ((Software, Low), "software")),
    ("encoder", ((Software, Low), "software")),
    ("encodedby", ((People, Medium), "person")),
    ("software", ((Software, Low), "software")),
    ("toolkit", ((Software, Low), "software")),
    ("xmptk", ((Software, Low), "software")),
    ("firmware", ((Device, Medium), "firmware version")),
    ("personinimage", ((People, High), "person in the picture")),
    ("personname", ((People, High), "person in the picture")),
    ("persondisplayname", ((People, High), "person in the picture")),
    ("regionlist", ((People, High), "marked face")),
    ("regions", ((People, High), "marked face")),
    ("mwgrs", ((People, High), "marked face")),
    ("face", ((People, High), "marked face")),
    ("owner", ((People, High), "owner")),
    ("creatorcontact", ((People, High), "contact details")),
    ("ciemail", ((People, High), "contact details")),
    ("ciadr", ((People, High), "contact details")),
    ("citel", ((People, High), "contact details")),
    ("ciurl", ((People, High), "contact details")),
    ("email", ((People, High), "contact details")),
    ("phone", ((People, High), "contact details")),
    ("author", ((People, High), "author")),
    ("artist", ((People, High), "author")),
    ("byline", ((People, High), "author")),
    ("photographer", ((People, High), "author")),
    ("captionwriter", ((People, High), "author of the caption")),
    ("director", ((People, High), "person")),
    ("performer", ((People, Medium), "person")),
    ("producer", ((People, Medium), "person")),
    ("publisher", ((People, Medium), "publisher")),
    ("contributor", ((People, High), "person")),
    ("copyright", ((People, High), "copyright notice")),
    ("rights", ((People, High), "copyright notice")),
    ("credit", ((People, High), "credit")),
    ("username", ((People, High), "user name")),
    ("hostcomputer", ((People, High), "computer name")),
    ("location", ((Place, High), "place")),
    ("latitude", ((Place, High), "GPS position")),
    ("longitude", ((Place, High), "GPS position")),
    ("altitude", ((Place, Medium), "altitude")),
    ("sublocation", ((Place, High), "place")),
    ("city", ((Place, High), "place")),
    ("province", ((Place, Medium), "place")),
    ("country", ((Place, Medium), "place")),
    ("worldregion", ((Place, Medium), "place")),
    ("cameramodel", ((Device, Medium), "device model")),
    ("lens", ((Device, Low), "lens")),
    ("make", ((Device, Medium), "device maker")),
    ("model", ((Device, Medium), "device model")),
    ("caption", ((People, Medium), "text somebody wrote")),
    ("comment", ((People, Medium), "text somebody wrote")),
    ("description", ((People, Medium), "text somebody wrote")),
    ("headline", ((People, Medium), "text somebody wrote")),
    ("instructions", ((People, Medium), "text somebody wrote")),
    ("keyword", ((People, Medium), "keywords")),
    ("subject", ((People, Medium), "keywords")),
    ("title", ((People, Medium), "title")),
    ("objectname", ((People, Medium), "title")),
    ("event", ((People, Medium), "event")),
    ("creator", ((People, High), "author")),
    ("source", ((Link, Low), "source")),
    ("identifier", ((Link, Medium), "identifier")),
    ("date", ((Time, Medium), "date and time")),
];

/// Names that are a whole word and too short to look for inside others.
const WHOLE: &[(&str, Sense)] = &[
    ("xyz", ((Place, High), "GPS position")),
    ("day", ((Time, Medium), "date and time")),
    ("year", ((Time, Low), "year")),
    ("nam", ((People, Medium), "title")),
    ("name", ((People, Medium), "name")),
    ("too", ((Software, Low), "software")),
    ("swr", ((Software, Low), "software")),
    ("mak", ((Device, Medium), "device maker")),
    ("mod", ((Device, Medium), "device model")),
    ("cmt", ((People, Medium), "text somebody wrote")),
    ("inf", ((People, Medium), "text somebody wrote")),
    ("des", ((People, Medium), "text somebody wrote")),
    ("aut", ((People, High), "author")),
    ("art", ((People, High), "author")),
    ("cpy", ((People, High), "copyright notice")),
    ("dir", ((People, High), "person")),
    ("prd", ((People, High), "person")),
    ("prf", ((People, High), "person")),
    ("wrt", ((People, High), "person")),
    ("when", ((Time, Medium), "editing history")),
    ("state", ((Place, Medium), "place")),
    ("id", ((Link, Medium), "identifier")),
    ("by", ((People, High), "author")),
];

/// Judges a property by its name.
pub(super) fn sense(name: &str) -> Option<Sense> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(120)
        .collect();
    let whole = WHOLE.iter().find(|(n, _)| *n == plain);
    let part = || PARTS.iter().find(|(n, _)| plain.contains(n));
    whole.or_else(part).map(|&(_, sense)| sense)
}

/// The same, with a fallback for names that say nothing.
pub(super) fn sense_or_other(name: &str) -> Sense {
    sense(name).unwrap_or(((Other, Low), "other metadata"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_what_they_say() {
        assert_eq!(sense("exif:GPSLatitude").unwrap().0, (Place, High));
        assert_eq!(sense("com.apple.quicktime.location.ISO6709").unwrap().0, (Place, High));
        assert_eq!(sense("xmpMM:OriginalDocumentID").unwrap().0.0, Link);
        assert_eq!(sense("photoshop:DateCreated").unwrap().0.0, Time);
        assert_eq!(sense("\u{a9}xyz").unwrap().0, (Place, High));
        assert_eq!(sense("aux:SerialNumber").unwrap().0.0, Device);
        assert_eq!(sense("crs:Sharpness"), None);
    }
}
