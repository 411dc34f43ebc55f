"""Brings what Python holds to where the binary reads it: arrays as .npy files, images of several sizes as PPM files.

Images become uint8, N×H×W×C or N×C×H×W; labels int64. What can't be read in one way only is refused.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

_BLOCK = 1024  # images that are converted at a time
_MOST = 1_000_000  # classes that labels count: larger numbers are ids


Picture = Callable[[int], NDArray[Any]]  # one image as it was written: H×W, H×W×C or C×H×W, uint8


class _SeveralSizes(Exception):
    """Images of several sizes are no array."""


@dataclass
class Prepared:
    """A data set, ready for the binary."""

    spec: str  # what --data gets
    labels: NDArray[Any] | None = None  # the training images' classes by number; None for a folder of the caller's
    classes: list[Any] = field(default_factory=list)  # the caller's classes, by number; empty for a folder
    picture: Picture | None = None

    def row(self, index: int, source: str) -> int:
        """Return which of the caller's images a line of suspects.csv is about."""
        if self.labels is None:
            return index
        # With --limit or --skip-bad the index counts what was read; the source is x_train:ROW, or train/ROW.ppm.
        return int(source.rpartition(":")[2] if ":" in source else Path(source).stem)

    def label(self, name: str) -> Any:
        """Return the caller's class that the binary knows by this name."""
        return next((c for c in self.classes if _named(c) == name), name)


def prepare(data: Any, labels: Any, folder: Path, classes: Sequence[Any] | Mapping[Any, Any] | None = None, test: Any = None) -> Prepared:
    """Write data to folder, or pass on a path. ``test`` is (images, labels), or a data set of the same kind."""
    if isinstance(data, (str, os.PathLike)):
        if labels is not None or test is not None or classes is not None:
            raise DataError("a folder has its own labels, classes and test images: give its path alone, or arrays")
        return Prepared(os.fspath(data))
    classes = _in_order(classes)
    images, found, names = _open(data, labels)
    parts = {"train": images}
    if test is not None:
        pair = isinstance(test, tuple) and len(test) == 2
        parts["test"], test_labels, test_names = _open(*test) if pair else _open(test, None)
    try:
        pictures = {part: _save_array(x, folder / f"x_{part}.npy") for part, x in parts.items()}
        spec = str(folder)
    except _SeveralSizes:
        for file in folder.glob("x_*.npy"):
            file.unlink()
        pictures = {part: _save_files(x, folder / part) for part, x in parts.items()}
        spec = f"table:{folder}"
    numbers, known = _numbers(found, classes if classes is not None else names)
    _save_labels(numbers, known, folder, "train", spec, classes is not None)
    if test is not None:
        test_numbers = _test_numbers(test_labels, test_names, known, names)
        _save_labels(test_numbers, known, folder, "test", spec, classes is not None)
    return Prepared(spec, numbers, known, pictures["train"])


def _in_order(classes: Any) -> list[Any] | None:
    """Return the names of classes by number: those of a list, or of a dict from numbers to names, or the other way round."""
    if isinstance(classes, Mapping):
        numbers = range(len(classes))
        for names in (classes, {number: name for name, number in classes.items() if isinstance(number, (int, np.integer))}):
            if all(i in names for i in numbers):
                return [names[i] for i in numbers]
    if isinstance(classes, (Mapping, set, frozenset, str, bytes)):
        raise DataError(f"classes of type {type(classes).__name__}; expected their names in the order of their numbers, or a dict from each number, from 0, to its name")
    return None if classes is None else list(classes)


def _open(data: Any, labels: Any) -> tuple[Any, Any, list[Any] | None]:
    """Return images (an array, or a list of some length), labels, and names of classes where the data have them."""
    if hasattr(data, "iloc"):  # of pandas, whose [i] is the row called i, wherever it stands
        data = data.to_numpy()
    if hasattr(data, "column_names") and hasattr(data, "features"):
        if labels is not None:
            raise DataError("a Hugging Face data set has its own labels")
        return _hugging_face(data)
    if _is_array(data) or labels is not None:
        if labels is None:
            raise DataError("labels are required beside an array of images: one for each image")
        if not hasattr(labels, "__len__") or isinstance(labels, (str, bytes)):
            raise DataError(f"labels of type {type(labels).__name__}; expected one for each image")
        if len(data) != len(labels):
            raise DataError(f"{len(data)} images and {len(labels)} labels; expected as many of both")
        return data, labels, None
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise DataError(
            f"{type(data).__name__} is no data that can be read; expected a folder, an array with labels, "
            "or a data set of (image, label) with a length"
        )
    names = getattr(data, "classes", None)
    found = np.empty(len(data), dtype=object)
    return _Pairs(data, found), found, list(names) if isinstance(names, (list, tuple)) else None


