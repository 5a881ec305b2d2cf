#!/usr/bin/env python3
"""Long video: `fernseed redact` on hours of 720p, and whether its memory stays flat.

    bench/long.py [--program target/release/fernseed] [--hours 2] [--fps 15] [--keep FOLDER]

The clip is a minute of faces moving over a moving background (clips.py), coded once and repeated without coding it anew,
so it takes no time to make. Memory is the proportional set size of all processes together, sampled; the table shows the
peak of each tenth of the run, so that growth is seen. Afterwards the frames and the length of the output are counted
and must be the source's.
"""
import argparse
import pathlib
import resource
import subprocess
import tempfile
import time

import clips
from measure import memory

SAMPLE = 0.5


def sampled(command):
    """Wall and processor seconds of a command, its exit code and its samples of memory: (seconds, bytes)."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        samples.append((time.monotonic() - start, memory(process.pid)))
        time.sleep(SAMPLE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, processor, process.returncode, samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=clips.ROOT / "target/release/fernseed")
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--faces", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="folder to work in and to keep")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = args.keep or pathlib.Path(name)
        work.mkdir(parents=True, exist_ok=True)
        minute, clip, out = work / "minute.mp4", work / "long.mp4", work / "out"
        clips.make_clip(minute, 60, (1280, 720), args.fps, args.faces)
        clips.repeated(minute, round(args.hours * 60), clip)
        wall, processor, code, samples = sampled([args.program.resolve(), "redact", clip, "-o", out])
        frames = clips.count_frames(clip)
        outputs = list(out.glob("long.redacted.*"))
        print(f"{frames} frames, exit {code}, {wall:.0f} s, {frames / wall:.1f} frames/s, {processor:.0f} s of processor time")
        for tenth in range(10):
            part = [m for t, m in samples if tenth <= 10 * t / wall < tenth + 1]
            if part:
                print(f"  from {wall * tenth / 10:6.0f} s: peak {max(part) / 1e6:6.0f} MB, least {min(part) / 1e6:6.0f} MB")
        print(f"peak {max(m for _, m in samples) / 1e6:.0f} MB")
        if len(outputs) != 1 or code not in (0, 1):
            raise SystemExit(f"exit {code}, outputs {outputs}")
        lengths = [float(subprocess.check_output(
            ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", p])) for p in (clip, outputs[0])]
        made = clips.count_frames(outputs[0])
        print(f"output: {made} frames, {lengths[1]:.2f} s; source {lengths[0]:.2f} s")
        if made != frames or abs(lengths[0] - lengths[1]) > 2 / args.fps:
            raise SystemExit("the output is not as long as its source")


if __name__ == "__main__":
    main()
