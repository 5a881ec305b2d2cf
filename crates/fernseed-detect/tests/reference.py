#!/usr/bin/env python3
"""Makes tests/reference.txt: what ONNX Runtime says about a synthetic picture.

usage: reference.py CENTERFACE.ONNX YUNET_S.F32 > reference.txt
Needs numpy, onnx and onnxruntime. The picture is a seeded pattern that
tests/reference.rs makes too. Every 37th value of every head is written.
"""

import sys
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT, EVERY = 224, 160, 37


def picture():
    """Smooth waves, an almost-face and noise, in integers only."""
    state, out = 1, np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            noise = state >> 27
            head = (x - 100) ** 2 * 9 + (y - 80) ** 2 * 5 < 8000
            eye = (abs(x - 100) - 11) ** 2 + (y - 70) ** 2 < 16
            mouth = abs(x - 100) < 12 and abs(y - 98) < 3
            for c in range(3):
                base = (x * (c + 1) + y * 2) % 160
                if head:
                    base = 190 - 30 * c
                if eye or mouth:
                    base = 40
                out[y, x, c] = base + noise
    return out


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def centerface(path):
    model = onnx.load(path)
    for value in list(model.graph.input)[:1] + list(model.graph.output):
        for side, name in ((0, "n"), (2, None), (3, None)):
            value.type.tensor_type.shape.dim[side].dim_param = name or f"{value.name}_{side}"
    del model.graph.value_info[:]
    return session(model)


def yunet(path):
    """The network as an ONNX graph, from its flat weights."""
    floats, at = np.fromfile(path, "<f4"), 0
    nodes, tensors = [], []

    def take(*shape):
        nonlocal at
        count = int(np.prod(shape))
        at += count
        return floats[at - count:at].reshape(shape)

    def conv(source, weights, bias, out, **attributes):
        for name, value in (("w", weights), ("b", bias)):
            tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), out + name))
        nodes.append(helper.make_node("Conv", [source, out + "w", out + "b"], [out], **attributes))

    def relu(source):
        nodes.append(helper.make_node("Relu", [source], [source + "r"]))
        return source + "r"

    def unit(source, cin, cout, out, active=True):
        w, b = take(cin, cout), take(cout)
        conv(source, w.T.reshape(cout, cin, 1, 1), b, out + "p")
        w, b = take(9, cout), take(cout)
        conv(out + "p", w.T.reshape(cout, 1, 3, 3), b, out, pads=[1, 1, 1, 1], group=cout)
        return relu(out) if active else out

    def pool(source):
        nodes.append(helper.make_node("MaxPool", [source], [source + "m"], kernel_shape=[2, 2], strides=[2, 2]))
        return source + "m"

    def add_doubled(big, small):
        tensors.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), small + "s"))
        nodes.append(helper.make_node("Resize", [small, "", small + "s"], [small + "u"], mode="nearest",
                                      coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
        nodes.append(helper.make_node("Add", [big, small + "u"], [big + "a"]))
        return big + "a"

    w, b = take(3, 3, 3, 16), take(16)
    conv("in", w.transpose(3, 2, 0, 1), b, "stem", pads=[1, 1, 1, 1], strides=[2, 2])
    x = pool(unit(relu("stem"), 16, 16, "u0"))
    x = unit(unit(x, 16, 16, "u1"), 16, 32, "u2")
    x = pool(unit(unit(x, 32, 32, "u3"), 32, 64, "u4"))
    at8 = unit(unit(x, 64, 64, "u5"), 64, 64, "u6")
    at16 = unit(unit(pool(at8), 64, 64, "u7"), 64, 64, "u8")
    at32 = unit(unit(pool(at16), 64, 64, "u9"), 64, 64, "u10")
    # The lateral units come before all heads in the file, smallest map first.
    a = unit(at32, 64, 64, "l32")
    b = unit(add_doubled(at16, a), 64, 64, "l16")
    c = unit(add_doubled(at8, b), 64, 64, "l8")
    outs = [unit(source, 64, 16, name, False) for source, name in ((c, "h8"), (b, "h16"), (a, "h32"))]
    assert at == len(floats)
    graph = helper.make_graph(
        nodes, "yunet",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, [1, 16, None, None]) for o in outs], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return session(model)


def show(name, values):
    """values: [channel, row, column]; written as [row][column][channel]."""
    flat = values.transpose(1, 2, 0).ravel()
    print(name, *values.shape, *(f"{v:.6g}" for v in flat[::EVERY]))


def main():
    rgb = picture()
    print("picture", int(rgb.astype(np.int64).sum()))
    x = rgb.astype(np.float32).transpose(2, 0, 1)[None]
    net = centerface(sys.argv[1])
    heat, size, offset = net.run(None, {net.get_inputs()[0].name: x})[:3]
    show("centerface", np.concatenate([heat, size, offset], 1)[0])
    for name, values in zip(("yunet8", "yunet16", "yunet32"), yunet(sys.argv[2]).run(None, {"in": x[:, ::-1]})):
        show(name, values[0])


if __name__ == "__main__":
    main()