class _Pairs:
    """The images of a data set of (image, label), each asked for once; the labels are noted on the way."""

    def __init__(self, data: Any, labels: NDArray[Any]) -> None:
        self.data, self.labels = data, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> Any:
        item = self.data[i]
        if not isinstance(item, (tuple, list)) or len(item) < 2:
            raise DataError(f"item {i} of the data set is {type(item).__name__}; expected (image, label)")
        try:
            self.labels[i] = item[1].item() if hasattr(item[1], "item") else item[1]
        except (ValueError, RuntimeError) as e:
            raise DataError(f"item {i} of the data set has a label of shape {tuple(item[1].shape)}; expected one number or name") from e
        return item[0]


def _hugging_face(data: Any) -> tuple[Any, Any, list[Any] | None]:
    def column(kind: str, usual: Sequence[str]) -> str:
        of_kind = [c for c in data.column_names if type(data.features[c]).__name__ == kind]
        found = [c for c in usual if c in of_kind] or of_kind or [c for c in usual if c in data.column_names]
        if len(found) != 1:
            raise DataError(f"expected one column of {kind}, found {found or data.column_names}; keep one with select_columns")
        return found[0]

    image, label = column("Image", ("image", "img")), column("ClassLabel", ("label", "labels"))

    class Rows:
        def __len__(self) -> int:
            return len(data)

        def __getitem__(self, i: int) -> Any:
            return data[i][image]

    names = getattr(data.features[label], "names", None)
    return Rows(), data[label], list(names) if names else None


def _is_array(data: Any) -> bool:
    return hasattr(data, "dtype") and hasattr(data, "shape")


def plain(values: Any) -> NDArray[Any]:
    """Return a NumPy array of what may be a tensor, a Series or a list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    try:
        return np.asarray(values)
    except (TypeError, ValueError, OverflowError) as e:
        raise DataError(f"{type(values).__name__} is no array: {e}") from e


def _numbers(labels: Any, names: Sequence[Any] | None) -> tuple[NDArray[Any], list[Any]]:
    """Return labels as numbers of classes, and the classes. Labels that are no numbers are sorted by name."""
    a = plain(labels)
    if a.ndim == 2 and a.shape[1] > 1:
        if not (np.isin(a, (0, 1)).all() and (a.sum(1) == 1).all()):
            raise DataError(f"labels of shape {a.shape}: expected one label an image, or rows of zeros with a single one")
        a = a.argmax(1)
    a = a.reshape(-1) if a.ndim == 2 else a
    if a.ndim != 1:
        raise DataError(f"labels of shape {a.shape}; expected one label an image")
    if a.dtype == object and all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in a):
        a = plain(a.tolist())  # of 64 bits, if they fit
    if a.dtype.kind in "iu" or a.dtype.kind == "f" and (a == np.rint(a)).all():
        for odd in (a.max(initial=0), a.min(initial=0)):
            if not -1 <= odd < _MOST:
                raise DataError(f"a label is {odd}; expected numbers that count the classes from 0: give names or ids as text, as labels.astype(str)")
        a = a.astype(np.int64)
        if names is None:
            names = range(a.max(initial=-1) + 1)
        if a.max(initial=-1) >= len(names):
            raise DataError(f"a label is {a.max()}, and there are {len(names)} classes: labels count from 0")
        return a, list(names)
    values = [None if _missing(v) else v for v in a.tolist()]
    if any(v is None for v in values):
        raise DataError(f"image {values.index(None)} has no label")
    for i, v in enumerate(values):
        try:
            hash(v)
        except TypeError:
            raise DataError(f"image {i} has the label {v!r:.60}; expected one number or name") from None
    known = list(names) if names is not None else sorted(set(values), key=str)
    number = {c: i for i, c in enumerate(known)}
    for i, v in enumerate(values):
        if v not in number:
            raise DataError(f"image {i} has the label {v!r}, which is none of the classes {known}")
    return np.array([number[v] for v in values], dtype=np.int64), known


def _missing(value: Any) -> bool:
    """Tell whether a label is none: NaN differs from itself, and of pandas' NA nobody knows."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def _test_numbers(labels: Any, names: list[Any] | None, known: list[Any], own: list[Any] | None) -> NDArray[Any]:
    """Return a test set's labels as numbers of the training classes.

    Names of its own say which class is which, unless the training data have none: ``known`` are the training classes, ``own``
    what the training data call them.
    """
    if names is None or names == own or own is None and all(isinstance(c, (int, np.integer)) for c in known):
        return _numbers(labels, known)[0]
    numbers, _ = _numbers(labels, names)
    used = {k: _named(names[k]) for k in set(numbers.tolist()) if k >= 0}
    for classes in (known, own or []):
        place = {_named(c): i for i, c in enumerate(classes)}
        if place.keys() >= set(used.values()):
            return np.array([place[used[k]] if k >= 0 else k for k in numbers.tolist()], dtype=np.int64)
    lacks = sorted(set(used.values()) - {_named(c) for c in known})
    raise DataError(f"test images are of the class {lacks[0]!r}, which is none of the training classes {known}")


