//! What a file holds must not depend on what the process held before.

use super::support::Bench;
use fernseed_media::video::Container;
use std::path::PathBuf;
use std::process::Command;

/// Where the child finds its input.
const INPUT: &str = "FERNSEED_TEST_INPUT";

#[test]
fn bytes_do_not_depend_on_old_memory() {
    let Some(bench) = Bench::new() else { return };
    if let Some(input) = std::env::var_os(INPUT) {
        // The child: writes beside its input.
        let run = bench.transcode(&PathBuf::from(&input), Container::Mp4, false);
        std::fs::copy(run.output, PathBuf::from(input).with_extension("out")).unwrap();
        return;
    }
    // 20 macroblocks wide: vector code has a rest at the end of a row.
    let input = bench.make("in.mp4", "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -c:v libx264 -bf 3");
    let mut outputs = Vec::new();
    for fill in ["0", "1", "2"] {
        // glibc fills memory it hands out or takes back with a byte.
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "memory::bytes_do_not_depend_on_old_memory"])
            .env(INPUT, &input)
            .env("MALLOC_PERTURB_", fill)
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
        outputs.push(std::fs::read(input.with_extension("out")).unwrap());
    }
    assert!(outputs[0].len() > 1_000);
    assert!(outputs.windows(2).all(|w| w[0] == w[1]), "the fill of memory shows in the output");
}
