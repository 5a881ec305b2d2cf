//! fernseed-testkit.
