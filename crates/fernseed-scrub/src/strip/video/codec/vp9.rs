//! VP9's configuration (VP Codec ISO Media File Format Binding).

/// The fields of `vpcC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Config {
    pub(in super::super) profile: u8,
    pub(in super::super) level: u8,
    /// Bit depth, subsampling, range, as in the third byte.
    pub(in super::super) depth: u8,
    pub(in super::super) colour: [u8; 3],
}

/// Reads the content of `vpcC` after its version and flags.
pub(in super::super) fn parse(b: &[u8]) -> Option<Config> {
    let fixed: [u8; 6] = b.get(..6)?.try_into().ok()?;
    let [profile, level, depth, p, t, m] = fixed;
    (profile < 4 && matches!(depth >> 4, 8 | 10 | 12)).then_some(Config {
        profile,
        level: if level <= 62 { level } else { 0 },
        depth,
        colour: [p, t, m],
    })
}

/// The content of `vpcC` with version 1.
pub(in super::super) fn record(c: &Config) -> Vec<u8> {
    let [p, t, m] = c.colour;
    vec![1, 0, 0, 0, c.profile, c.level, c.depth, p, t, m, 0, 0]
}
