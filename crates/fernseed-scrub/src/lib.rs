//! fernseed-scrub.
