#!/usr/bin/env python3
"""Speed of stripping: fernseed, exiftool in its batch mode and mat2 on the
same files, in turns.

    bench/strip.py [--program target/release/fernseed] [--files 500] [--rounds 3]

The files are made on the spot from the demo media, each another cut: of a
hundred, 82 JPEGs 320 to 2048 pixels wide (every eighth progressive), 8 PNGs,
3 GIFs, 4 TIFFs and 3 short MP4s, all with metadata put in: formats that all
three take (mat2 knows no WebP). Needs ffmpeg, ImageMagick and exiftool; mat2
is left out where it is not installed.

Prints, for each run, seconds on the wall, processor seconds of all its
processes, and files it wrote a second; then the medians and what fernseed
is to the others. Wall clocks mean something on an idle machine only.
"""

import argparse
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTHS = (320, 480, 640, 800, 1024, 1280, 1600, 2048)
# (format, of a hundred files, widths)
MIX = (("jpg", 82, WIDTHS), ("png", 8, WIDTHS[:4]), ("gif", 3, WIDTHS[:2]),
       ("tif", 4, WIDTHS[:3]), ("mp4", 3, WIDTHS[:2]))
PROGRESSIVE = 8
TAGS = ("-Make=Maker", "-Model=Model", "-SerialNumber=12345", "-Artist=Somebody",
        "-DateTimeOriginal=2024:05:06 07:08:09", "-GPSLatitude=52.5", "-GPSLatitudeRef=N",
        "-GPSLongitude=13.4", "-GPSLongitudeRef=E", "-XMP-dc:Title=Title", "-Comment=Words",
        "-Keys:GPSCoordinates=52.5, 13.4")


def quietly(*command, fine=(0,)):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode not in fine:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[:500]}")


def make(folder, files):
    """Files of all kinds, no two alike."""
    for kind, share, widths in MIX:
        count = max(1, files * share // 100)
        for place, width in enumerate(widths):
            some = len(range(place, count, len(widths)))
            if some:
                cuts(folder, kind, width, some)
    for number, photo in enumerate(sorted(folder.glob("*.jpg"))):
        if number % PROGRESSIVE == 0:
            quietly("convert", photo, "-interlace", "Plane", photo)
    # Not every tag fits every format.
    quietly("exiftool", "-q", "-q", "-m", "-n", "-overwrite_original", *TAGS, folder, fine=(0, 1))


def cuts(folder, kind, width, count):
    """`count` cuts of the photo, or of the clip, `width` pixels wide."""
    scale = f"scale={width}:-2:flags=lanczos"
    if kind == "mp4":
        for number in range(count):
            quietly("ffmpeg", "-v", "error", "-nostdin", "-ss", number / 10, "-i",
                    ROOT / "demo/media/carphone.mp4", "-frames:v", "25", "-vf", scale,
                    "-c:v", "libx264", "-preset", "veryfast", "-metadata", "title=Title",
                    "-an", folder / f"clip-{width}-{number:03}.mp4")
        return
    moving = r"crop=480:360:x=mod(n*5\,32):y=mod(n*7\,150)"
    png = kind in ("gif", "tif")
    names = folder / f"{kind}-{width}-%03d.{'png' if png else kind}"
    quietly("ffmpeg", "-v", "error", "-nostdin", "-loop", "1", "-i",
            ROOT / "demo/media/astronaut.png", "-vf", f"{moving},{scale},noise=alls=2:allf=t",
            "-frames:v", count, "-q:v", "3", names)
    if png:
        for picture in folder.glob(f"{kind}-{width}-*.png"):
            extra = ["-compress", "LZW"] if kind == "tif" else []
            quietly("convert", picture, *extra, picture.with_suffix(f".{kind}"))
            picture.unlink()


def fernseed(program, source, out):
    out.mkdir()
    return [program, "strip", "-q", source, "-o", out]


def exiftool(_program, source, out):
    out.mkdir()
    return ["exiftool", "-q", "-q", "-all=", "-o", f"{out}/", source]


def mat2(_program, source, out):
    # It writes beside its input.
    shutil.copytree(source, out)
    return ["mat2", *sorted(out.iterdir())]


def run(tool, program, source, out):
    """Wall seconds, processor seconds, files written."""
    command = [str(word) for word in tool(program, source, out)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    written = sum(1 for f in out.iterdir() if tool is not mat2 or ".cleaned." in f.name)
    shutil.rmtree(out)
    return wall, cpu, written


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/fernseed")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    program = options.program.resolve()
    tools = [fernseed, exiftool] + ([mat2] if shutil.which("mat2") else [])
    runs = {tool.__name__: [] for tool in tools}
    with tempfile.TemporaryDirectory() as work:
        source = pathlib.Path(work, "in")
        source.mkdir()
        make(source, options.files)
        made = list(source.iterdir())
        size = sum(f.stat().st_size for f in made)
        print(f"{len(made)} files, {size / 1e6:.1f} MB")
        for turn in range(options.rounds):
            # Another one begins each time.
            for place in range(len(tools)):
                tool = tools[(turn + place) % len(tools)]
                wall, cpu, written = run(tool, program, source, pathlib.Path(work, "out"))
                runs[tool.__name__].append((written / wall, cpu / len(made) * 1e3))
                print(f"{tool.__name__:9} {wall:7.2f} s wall {cpu:7.2f} s processor "
                      f"{written:4} written {written / wall:8.1f} files/s", flush=True)
    print("medians")
    rates = {}
    for name, values in runs.items():
        rates[name] = statistics.median(rate for rate, _ in values)
        cpu = statistics.median(cpu for _, cpu in values)
        print(f"{name:9} {rates[name]:8.1f} files/s {cpu:7.2f} ms processor a file")
    for other in list(rates)[1:]:
        print(f"fernseed does {rates['fernseed'] / rates[other]:.2f} times the files of {other}")


if __name__ == "__main__":
    main()