def _on_black(a: NDArray[Any]) -> NDArray[Any]:
    """Return what transparent pixels, the last channel of four, look like on black, as the binary reads files."""
    return (a[..., :3].astype(np.uint32) * a[..., 3:] * 257 // 255 >> 8).astype(np.uint8)


def _pixels(image: Any) -> NDArray[Any]:
    """Return an image, or a block of them, as uint8."""
    if hasattr(image, "convert") and hasattr(image, "mode"):  # Pillow's
        if image.mode[0] in "IF":  # which convert would cut off at 255
            raise DataError(
                f"a picture of Pillow's mode {image.mode}, with more than 8 bits a sample: scale the pictures to uint8, all by one "
                "factor, or give the path of their folder"
            )
        if image.getbands()[-1] == "A" or "transparency" in image.info:
            return _on_black(np.asarray(image.convert("RGBA")))
        return np.asarray(image.convert("RGB"))
    a = plain(image)
    if a.dtype == np.uint8:
        return a
    if a.dtype == bool:
        return a.astype(np.uint8) * 255
    if a.dtype.kind not in "iuf":
        raise DataError(f"{type(image).__name__} of {a.dtype} is no image; expected uint8, or floats from 0 to 1. Of files give the path of their folder")
    low, high = (a.min(), a.max()) if a.size else (0, 0)
    if np.issubdtype(a.dtype, np.floating) and low >= 0 and high <= 1:
        return np.rint(a * 255).astype(np.uint8)
    if np.issubdtype(a.dtype, np.integer) and low >= 0 and high <= 255:
        return a.astype(np.uint8)
    raise DataError(f"images of {a.dtype} from {low} to {high}; expected uint8, or floats from 0 to 1 (undo a normalisation first)")


def _one(images: Any, i: int) -> NDArray[Any]:
    """Return an image of a list as H×W×C."""
    try:
        a = _pixels(images[i])
    except DataError as e:
        raise DataError(f"image {i}: {e}") from None
    except LookupError as e:
        raise DataError(f"no image {i} of {len(images)}: {e!r}; expected a data set or list that counts from 0, as one part of a dict of them") from e
    if a.ndim == 2:
        a = a[:, :, None]
    if a.ndim == 3 and a.shape[2] not in (1, 3, 4) and a.shape[0] in (1, 3, 4):
        a = a.transpose(1, 2, 0)
    if a.ndim != 3 or a.shape[2] not in (1, 3, 4):
        raise DataError(f"image {i} has the shape {a.shape}; expected height×width×channels, with 1, 3 or 4 channels")
    return a


def _save_array(images: Any, path: Path) -> Picture:
    """Write images of one size as one array, a block at a time."""
    n = len(images)
    if n == 0:
        raise DataError("there are no images")
    if _is_array(images) and len(images.shape) in (3, 4):
        if _link(images, path):
            _refuse_ones(images)
            return np.load(path, mmap_mode="r").__getitem__
        save(path, images.shape, np.uint8, (_pixels(images[i : i + _BLOCK]) for i in range(0, n, _BLOCK)))
    elif _is_array(images) and images.dtype != object:
        raise DataError(f"an array of shape {tuple(images.shape)}; expected N×height×width×channels, N×channels×height×width or N×height×width")
    else:
        first = _one(images, 0)
        save(path, (n, *first.shape), np.uint8, _alike(images, first))
    out = np.load(path, mmap_mode="r")
    _refuse_ones(out)
    return out.__getitem__


def save(path: Path, shape: Sequence[int], kind: Any, blocks: Iterable[NDArray[Any]]) -> None:
    """Write an array block by block. It is not mapped: where the disk is full, that would end Python."""
    with open(path, "wb") as f:
        head = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False, "shape": tuple(int(n) for n in shape)}
        np.lib.format.write_array_header_1_0(f, head)
        for block in blocks:
            f.write(np.ascontiguousarray(block, kind).data)


