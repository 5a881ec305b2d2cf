"""Follows the faces of single frames through a clip, bridges gaps, and applies what eyes corrected."""
import numpy as np

GAP = 15  # frames over which a face may be lost and still be the same one


def distance(a, b):
    """How unlike two boxes are: centres apart and sizes apart, in face heights."""
    h = max(min(a[3] - a[1], b[3] - b[1]), 1.0)
    apart = np.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2 / h
    return apart + abs(np.log(max(a[3] - a[1], 1) / max(b[3] - b[1], 1)))


def follow(clip_frames):
    """Tracks of a clip: {id: {frame: face}}. Nearest pairs first; the reach grows with the frames missed."""
    tracks = []
    for number, faces in enumerate(clip_frames):
        open_ = [t for t in tracks if number - max(t) <= GAP]
        pairs = sorted(((distance(predict(t, number), f["box"]), i, j) for i, t in enumerate(open_)
                        for j, f in enumerate(faces)), key=lambda p: p[0])
        used, taken = set(), set()
        for apart, i, j in pairs:
            reach = 0.7 + 0.1 * (number - max(open_[i]) - 1)
            if apart < reach and i not in used and j not in taken:
                open_[i][number] = faces[j]
                used.add(i), taken.add(j)
        for j, face in enumerate(faces):
            if j not in taken:
                tracks.append({number: face})
    tracks.sort(key=min)
    return {n + 1: t for n, t in enumerate(tracks)}


def predict(track, number):
    """Where a track will be: its last box, moved on as it moved over its last frames."""
    last = max(track)
    box = np.float64(track[last]["box"])
    before = [n for n in track if last - 6 <= n < last]
    if before:
        step = (box - np.float64(track[min(before)]["box"])) / (last - min(before))
        moved = box + step * (number - last)
        if moved[3] - moved[1] > 4:
            return moved
    return box


def sure(track):
    """Whether a track counts unless eyes say otherwise: two models agree on it, or one is certain, in several frames."""
    good = [f for f in track.values() if len(f["score"]) >= 2 or max(f["score"].values()) >= 0.6]
    return len(good) >= 3 and len(good) >= 0.2 * len(track)


def boxes(track):
    """{frame: box} of a track, smoothed by a median over five frames, gaps filled evenly; and the frames filled."""
    numbers = sorted(track)
    raw = np.float64([track[n]["box"] for n in numbers])
    smooth = {}
    for i, n in enumerate(numbers):
        near = [k for k in range(max(i - 2, 0), min(i + 3, len(numbers))) if abs(numbers[k] - n) <= 3]
        # The centre follows the motion; only the size is taken from the neighbours.
        size = np.median(raw[near][:, 2:] - raw[near][:, :2], axis=0)
        centre = (raw[i, :2] + raw[i, 2:]) / 2
        smooth[n] = np.concatenate([centre - size / 2, centre + size / 2])
    filled = []
    for a, b in zip(numbers, numbers[1:]):
        for n in range(a + 1, b):
            smooth[n] = smooth[a] + (smooth[b] - smooth[a]) * (n - a) / (b - a)
            filled.append(n)
    return smooth, filled


def corrected(tracks, fix):
    """Faces by frame after the corrections, and notes about them.

    `fix` is one clip's part of corrections.json: "drop" and "keep" name tracks; "cut": [id, first, last] takes frames
    out of a track; "same": [id, id, ...] are one person; "add": {"id", "at": {frame: [left, top, right, bottom]}} is
    drawn by hand and filled evenly between the frames given. "add" may name an existing track to lengthen it.
    """
    kept = {i: dict(boxes(t)[0]) for i, t in tracks.items()
            if (sure(t) or i in fix.get("keep", [])) and i not in fix.get("drop", [])}
    filled = {i: len(boxes(tracks[i])[1]) for i in kept}
    for number, first, last in fix.get("cut", []):
        for n in range(first, last + 1):
            kept[number].pop(n, None)
    for added in fix.get("add", []):
        at = sorted((int(n), np.float64(b)) for n, b in added["at"].items())
        whole = kept.setdefault(added["id"], {})
        for (a, box_a), (b, box_b) in zip(at, at[1:] or at):
            for n in range(a, b + 1):
                whole[n] = box_a + (box_b - box_a) * (n - a) / max(b - a, 1)
    for first, *others in fix.get("same", []):
        for other in others:
            kept[first] = kept.pop(other) | kept[first]
    corrections = {name: len(fix.get(name, [])) for name in ("drop", "keep", "cut", "add", "same")}
    return kept, filled, corrections
