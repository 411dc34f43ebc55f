"""What a training leaves."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._data import Prepared
from ._held import Held
from ._verdict import Verdict

if TYPE_CHECKING:
    import torch


class Trained:
    """A model, and what was found on the way to it.

    path       the model's file, safetensors with PyTorch's names and layout
    classes    the caller's classes, in the order of the model's outputs
    verdict    what was said of the data; None where the defence says nothing
    accuracy   on clean test images, in percent; None without test images
    report     the path of the page to look at
    folder     where the results lie. Without ``out=`` they are deleted with this object
    result     the whole result.json
    """

    def __init__(self, result: dict[str, Any], folder: Path, data: Prepared, held: Held | None = None) -> None:
        self._held = held
        self.result, self.folder = result, folder
        self.path, self.report = folder / "model.safetensors", folder / "report.html"
        self.classes: list[Any] = [data.label(name) for name in result["data"]["classes"]]
        self.verdict = Verdict(result, folder, data, held) if result.get("verdict") else None
        self.accuracy: float | None = result.get("ca")

    def network(self) -> torch.nn.Module:
        """Return the model as a torch.nn.Module in eval mode. It takes N×3×H×W floats from 0 to 1 and gives logits."""
        from .networks import load

        return load(self.path)

    def __repr__(self) -> str:
        accuracy = f", clean accuracy {self.accuracy:.2f} %" if self.accuracy is not None else ""
        says = f", {self.verdict.says}" if self.verdict else ""
        return f"<Trained: {self.result['model']}{accuracy}{says}; {self.path}>"


def read_safetensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return a safetensors file's float32 tensors and its metadata."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(size))
        body = f.read()
    meta = head.pop("__metadata__", {})
    tensors = {}
    for name, t in head.items():
        if t["dtype"] != "F32":
            raise ValueError(f"{path}: {name} holds {t['dtype']}, expected F32")
        begin, end = t["data_offsets"]
        tensors[name] = np.frombuffer(body[begin:end], "<f4").reshape(t["shape"]).copy()
    return tensors, meta
