//! Dates and times out of texts and file names.

/// The time in a text such as `2023:05:14 18:22:01`, `2023-05-14T18:22:01Z`
/// or `PXL_20230514_182201123`: seconds since 1970 as the clock showed them.
/// At most one.
pub(super) fn parse(text: &str) -> Option<i64> {
    let digits: Vec<(usize, u32)> =
        text.chars().enumerate().filter_map(|(n, c)| c.to_digit(10).map(|d| (n, d))).collect();
    (0..digits.len()).find_map(|from| {
        let fourteen = digits.get(from..from + 14)?;
        let (first, last) = (fourteen.first()?.0, fourteen.last()?.0);
        // Begins a number, and its parts lie close together.
        let begins = from == 0 || digits.get(from - 1)?.0 + 1 < first;
        let number = |a: usize, b: usize| {
            fourteen.get(a..b).map(|d| d.iter().fold(0i64, |n, &(_, d)| n * 10 + i64::from(d)))
        };
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
        let good = begins
            && last - first <= 20
            && (1980..2100).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 61;
        good.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    })
}

/// Days since 1970-01-01 (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `2023-05-14 18:22` of seconds since 1970.
pub(super) fn write(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = (shifted + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02} {:02}:{:02}", second / 3600, second / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_to_write_a_time() {
        let want = Some(1_684_088_521);
        for text in [
            "2023:05:14 18:22:01",
            "2023-05-14T18:22:01Z",
            "PXL_20230514_182201123.jpg",
            "IMG_20230514_182201.jpg",
            "Screenshot 2023-05-14 at 18.22.01.png",
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
        assert_eq!(write(1_684_088_521), "2023-05-14 18:22");
        for text in ["IMG_1234.JPG", "20239914 182201", "1234567890123456789", "2023-05-14"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
