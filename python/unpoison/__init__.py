"""Find planted images in training data, and train clean image classifiers on it.

    import unpoison
    verdict = unpoison.audit(images, labels)     # arrays, a folder, a torch or Hugging Face data set
    clean = images[verdict.keep], labels[verdict.keep]
    model = unpoison.train(images, labels).network()

The work is done by the program ``unpoison``, which a release's wheel holds.
"""

from __future__ import annotations

import errno
import os
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence, TypeVar

import numpy as np

from . import _binary
from ._data import Prepared, plain, prepare, save
from ._held import Held
from ._progress import Progress, Wish
from ._train import Trained
from ._verdict import Target, Verdict
from .errors import BinaryNotFoundError, DataError, Error, UsageError

__all__ = ["audit", "train", "Verdict", "Target", "Trained", "Error", "UsageError", "DataError", "BinaryNotFoundError"]

try:
    __version__ = metadata.version("unpoison")
except metadata.PackageNotFoundError:  # run from its source
    __version__ = "0"

_Path = str | os.PathLike[str]
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}  # of a disk, a file or a quota
_Made = TypeVar("_Made", Verdict, Trained)


def audit(
    data: Any,
    labels: Any = None,
    features: Any = None,
    *,
    out: _Path | None = None,
    classes: Sequence[Any] | Mapping[Any, Any] | None = None,
    progress: Wish = None,
    **options: Any,
) -> Verdict:
    """Say whether something was planted in a data set, and which images they are.

    data      images as an array or tensor, N×H×W×C, N×C×H×W or N×H×W, uint8 or floats from 0 to 1; a list of images; a
              torch Dataset of (image, label) or a Hugging Face Dataset; or the path of a folder that ``unpoison`` reads
    labels    one label an image: numbers from 0, names, or one-hot rows. None where the data have their own
    features  pretrained features of the images, N×D, where the binary takes --features
    out       a folder for the results, which must not hold any yet. By default they go when the verdict goes
    classes   names of the classes, where labels are numbers: in their order, or a dict from numbers to names
    progress  None shows it to people, True always, False never; a function receives each event as a dict
    options   flags of ``unpoison audit``, with underscores: size=32, seed=1, recipe="demo"

    Raises DataError, UsageError, Error (with what the binary says) or BinaryNotFoundError. An interrupt lets the binary
    save; with ``out`` and resume=True the audit goes on from there.
    """
    return _run("audit", Verdict, data, labels, features, None, out, classes, progress, options)


def train(
    data: Any,
    labels: Any = None,
    features: Any = None,
    *,
    test: Any = None,
    out: _Path | None = None,
    classes: Sequence[Any] | Mapping[Any, Any] | None = None,
    progress: Wish = None,
    **options: Any,
) -> Trained:
    """Train a clean classifier on data that may be poisoned.

    ``test`` is (images, labels), or a data set, to measure the accuracy on. ``options`` are flags of ``unpoison train``:
    defense="abl", model="resnet-34", epochs_tune=40. The rest is as for audit.
    """
    return _run("train", Trained, data, labels, features, test, out, classes, progress, options)


def _run(
    command: str,
    make: Callable[[dict[str, Any], Path, Prepared, Held | None], _Made],
    data: Any,
    labels: Any,
    features: Any,
    test: Any,
    out: _Path | None,
    classes: Sequence[Any] | Mapping[Any, Any] | None,
    progress: Wish,
    options: dict[str, Any],
) -> _Made:
    """Write what the binary needs to a folder that goes when it is done, run it, and make something of its result."""
    held = None
    if out is None:
        held = Held()
        out = Path(held.name, "results")
    folder = Path(out)
    show = Progress(progress)
    # Windows can't delete a mapped file: what maps it may outlive an error.
    with tempfile.TemporaryDirectory(prefix="unpoison-data-", ignore_cleanup_errors=True) as work:
        try:
            prepared = prepare(data, labels, Path(work), classes, test)
            path = features if features is None or isinstance(features, (str, os.PathLike)) else _write(features, Path(work, "features.npy"))
        except OSError as e:
            if e.errno not in _FULL:
                raise
            raise Error(f"{work}, where the data are written for the program, has no room for them: {e.strerror}; TMPDIR names another folder") from e
        args = [command, f"--data={prepared.spec}", f"--out={folder}", *_binary.flags(options)]
        if path is not None:
            args.append(f"--features={path}")
        try:
            result = _binary.run(args, show)
        finally:
            show.close()
        try:
            made = make(result, folder, prepared, held)
        except Exception as e:
            if held:
                held.keep()
            raise Error(f"the program is done, and its results, in {folder}, can't be read: {e}") from e
        del prepared
    return made


def _write(features: Any, path: Path) -> Path:
    """Write features as the binary reads them."""
    rows = np.atleast_1d(plain(features))
    if rows.dtype.kind not in "fiub":
        raise DataError(f"features of {rows.dtype}; expected numbers, a row for each image")
    kind = rows.dtype if rows.dtype in (np.float16, np.float32) else np.float32
    save(path, rows.shape, kind, (rows[i : i + 1024] for i in range(0, len(rows), 1024)))
    return path
