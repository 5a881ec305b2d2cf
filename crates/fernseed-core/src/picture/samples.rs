//! The memory that samples lie in: a plane's own, or lent by whoever decoded
//! them.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Memory that is lent to planes. It must show the same bytes for as long as
/// it is held.
pub trait Lent: AsRef<[u8]> + Send + Sync {}

impl<T: AsRef<[u8]> + Send + Sync> Lent for T {}

/// Samples of one plane. They are read where they lie; what is lent is copied
/// before it is written to.
#[derive(Clone)]
pub struct Samples {
    /// Empty while `lent` is there.
    own: Vec<u8>,
    lent: Option<Arc<dyn Lent>>,
}

impl Samples {
    /// Samples in memory that belongs to somebody else.
    #[must_use]
    pub fn lent(memory: Arc<dyn Lent>) -> Self {
        Self { own: Vec::new(), lent: Some(memory) }
    }

    /// True if they lie in memory that belongs to somebody else.
    #[must_use]
    pub const fn is_lent(&self) -> bool {
        self.lent.is_some()
    }

    /// Copies what is lent.
    fn own(&mut self) -> &mut Vec<u8> {
        if let Some(memory) = self.lent.take() {
            self.own = (*memory).as_ref().to_vec();
        }
        &mut self.own
    }
}

impl From<Vec<u8>> for Samples {
    fn from(own: Vec<u8>) -> Self {
        Self { own, lent: None }
    }
}

impl From<Samples> for Vec<u8> {
    /// Copies what is lent.
    fn from(mut samples: Samples) -> Self {
        std::mem::take(samples.own())
    }
}

impl Deref for Samples {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.lent.as_ref().map_or(&self.own, |memory| (**memory).as_ref())
    }
}

impl DerefMut for Samples {
    /// Copies what is lent, once.
    fn deref_mut(&mut self) -> &mut [u8] {
        self.own()
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Samples {}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_is_copied_before_it_is_written_to() {
        let lender: Arc<Vec<u8>> = Arc::new(vec![1, 2, 3]);
        let mut samples = Samples::lent(Arc::<Vec<u8>>::clone(&lender));
        let twin = samples.clone();
        assert!(samples.is_lent());
        assert_eq!(&samples[..], [1, 2, 3]);
        samples[1] = 9;
        assert!(!samples.is_lent());
        assert_eq!(&samples[..], [1, 9, 3]);
        assert_eq!((&twin[..], &lender[..]), (&[1, 2, 3][..], &[1, 2, 3][..]));
        assert_ne!(samples, twin);
        assert_eq!(twin, Samples::from(vec![1, 2, 3]));
        assert_eq!(Vec::from(twin), [1, 2, 3]);
    }
}
