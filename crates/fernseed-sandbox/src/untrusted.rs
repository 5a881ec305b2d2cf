//! Values from a worker, and the only way to get at them.

use std::fmt;

/// A value that can say whether it is inside its bounds.
pub trait Validate {
    /// Why it is not.
    type Error;

    /// Checks every field.
    ///
    /// # Errors
    /// The first bound that does not hold.
    fn validate(&self) -> Result<(), Self::Error>;
}

/// A value a worker sent. A worker may have been taken over by the file it
/// reads, so nothing of the value can be seen before it was checked: there is
/// no `Deref`, no `Clone`, and `Debug` prints nothing of it.
#[must_use]
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Marks a value as coming from a worker.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Checks the value with its own [`Validate`] and hands it over.
    ///
    /// # Errors
    /// Whatever the check says.
    pub fn validate(self) -> Result<T, T::Error>
    where
        T: Validate,
    {
        self.0.validate()?;
        Ok(self.0)
    }

    /// Checks the value with `check` and hands it over.
    ///
    /// # Errors
    /// Whatever `check` says.
    pub fn validate_with<E>(self, check: impl FnOnce(&T) -> Result<(), E>) -> Result<T, E> {
        check(&self.0)?;
        Ok(self.0)
    }
}

impl<T> fmt::Debug for Untrusted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Untrusted(..)")
    }
}

/// Makes text from a worker safe to show: control characters (so also ANSI
/// escapes), line and paragraph separators, bidirectional controls, zero-width
/// and other invisible format characters become U+FFFD, and the result is at
/// most `max` bytes, cut at a character.
#[must_use]
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let c = if is_unprintable(c) { char::REPLACEMENT_CHARACTER } else { c };
        if out.len() + c.len_utf8() > max {
            break;
        }
        out.push(c);
    }
    out
}

/// Control characters and the invisible ones that change how text reads.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{180e}' | '\u{feff}'
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Small(u32);

    impl Validate for Small {
        type Error = String;
        fn validate(&self) -> Result<(), String> {
            if self.0 < 10 { Ok(()) } else { Err("too large".to_owned()) }
        }
    }

    #[test]
    fn only_checked_values_come_out() {
        assert_eq!(Untrusted::new(Small(3)).validate().map(|s| s.0), Ok(3));
        assert!(Untrusted::new(Small(30)).validate().is_err());
        let odd = |n: &u32| if n % 2 == 1 { Ok(()) } else { Err("even") };
        assert_eq!(Untrusted::new(4).validate_with(odd), Err("even"));
        assert_eq!(Untrusted::new(5).validate_with(odd), Ok(5));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Untrusted::new("secret")), "Untrusted(..)");
    }

    #[test]
    fn text_loses_its_tricks() {
        assert_eq!(printable("plain \u{e9} \u{4e2d}", 100), "plain \u{e9} \u{4e2d}");
        assert_eq!(printable("\u{1b}[31mred\u{9b}0m", 100), "\u{fffd}[31mred\u{fffd}0m");
        assert_eq!(
            printable("a\u{202e}b\u{2066}c\u{200b}d\n", 100),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"
        );
        assert_eq!(printable("\u{e9}\u{e9}\u{e9}", 5), "\u{e9}\u{e9}");
        assert_eq!(printable("abc", 0), "");
    }

    proptest::proptest! {
        #[test]
        fn printable_is_bounded_and_settles(text: String, max in 0usize..64) {
            let once = printable(&text, max);
            proptest::prop_assert!(once.len() <= max);
            proptest::prop_assert!(!once.chars().any(is_unprintable));
            proptest::prop_assert_eq!(printable(&once, max), once.clone());
        }
    }
}
