#!/usr/bin/env python3
"""Times fernseed against a plain ffmpeg transcode and deface on the same clip.

The three run alternately, whole processes, wall clock; the table gives medians and ratios. The clip is made here: a
1080p H.264 video of a moving street-like picture with several moving faces pasted in from the demo photo, so that no
test data is needed; three clips from pinned packages (scripts/composite-media.sh) are timed as well. Exposure is
measured on the judging half of the composite set (crates/fernseed-testkit, examples composite and exposure), in the
finished files of fernseed and of deface. Peak memory is the highest sum of resident sizes of the process and its children (proportional set
size where the kernel tells), at two lengths. Results: bench/out/results.json and results.md.
"""
import argparse, json, os, pathlib, platform, shutil, statistics, subprocess, sys, threading, time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def make_clip(path, seconds, size=(1920, 1080), fps=30, faces=6):
    """A clip of `faces` faces moving over a textured background."""
    import cv2
    import numpy as np

    photo = cv2.imread(str(ROOT / "demo/media/astronaut.png"))
    face = photo[20:230, 150:310]  # head and shoulders of the astronaut
    rng = np.random.default_rng(7)
    w, h = size
    back = cv2.resize(rng.integers(40, 200, (h // 12, w // 12 * 2, 3), np.uint8), (w * 2, h))
    back = cv2.GaussianBlur(back, (0, 0), 3)
    encoder = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{w}x{h}", "-r", str(fps),
         "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", str(path)],
        stdin=subprocess.PIPE)
    sizes = [60, 90, 120, 160, 200, 260][:faces]
    small = [cv2.resize(face, (s * 160 // 210, s), interpolation=cv2.INTER_AREA) for s in sizes]
    for n in range(int(seconds * fps)):
        shift = n * 2 % w
        frame = back[:, shift:shift + w].copy()
        for i, patch in enumerate(small):
            ph, pw = patch.shape[:2]
            x = int((w - pw) * (0.5 + 0.48 * np.sin(n / (50 + 13 * i) + i)))
            y = int((h - ph) * (0.5 + 0.45 * np.sin(n / (70 + 9 * i) + 2 * i)))
            frame[y:y + ph, x:x + pw] = patch
        encoder.stdin.write(frame.tobytes())
    encoder.stdin.close()
    if encoder.wait():
        sys.exit("ffmpeg could not make the clip")


def tree(pid):
    """The process and everything it started."""
    found = [pid]
    for entry in found:
        for task in pathlib.Path(f"/proc/{entry}/task").glob("*/children"):
            try:
                found += [int(c) for c in task.read_text().split()]
            except OSError:
                pass
    return found


def memory(pid):
    """Proportional set size of a process tree in bytes."""
    total = 0
    for one in tree(pid):
        try:
            for line in open(f"/proc/{one}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def run(command, measure_memory=False):
    """Wall seconds and peak memory of a command."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = [0]
    done = threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], memory(process.pid))

    watcher = threading.Thread(target=watch)
    if measure_memory:
        watcher.start()
    _, stderr = process.communicate()
    seconds = time.monotonic() - start
    done.set()
    if measure_memory:
        watcher.join()
    if process.returncode not in (0, 1):
        sys.exit(f"{command[0]} failed ({process.returncode}): {stderr.decode()[-500:]}")
    return seconds, peak[0]


def time_alternately(args, clip, out, rounds):
    """Wall seconds of every tool on one clip, by name."""
    ours = out / "ours"
    commands = {
        "fernseed": [args.fernseed, "redact", str(clip), "-o", str(ours / "o.mp4"), "--quality", str(args.quality)],
        "ffmpeg": ["ffmpeg", "-v", "error", "-y", "-i", str(clip), "-an", "-c:v", "libx264", "-preset", args.preset,
                   "-crf", str(args.crf), str(out / "plain.mp4")],
    }
    if args.deface and shutil.which(args.deface):
        commands["deface"] = [args.deface, str(clip), "-o", str(out / "deface.mp4"), "--backend", "onnxrt"]
    times = {name: [] for name in commands}
    for round_ in range(rounds):
        for name, command in commands.items():
            if name == "deface" and round_ > 0:
                continue  # it takes minutes; once is enough for a ratio of this size
            shutil.rmtree(ours, ignore_errors=True)
            seconds, _ = run(command)
            times[name].append(seconds)
            print(f"{clip.name}, round {round_ + 1}: {name} {seconds:.2f} s", file=sys.stderr)
    return times


def count_frames(clip):
    return int(subprocess.check_output(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets",
         "-of", "csv=p=0", str(clip)]).decode().split(",")[0])


def exposure(args, out):
    """The report of the exposure tool on finished files, over clips both tools have made; None without the tool."""
    tools = pathlib.Path(args.testkit)
    if not (tools / "exposure").exists():
        print(f"no exposure tool in {tools}, recall is left out", file=sys.stderr)
        return None
    clips = pathlib.Path(args.composite) if args.composite else out / "composite"
    subprocess.run([tools / "composite", clips, "--half", args.half, "--seeds", str(args.seeds)], check=True)
    mine = sorted(p for p in clips.glob("*.mp4")
                  if p.with_suffix(".json").exists() and json.load(open(p.with_suffix(".json")))["half"] == args.half)
    # One of each scenario first, so that a short run has seen everything.
    mine.sort(key=lambda p: p.stem[-1])
    mine = mine[:args.exposure_clips] if args.exposure_clips else mine
    ours, theirs = out / "exposure-ours", out / "exposure-deface"
    shutil.rmtree(ours, ignore_errors=True)
    shutil.rmtree(theirs, ignore_errors=True)
    ours.mkdir(), theirs.mkdir()
    held = []
    command = [tools / "exposure", clips, "--half", args.half, "--report", out / "exposure", "--outputs", f"fernseed={ours}"]
    for n, clip in enumerate(mine):
        run([args.fernseed, "redact", str(clip), "-o", str(ours / clip.name)])
        if not (ours / clip.name).exists():
            held += [clip.stem]  # the audit kept it back, or published it for review under another name
        if args.deface and n < args.deface_clips:
            run([args.deface, str(clip), "-o", str(theirs / clip.name), "--replacewith", "solid", "--backend", "onnxrt"])
    if any(theirs.iterdir()):
        command += ["--outputs", f"deface={theirs}"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        sys.exit("the exposure tool failed")
    report = json.load(open(out / "exposure.json"))
    return {"half": args.half, "held_by_the_audit": held, "tools": {t["tool"]: t["summary"] for t in report}}


def exposure_lines(found):
    def share(pair):
        return f"{100 * pair[0] / pair[1]:.2f} % of {pair[1]}" if pair[1] else "-"

    tools = found["tools"]
    rows = [("clips", lambda s: s["clips"]), ("exposed frames", lambda s: f"{s['exposed_frames']} of {s['frames']}"),
            ("people exposed at least once", lambda s: f"{s['people_exposed']} of {s['people']}"),
            ("people never found", lambda s: s["never_found"])]
    rows += [(f"recall {name} px", lambda s, i=i: share(s["recall"][i])) for i, name in
             enumerate(["12 to 24", "24 to 48", "48 and more"])]
    rows += [("hidden over true area, median", lambda s: f"{s['median_area']:.2f}")]
    lines = ["", f"Composite set, half `{found['half']}`, finished files:", "",
             "| |" + "".join(f" {t} |" for t in tools), "|---|" + "---|" * len(tools)]
    lines += [f"| {name} |" + "".join(f" {value(s)} |" for s in tools.values()) for name, value in rows]
    held = found["held_by_the_audit"]
    return lines + ["", "Held by the audit: " + (", ".join(held) or "none") + "."]


def version(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fernseed", required=True)
    parser.add_argument("--deface")
    parser.add_argument("--out", default="bench/out")
    parser.add_argument("--clip", help="another clip than the one made here")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quality", type=int, default=80, help="80 is x264 CRF 20")
    parser.add_argument("--crf", type=int, default=20)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--no-packages", action="store_true", help="leave out the three clips from packages")
    parser.add_argument("--no-exposure", action="store_true", help="leave out the composite set")
    parser.add_argument("--testkit", default=str(ROOT / "target/release/examples"), help="where the testkit's tools are")
    parser.add_argument("--composite", help="folder of composite clips; made if they are not there")
    parser.add_argument("--half", default="judge", choices=["develop", "judge"])
    parser.add_argument("--seeds", type=int, default=2, help="clips of each scenario")
    parser.add_argument("--exposure-clips", type=int, default=0, help="at most so many clips; 0 is all")
    parser.add_argument("--deface-clips", type=int, default=12, help="deface does at most so many clips")
    args = parser.parse_args()
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    clip = pathlib.Path(args.clip) if args.clip else out / f"faces-{args.seconds:g}s.mp4"
    if not clip.exists():
        make_clip(clip, args.seconds)

    ours = out / "ours"
    times = time_alternately(args, clip, out, args.rounds)
    frames = count_frames(clip)
    others = {}
    packaged = [] if args.no_packages else [ROOT / "demo/media/carphone.mp4", ROOT / "demo/media/bikes.mp4",
                                            ROOT / "bench/media/bigbuckbunny.mp4"]
    for other in filter(pathlib.Path.exists, packaged):
        seconds = {n: statistics.median(t) for n, t in time_alternately(args, other, out, 1).items()}
        others[other.name] = {"frames": count_frames(other), "seconds": seconds}

    lengths = {}
    for seconds in (args.seconds, args.seconds * 4):
        longer = out / f"faces-{seconds:g}s.mp4"
        if not longer.exists():
            make_clip(longer, seconds)
        shutil.rmtree(ours, ignore_errors=True)
        _, peak = run([args.fernseed, "redact", str(longer), "-o", str(ours / "o.mp4")], measure_memory=True)
        lengths[f"{seconds:g}"] = peak
    median = {name: statistics.median(t) for name, t in times.items()}
    flags = open("/proc/cpuinfo").read()
    result = {
        "clip": clip.name, "frames": frames, "seconds": times, "median": median,
        "ratio_to_ffmpeg": median["fernseed"] / median["ffmpeg"],
        "times_faster_than_deface": median["deface"] / median["fernseed"] if "deface" in median else None,
        "frames_per_second": {name: frames / t for name, t in median.items()},
        "peak_memory_bytes_by_clip_seconds": lengths,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(),
                    "avx512": "avx512f" in flags, "avx2": "avx2" in flags},
        "versions": {"fernseed": version([args.fernseed, "--version"]), "ffmpeg": version(["ffmpeg", "-version"]),
                     "deface": version([args.deface, "--version"]) if args.deface else None},
        "packages": others,
        "exposure": None if args.no_exposure else exposure(args, out),
    }
    (out / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    lines = ["| | median s | frames/s |", "|---|---|---|"]
    lines += [f"| {n} | {median[n]:.2f} | {frames / median[n]:.1f} |" for n in median]
    lines += ["", f"fernseed takes {result['ratio_to_ffmpeg']:.2f} times a plain transcode"]
    if result["times_faster_than_deface"]:
        lines[-1] += f" and is {result['times_faster_than_deface']:.1f} times as fast as deface 1.5.0"
    lines[-1] += "."
    lines += ["Peak memory: " + ", ".join(f"{b / 1e6:.0f} MB at {s} s" for s, b in lengths.items()) + "."]
    if others:
        lines += ["", "| clip | frames | fernseed s | ffmpeg s | deface s | to ffmpeg |", "|---|---|---|---|---|---|"]
        for name, one in others.items():
            t = one["seconds"]
            deface = f"{t['deface']:.2f}" if "deface" in t else "-"
            lines += [f"| {name} | {one['frames']} | {t['fernseed']:.2f} | {t['ffmpeg']:.2f} | {deface} "
                      f"| {t['fernseed'] / t['ffmpeg']:.2f} |"]
    if result["exposure"]:
        lines += exposure_lines(result["exposure"])
    lines += ["", "Versions: " + ", ".join(v for v in result["versions"].values() if v) + ". Machine: "
              + ", ".join(f"{k} {v}" for k, v in result["machine"].items()) + "."]
    (out / "results.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