def _alike(images: Any, first: NDArray[Any]) -> Iterable[NDArray[Any]]:
    """Yield the images of a list, each asked for once, as long as they are of one size."""
    yield first
    for i in range(1, len(images)):
        image = _one(images, i)
        if image.shape != first.shape:
            raise _SeveralSizes
        yield image


def _refuse_ones(images: Iterable[Any]) -> None:
    """Refuse images of zeros and ones of 255, which are black to the binary and to people."""
    most = 0
    for a in images:
        most = max(most, a.max(initial=0))
        if most > 1:
            return
    if most == 1:
        raise DataError("no sample of the images is above 1 of 255; expected uint8 up to 255, bool, or floats from 0 to 1")


def _link(images: Any, path: Path) -> bool:
    """Stand in for an array that is a mapped .npy file already, and report whether that could be."""
    file = str(getattr(images, "filename", ""))
    if not isinstance(images, np.memmap) or not file.endswith(".npy") or images.dtype != np.uint8:
        return False
    if images.mode == "c":  # changes are in memory alone
        return False
    whole = np.load(file, mmap_mode="r")
    if whole.shape != images.shape or whole.strides != images.strides or whole.offset != images.offset or not images.flags.c_contiguous:
        return False
    try:
        path.symlink_to(Path(file).resolve())
    except OSError:  # Windows asks for a privilege
        return False
    return True


def _save_files(images: Any, folder: Path) -> Picture:
    """Write each image as a PPM file, or PGM where it is grey."""
    folder.mkdir()
    most = np.zeros(len(images), np.uint8)
    for i in range(len(images)):
        image = _one(images, i)
        most[i] = image.max(initial=0)
        head = f"P{5 if image.shape[2] == 1 else 6} {image.shape[1]} {image.shape[0]} 255\n"
        shown = _on_black(image) if image.shape[2] == 4 else image
        folder.joinpath(f"{i:09d}.ppm").write_bytes(head.encode() + shown.tobytes())
    _refuse_ones([most])
    return lambda i: _one(images, i)


def _named(c: Any) -> str:
    """Return the name that the binary knows a class by. It reads names without blanks around them."""
    return str(c).strip()


def _save_labels(numbers: NDArray[Any], classes: list[Any], folder: Path, part: str, spec: str, asked: bool) -> None:
    """Write the labels, and the classes where they were asked for or have names that are no numbers."""
    names = [_named(c) for c in classes]
    if len(set(names)) < len(names) or any("\n" in n or not n for n in names):
        raise DataError(f"the classes {classes} are not told apart by their names, one line each")
    if spec.startswith("table:"):
        with open(folder / f"{part}.csv", "w", newline="", encoding="utf-8") as f:
            table = csv.writer(f)
            table.writerow(["path", "label"])
            table.writerows([f"{part}/{i:09d}.ppm", names[c] if c >= 0 else ""] for i, c in enumerate(numbers))
        return
    save(folder / f"y_{part}.npy", numbers.shape, np.int64, [numbers])
    if asked or names != [str(i) for i in range(len(names))]:
        folder.joinpath("classes.txt").write_text("".join(n + "\n" for n in names), encoding="utf-8")
