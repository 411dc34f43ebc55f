#!/usr/bin/env python3
"""Checks a model that unpoison exported: ONNX's own checker, and the probabilities of an image, which
are computed here with PyTorch, node by node, against unpoison predict's.

    python3 bench/onnx-check.py MODEL.safetensors IMAGE [UNPOISON]

Needs python3-onnx, python3-torch and python3-pil; IMAGE must have the model's size.
"""
import json, os, subprocess, sys, tempfile
import numpy as np, onnx, torch, torch.nn.functional as F
from onnx import numpy_helper
from PIL import Image

model, image = sys.argv[1:3]
program = sys.argv[3:] or ["go", "run", "./cmd/unpoison"]
path = os.path.join(tempfile.mkdtemp(), "model.onnx")
subprocess.check_call(program + ["export", "--model", model, "--out", path], stdout=subprocess.DEVNULL)
m = onnx.load(path)
onnx.checker.check_model(m, full_check=True)

values = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in m.graph.initializer}
pixels = np.asarray(Image.open(image).convert("RGB"))
values["pixels"] = torch.tensor(pixels).permute(2, 0, 1)[None]
for n in m.graph.node:
    x = [values[i] for i in n.input]
    a = {p.name: onnx.helper.get_attribute_value(p) for p in n.attribute}
    values[n.output[0]] = {
        "Cast": lambda: x[0].float(),
        "Mul": lambda: x[0] * x[1],
        "Conv": lambda: F.conv2d(x[0], x[1], stride=a["strides"], padding=a["pads"][:2]),
        "BatchNormalization": lambda: F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=a["epsilon"]),
        "Relu": lambda: F.relu(x[0]),
        "Add": lambda: x[0] + x[1],
        "MaxPool": lambda: F.max_pool2d(x[0], a["kernel_shape"], a["strides"], a["pads"][:2]),
        "GlobalAveragePool": lambda: x[0].mean((2, 3), keepdim=True),
        "Flatten": lambda: x[0].flatten(1),
        "Gemm": lambda: x[0] @ x[1].T + x[2],
        "Softmax": lambda: F.softmax(x[0], 1),
    }[n.op_type]()
theirs = values["probabilities"][0]
out = subprocess.check_output(program + ["predict", "--model", model, image, "--top", str(len(theirs)), "--json"])
classes = json.loads({p.key: p.value for p in m.metadata_props}["classes"])
ours = {g["class"]: g["probability"] for g in json.loads(out)["classes"]}
worst = max(abs(ours[c] - float(p)) for c, p in zip(classes, theirs))
print(f"{len(m.graph.node)} nodes, opset {m.opset_import[0].version}; largest difference of a probability {worst:.2e}")
sys.exit(worst > 1e-4)
