"""Exposure in finished files of fernseed and deface, told by the testkit's `exposure`."""
import json
import pathlib
import shutil
import subprocess
import sys

import clips
from measure import run

BENCH = pathlib.Path(__file__).resolve().parent


def redact_all(args, mine, folder):
    """Redacts clips into `folder`; says which ones were not published, with fernseed's exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    held = {}
    for clip in mine:
        # Matroska comes out as MP4, an animated GIF as APNG.
        out = folder / f"{clip.stem}{'.png' if clip.suffix == '.gif' else '.mp4'}"
        once = run([args.fernseed, "redact", clip, "-o", out, "--quiet"], good=(0, 1, 3, 4))
        if not out.exists():
            held[clip.stem] = once["code"]
        print(f"fernseed: {clip.name}", file=sys.stderr)
    return held


def deface_all(args, mine, folder):
    """Runs deface with its defaults, its masks filled instead of blurred (deface_filled.py); keeps what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    python = pathlib.Path(args.deface).parent / "python"
    for clip in mine:
        out = folder / f"{clip.stem}.mp4"
        if out.exists():
            continue
        part = out.with_name(f"part-{out.name}")
        run([python, BENCH / "deface_filled.py", clips.as_video(clip, folder / "in"), "-o", part, "--backend", "onnxrt"])
        part.rename(out)
        print(f"deface: {clip.name}", file=sys.stderr)


def measured(args, folder, half, out, ours, theirs, only_common):
    """The report of the exposure tool: {tool: summary}, and its Markdown with every exposed run."""
    command = [pathlib.Path(args.testkit) / "exposure", folder, "--half", half, "--report", out,
               "--outputs", f"fernseed={ours}"]
    if theirs:
        command += ["--outputs", f"deface={theirs}"]
    if only_common:
        command += ["--common"]
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        sys.exit("the exposure tool failed")
    return {t["tool"]: t["summary"] for t in json.loads(out.with_suffix(".json").read_text())}


def whole(args, mine, folder, half, out, kind=""):
    """All clips with ours; beside deface only the clips that both have done. `kind` tells sets of one half apart."""
    name = f"{kind}-{half}" if kind else half
    ours, theirs = out / f"ours-{name}", pathlib.Path(args.deface_outputs or out) / f"deface-{name}"
    held = redact_all(args, mine, ours)
    found = {"half": half, "kind": kind, "clips": len(mine), "held_by_the_audit": held,
             "all": measured(args, folder, half, out / f"exposure-{name}", ours, None, False)}
    if args.deface:
        some = mine[:args.deface_clips] if args.deface_clips else mine
        deface_all(args, some, theirs)
        found["beside_deface"] = measured(args, folder, half, out / f"beside-deface-{name}", ours, theirs, True)
    return found
