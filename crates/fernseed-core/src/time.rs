//! Exact media time: ticks of a rational time base, never floating seconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length of one tick: `num / den` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeBase {
    /// Numerator in seconds; positive.
    pub num: u32,
    /// Denominator; positive.
    pub den: u32,
}

impl TimeBase {
    /// Milliseconds.
    pub const MILLIS: Self = Self { num: 1, den: 1000 };

    /// A time base; `None` if a part is zero.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Option<Self> {
        if num == 0 || den == 0 { None } else { Some(Self { num, den }) }
    }

    /// Seconds of a number of ticks, for display only.
    #[must_use]
    pub fn seconds(self, ticks: i64) -> f64 {
        ticks as f64 * f64::from(self.num) / f64::from(self.den.max(1))
    }

    /// The first tick at or after `seconds`.
    #[must_use]
    pub fn ticks_at(self, seconds: f64) -> i64 {
        (seconds * f64::from(self.den) / f64::from(self.num.max(1))).ceil() as i64
    }

    /// `ticks` of this base expressed in `other`, rounded to the nearest
    /// tick (half away from zero). `None` on overflow.
    #[must_use]
    pub fn rescale(self, ticks: i64, other: Self) -> Option<i64> {
        let top = i128::from(ticks) * i128::from(self.num) * i128::from(other.den);
        let bottom = i128::from(self.den) * i128::from(other.num);
        if bottom == 0 {
            return None;
        }
        let half = if top < 0 { -(bottom / 2) } else { bottom / 2 };
        i64::try_from((top + half) / bottom).ok()
    }
}

/// A time in seconds as `h:mm:ss.mmm`, for people.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let millis = (seconds.max(0.0) * 1000.0).round() as u64;
    let (s, ms) = (millis / 1000, millis % 1000);
    format!("{}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescale_is_exact_where_it_can_be() {
        let ntsc = TimeBase::new(1001, 30000).unwrap();
        let fine = TimeBase::new(1, 30000).unwrap();
        assert_eq!(ntsc.rescale(7, fine), Some(7007));
        assert_eq!(fine.rescale(7007, ntsc), Some(7));
        assert_eq!(fine.rescale(-7007, ntsc), Some(-7));
        assert_eq!(TimeBase::MILLIS.rescale(i64::MAX, fine), None);
    }

    #[test]
    fn clock_reads_like_a_player() {
        assert_eq!(clock(3725.5), "1:02:05.500");
        assert_eq!(clock(-1.0), "0:00:00.000");
    }
}
