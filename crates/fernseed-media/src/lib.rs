//! fernseed-media.
