#!/usr/bin/env python3
"""Times fernseed against a plain ffmpeg transcode and deface, and measures exposure in what they make.

Speed: the three run alternately, whole processes; the table gives medians of wall and processor seconds, and ratios, on
a clip made here (1080p H.264, faces of the demo photo over a moving picture) and on three clips from pinned packages.
Memory: the highest sum of proportional set sizes of the process and its children, at several lengths of video.
Exposure: in the finished files, on the judging half of the composite set (crates/fernseed-testkit, examples composite
and exposure), on labelled photographs under a moving camera and on real clips whose truth eyes have checked
(bench/truth). Parts: clips.py, measure.py, exposure.py, table.py. Results: OUT/results.json and OUT/results.md, every
exposed run in OUT/exposure-*.md.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics

import clips
import exposure
from measure import OURS, machine, run, time_alternately, version
from table import markdown

ROOT = clips.ROOT


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fernseed", required=True)
    parser.add_argument("--deface", help="deface's command in a virtual environment; left out if absent")
    parser.add_argument("--out", default="bench/out")
    parser.add_argument("--clip", help="another clip than the one made here")
    parser.add_argument("--seconds", type=float, default=10, help="length of the clip made here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quality", type=int, default=80, help="80 is x264 CRF 20")
    parser.add_argument("--crf", type=int, default=20)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--no-avx512", action="store_true",
                        help="keep the plain transcode's x264 from AVX-512, for a fernseed built with "
                             "--features no-avx512,no-vnni")
    parser.add_argument("--no-speed", action="store_true", help="leave out the timing")
    parser.add_argument("--no-deface-timing", action="store_true", help="time without deface, which takes minutes")
    parser.add_argument("--no-packages", action="store_true", help="do not time the three clips from packages")
    parser.add_argument("--memory", default="1,4", help="lengths for the memory curve, in times the clip; '' leaves it out")
    parser.add_argument("--no-exposure", action="store_true", help="leave out the composite set and the panned photographs")
    parser.add_argument("--panned", type=int, default=6,
                        help="clips of each scenario of panned photographs, if the shared test data is there; 0 is none")
    parser.add_argument("--no-real", action="store_true", help="leave out the real clips")
    parser.add_argument("--testkit", default=str(ROOT / "target/release/examples"), help="where the testkit's tools are")
    parser.add_argument("--composite", help="folder of finished composite clips; made if absent")
    parser.add_argument("--half", default="judge", choices=["develop", "judge"])
    parser.add_argument("--seeds", type=int, default=2, help="clips of each scenario")
    parser.add_argument("--exposure-clips", type=int, default=0, help="at most so many clips of each set; 0 is all")
    parser.add_argument("--deface-clips", type=int, default=12, help="deface does at most so many of each set; 0 is all")
    parser.add_argument("--deface-outputs", help="folder in which what deface has made is kept from run to run")
    return parser.parse_args()


def speed(args, clip, out):
    """Median seconds of every tool on the clip made here and on those from packages."""
    timed = [(clip, args.rounds)]
    timed += [] if args.no_packages else [(c, 1) for c in clips.PACKAGES if c.exists()]
    found = []
    for one, rounds in timed:
        times = time_alternately(args, one, out, rounds)
        median = {tool: {what: statistics.median(t) for what, t in both.items()} for tool, both in times.items()}
        found.append({"clip": one.name, "frames": clips.count_frames(one), "seconds": times, "median": median})
    return found


def memory_curve(args, clip, out):
    """Peak memory by seconds of video; longer clips repeat the one made here."""
    peaks = {}
    for times in (int(t) for t in args.memory.split(",") if t):
        longer = clip if times == 1 else clips.repeated(clip, times, out / f"{clip.stem}-{times}-times.mp4")
        shutil.rmtree(out / "ours", ignore_errors=True)
        once = run([args.fernseed, "redact", longer, "-o", out / "ours/o.mp4"], measure_memory=True, good=OURS)
        peaks[f"{args.seconds * times:g}"] = once["memory"]
    return peaks


def exposures(args, out):
    """Exposure on the composite set and on real clips, as far as wanted and possible."""
    tools = pathlib.Path(args.testkit)
    if not (tools / "exposure").exists():
        raise SystemExit(f"no exposure tool in {tools}: build the testkit's examples, or --no-exposure --no-real")
    some = slice(args.exposure_clips or None)
    found = []
    if not args.no_exposure:
        folder = pathlib.Path(args.composite) if args.composite else out / "composite"
        if not args.composite:
            clips.make_composite(tools, folder, args.half, args.seeds)
        mine = clips.composite(folder, args.half)[some]
        found.append(exposure.whole(args, mine, folder, args.half, out))
    shared = pathlib.Path(os.environ.get("FERNSEED_SHARED", ROOT / "../shared"))
    labelled = (shared / "data/faces/masks853/labels.tsv").is_file()
    if not args.no_exposure and args.panned and labelled:
        folder = out / "panned"
        clips.make_panned(tools, folder, args.half, args.panned)
        mine = clips.composite(folder, args.half)[some]
        found.append(exposure.whole(args, mine, folder, args.half, out, "panned"))
    if not args.no_real:
        mine = clips.real(out / "real", shared)[some]
        if mine:
            found.append(exposure.whole(args, mine, out / "real", "real", out))
    return found


def main():
    args = options()
    if args.deface and not shutil.which(args.deface):
        raise SystemExit(f"there is no {args.deface}")
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    clip = pathlib.Path(args.clip) if args.clip else out / f"faces-{args.seconds:g}s.mp4"
    if not clip.exists():
        clips.make_clip(clip, args.seconds)
    result = {
        "speed": [] if args.no_speed else speed(args, clip, out),
        "peak_memory_bytes_by_clip_seconds": memory_curve(args, clip, out),
        "exposure": [] if args.no_exposure and args.no_real else exposures(args, out),
        "versions": {"fernseed": version([args.fernseed, "--version"]), "ffmpeg": version(["ffmpeg", "-version"]),
                     "deface": version([args.deface, "--version"]) if args.deface else None},
        "machine": machine(),
    }
    (out / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (out / "results.md").write_text(markdown(result))
    print(markdown(result))


if __name__ == "__main__":
    main()
