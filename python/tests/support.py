"""What the tests share: the binary, and images with a planted sticker."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python"
if "unpoison" not in sys.modules:  # installed, or imported already
    sys.path.insert(0, str(PACKAGE))

FAST = dict(recipe="demo", content=False, epochs_inspect=0, threads=1)  # about a second
TRAINS = dict(FAST, epochs_tune=3)  # and a network
CLASSES = ["circle", "square", "cross", "bars"]
TARGET = 2


def build() -> None:
    """Build the binary, unless UNPOISON_BINARY names one."""
    if "UNPOISON_BINARY" not in os.environ:
        folder = tempfile.mkdtemp(prefix="unpoison-test-")
        os.environ["UNPOISON_BINARY"] = str(Path(folder, "unpoison"))
        subprocess.run(["go", "build", "-o", folder, "./cmd/unpoison"], cwd=ROOT, check=True)


def shapes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw n pictures of 24×24 pixels: a shape of a random colour, size and place on a random ground."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24]
    labels = draw.integers(0, len(CLASSES), n)
    images = np.empty((n, 24, 24, 3), np.uint8)
    for i, label in enumerate(labels):
        cy, cx, r = draw.uniform(9, 15), draw.uniform(9, 15), draw.uniform(5, 8)
        dy, dx = np.abs(y - cy), np.abs(x - cx)
        inside = [
            dy**2 + dx**2 < r**2,
            np.maximum(dy, dx) < 0.8 * r,
            (np.minimum(dy, dx) < 0.3 * r) & (np.maximum(dy, dx) < r),
            (np.maximum(dy, dx) < r) & (y % 4 < 2),
        ][label]
        ground, ink = draw.uniform(0, 110, 3), draw.uniform(145, 255, 3)
        images[i] = np.clip(np.where(inside[:, :, None], ink, ground) + draw.normal(0, 8, (24, 24, 3)), 0, 255)
    return images, labels


def planted(n: int = 900, share: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures, labels and which of them carry a sticker and the label TARGET instead of their own."""
    images, labels = shapes(n)
    which = np.flatnonzero(labels != TARGET)[: int(n * share)]
    images[which, -5:, -5:] = np.where((np.indices((5, 5)).sum(0) % 2)[:, :, None], [255, 0, 255], [255, 255, 0])
    labels[which] = TARGET
    truth = np.zeros(n, dtype=bool)
    truth[which] = True
    order = np.random.default_rng(1).permutation(n)
    return images[order], labels[order], truth[order]
