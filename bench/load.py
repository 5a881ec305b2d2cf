#!/usr/bin/env python3
"""Load: a folder of mixed files through `fernseed redact`, and the cost of
process and sandbox per file through `fernseed inspect` on tiny files.

    bench/load.py [--program target/release/fernseed] [--files 1000] [--jobs 1 2]

Needs the demo media, ffmpeg and ImageMagick, nothing beyond Python's own
library. Processor time counts every process of a run; memory is the
proportional set size of all of them together, sampled. The wall clock means
something on an idle machine only.
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAMPLE = 0.1


def make(folder, *command):
    subprocess.run([str(word) for word in command], check=True, cwd=folder,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kinds(folder, media):
    """Twenty files, scaled from the demo media: what a phone's folder holds."""
    photo = media / "astronaut.png"
    clip = media / "carphone.mp4"
    out = []
    for number, (width, height) in enumerate([(640, 480), (800, 600), (480, 640), (1024, 768)]):
        size = f"{width}x{height}!"
        for extension in ("jpg", "png", "webp"):
            out.append(f"{number}.{extension}")
            make(folder, "convert", photo, "-resize", size, out[-1])
        out.append(f"small{number}.jpg")
        make(folder, "convert", photo, "-resize", "320x240!", "-quality", 60 + 10 * number, out[-1])
    out.append("a.gif")
    make(folder, "convert", photo, "-resize", "160x160!", out[-1])
    out.append("a.tiff")
    make(folder, "convert", photo, "-resize", "320x320!", "-compress", "LZW", out[-1])
    for number in range(2):
        out.append(f"{number}.mp4")
        make(folder, "ffmpeg", "-y", "-ss", number, "-i", clip, "-t", "0.5", "-an", "-c:v",
             "libx264", out[-1])
    assert len(out) == 20
    return out


def lay_out(folder, source, names, files):
    folder.mkdir()
    for number in range(files):
        name = names[number % len(names)]
        shutil.copy(source / name, folder / f"{number:05}-{name}")


def children(pid):
    found = []
    for listing in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in listing.read_text().split()]
        except OSError:
            pass
    return found


def pss(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(re.search(r"Pss:\s+(\d+)", text)[1]) // 1024


def run(command, folder):
    """Wall and processor seconds, peak memory in MB, workers alive at each
    sample."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, alive = 0, []
    while process.poll() is None:
        zygotes = children(process.pid)
        workers = [pid for zygote in zygotes for pid in children(zygote)]
        if workers:
            alive.append(len(workers))
            peak = max(peak, sum(pss(p) for p in [process.pid, *zygotes, *workers]))
        time.sleep(SAMPLE)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {process.returncode}: {process.stderr.read()}")
    return wall, cpu, peak, alive


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path,
                        default=ROOT / "target/release/fernseed")
    parser.add_argument("--media", type=pathlib.Path, default=ROOT / "demo/media")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, os.cpu_count()])
    args = parser.parse_args()
    program = args.program.resolve()
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        source = work / "source"
        source.mkdir()
        names = kinds(source, args.media.resolve())
        lay_out(work / "in", source, names, args.files)
        for jobs in args.jobs:
            out = f"out{jobs}"
            wall, cpu, peak, alive = run(
                [program, "redact", "in", "-o", out, "--resume", "-q", f"-j{jobs}"], work)
            made = sum(not p.name.startswith(".") for p in (work / out).iterdir())
            several = sum(n >= jobs for n in alive) / max(len(alive), 1)
            print(f"redact -j{jobs}: {args.files} files, {made} outputs, {wall:.1f} s, "
                  f"{args.files / wall:.1f} files/s, {cpu:.1f} s of processor time "
                  f"({1000 * cpu / args.files:.1f} ms a file, {cpu / wall:.2f} cores), "
                  f"peak {peak} MB, at most {max(alive)} workers, {several:.0%} of the time "
                  f"{jobs} or more")
            if max(alive) > jobs:
                raise SystemExit(f"-j{jobs} was not respected")
            shutil.rmtree(work / out)
        make(source, "convert", "-size", "16x16", "xc:gray", "tiny.png")
        lay_out(work / "tiny", source, ["tiny.png"], args.files)
        wall, cpu, peak, _ = run([program, "inspect", "tiny"], work)
        print(f"inspect: {args.files} tiny files, {wall:.1f} s, "
              f"{1000 * cpu / args.files:.2f} ms of processor time a file, peak {peak} MB")


if __name__ == "__main__":
    main()
