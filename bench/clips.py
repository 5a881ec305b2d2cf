"""The clips that are measured: one made here, three from pinned packages, the composite set, real ones with truth."""
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = [ROOT / "demo/media/carphone.mp4", ROOT / "demo/media/bikes.mp4", ROOT / "bench/media/bigbuckbunny.mp4"]
TRUTH = ROOT / "bench/truth"


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


def repeated(clip, times, path):
    """The same clip so many times over, without encoding it anew."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-stream_loop", str(times - 1), "-i", str(clip), "-map", "0:v:0",
                    "-c", "copy", str(path)], check=True)
    return path


def count_frames(clip):
    return int(subprocess.check_output(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets",
         "-of", "csv=p=0", str(clip)]).decode().split(",")[0])


def make_composite(tools, folder, half, seeds):
    """Makes the clips of the composite set that are missing in `folder`."""
    subprocess.run([tools / "composite", folder, "--half", half, "--seeds", str(seeds)], check=True)


def make_panned(tools, folder, half, seeds):
    """Makes clips of photographs under a moving camera, those that are missing in `folder`."""
    subprocess.run([tools / "composite", folder, "--panned", "--half", half, "--seeds", str(seeds)], check=True)


def composite(folder, half):
    """The finished clips of a half in `folder`, one of each scenario first."""
    found = sorted(p for p in folder.glob("*.mp4") if p.with_suffix(".json").exists()
                   and json.loads(p.with_suffix(".json").read_text())["half"] == half)
    return sorted(found, key=lambda p: p.stem[-1])


def real(folder, shared):
    """Real clips for which there is truth (bench/truth/sources.json), laid beside it in `folder`; those of packages
    always, those of the shared test data if that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, source in json.loads((TRUTH / "sources.json").read_text()).items():
        truth = TRUTH / f"{pathlib.Path(name).stem}.json"
        origin = ROOT / source["file"] if source["from"] == "packages" else shared / "data/video/intel" / source["file"]
        if not truth.exists() or not origin.exists():
            continue
        clip = folder / name
        if not clip.exists():
            if "seconds" in source:  # a stretch, cut at key frames
                first, length = source["seconds"]
                subprocess.run(["ffmpeg", "-v", "error", "-y", "-ss", str(first), "-t", str(length), "-i", str(origin),
                                "-map", "0:v:0", "-c", "copy", str(clip)], check=True)
            else:
                shutil.copyfile(origin, clip)
        shutil.copyfile(truth, folder / truth.name)
        found.append(clip)
    return found


def as_video(clip, folder):
    """What deface gets of a clip: a GIF as a lossless video, since it would take it for a single picture."""
    if clip.suffix != ".gif":
        return clip
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{clip.stem}.mp4"
    if not out.exists():
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(clip), "-c:v", "libx264", "-qp", "0", "-preset",
                        "ultrafast", "-pix_fmt", "yuv444p", str(out)], check=True)
    return out
