"""Looks at every frame of a clip in many ways and joins what was seen into faces with votes.

Every frame is looked at by every model as it is (BlazeFace in smaller squares at every third); one further look in turn (flipped, twice the size, half the size,
turned by 25 degrees either way), or with `thorough` all of them. Pictures higher than 300 pixels are not doubled. Boxes of all looks that overlap are one face; a look
counts as one vote.
"""
import subprocess

import cv2
import numpy as np

from models import BlazeFace, CenterFace


def frames(path, size):
    """All frames of a clip as RGB, upright, in the order in which they are shown."""
    width, height = size
    pipe = subprocess.Popen(["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0", "-vsync",
                             "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE)
    while len(data := pipe.stdout.read(width * height * 3)) == width * height * 3:
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
    if pipe.wait():
        raise RuntimeError(f"ffmpeg could not read {path}")


def affine(look, size):
    """The 2x3 matrix of a look and the size of its picture."""
    width, height = size
    if look == "flip":
        return np.float32([[-1, 0, width - 1], [0, 1, 0]]), size
    if look in ("double", "half"):
        f = 2.0 if look == "double" else 0.5
        return np.float32([[f, 0, 0], [0, f, 0]]), (int(width * f), int(height * f))
    if look in ("left", "right"):
        return cv2.getRotationMatrix2D((width / 2, height / 2), 25 if look == "left" else -25, 1.0), size
    return np.float32([[1, 0, 0], [0, 1, 0]]), size


EXTRA = ["flip", "double", "left", "half", "right"]


class Ensemble:
    def __init__(self, thorough=False):
        self.thorough = thorough
        self.centerface = CenterFace()
        self.blaze = [BlazeFace("back"), BlazeFace("full")]

    def look(self, picture, number):
        """Boxes of all looks at one frame: (model, look, [left, top, right, bottom, score])."""
        extra = EXTRA if self.thorough else [EXTRA[number % len(EXTRA)]]
        if picture.shape[0] < 200:  # so small that nothing is seen at its own size
            extra = sorted({*extra, "double"})
        if picture.shape[0] > 300:  # at its own size already larger than what the smallest counted face needs
            extra = [e for e in extra if e != "double"] or ["flip"]
        seen = []
        for name in ["plain", *extra]:
            matrix, size = affine(name, (picture.shape[1], picture.shape[0]))
            seen_as = picture if name == "plain" else cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_AREA)
            back = cv2.invertAffineTransform(np.float64(matrix))
            found = [(self.centerface, self.centerface(seen_as))]
            if name in ("plain", "flip"):
                near = self.thorough or number % 3 == 0
                found += [(model, model(seen_as, near and model.name.endswith("back"))) for model in self.blaze]
            seen += [(model.name, name, unturn(box, back)) for model, boxes in found for box in boxes]
        return join(seen)


def unturn(box, back):
    """A box of a look, in the frame: the centre moves, a turned box keeps its size."""
    l, t, r, b, score = (float(v) for v in box)
    cx, cy = back @ np.float64([(l + r) / 2, (t + b) / 2, 1])
    scale = abs(np.linalg.det(back[:, :2])) ** 0.5
    w, h = (r - l) * scale / 2, (b - t) * scale / 2
    return [cx - w, cy - h, cx + w, cy + h, score]


def overlap(a, b):
    """Intersection over the smaller of two boxes; models frame a face differently, so union would punish that."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return w * h / smaller if w > 0 and h > 0 and smaller > 0 else 0.0


def like(a, b):
    """Whether two boxes can be the same face: they lie on each other and are of about one size."""
    ratio = ((a[3] - a[1]) * (a[2] - a[0])) / max((b[3] - b[1]) * (b[2] - b[0]), 1e-3)
    return overlap(a, b) > 0.55 and 0.25 < ratio < 4


def join(seen):
    """Faces of one frame: box, best score, votes and models."""
    groups = []
    for model, look, box in sorted(seen, key=lambda s: -s[2][4]):
        for group in groups:
            if like(group[0][2], box):
                group.append((model, look, box))
                break
        else:
            groups.append([(model, look, box)])
    faces = []
    for group in groups:
        tight = [s[2][:4] for s in group if s[0] == "centerface"]
        box = np.median(tight or [from_blaze(s[2][:4]) for s in group], axis=0)
        faces.append({
            "box": [round(float(v), 1) for v in box],
            "score": {m: round(max(s[2][4] for s in group if s[0] == m), 2) for m in {s[0] for s in group}},
            "votes": len({(s[0], s[1]) for s in group}),
        })
    return faces


def from_blaze(box):
    """BlazeFace frames brows to chin in a square; a face from forehead to chin is about 1.3 times as high, 0.9 wide."""
    l, t, r, b = box
    side = b - t
    return [l + 0.05 * side, t - 0.3 * side, r - 0.05 * side, b]
