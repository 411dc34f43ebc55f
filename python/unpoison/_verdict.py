"""What an audit says."""

from __future__ import annotations

import base64
import csv
import html
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._data import Prepared
from ._held import Held

_SHOWN = 8  # pictures in a notebook


@dataclass(frozen=True)
class Target:
    """A label that was looked into."""

    label: Any  # the caller's class
    says: str  # what is said of this label
    by: str  # the look that says so
    images: int  # that carry the label
    flagged: int  # of them, taken for planted
    details: dict[str, Any]  # all that the binary says of it


def _counts(target: dict[str, Any]) -> tuple[int, int]:
    """How many images carry the label, and how many of them were taken for planted."""
    facts = target.get("facts") or {}
    return facts.get("images", 0), facts.get("flagged", 0)


class Verdict:
    """What an audit says of a data set.

    says       the verdict's word, such as "poisoned" or "no evidence of poison"
    targets    the labels that were looked into, as Target
    table      every image that was judged, in the caller's order: a DataFrame where pandas is installed, else a record
               array, with the columns of suspects.csv. ``label`` is the caller's, ``isolated`` is True for suspects,
               ``probability`` that of being planted, ``doubtful`` is True for what stands out where the verdict can't
               tell, ``rank`` is the order of suspicion from 1
    suspects   the rows of ``table`` that are suspected
    keep       True for each of the caller's images that was judged and is not suspected: ``images[verdict.keep]``
    report     the path of the page to look at
    folder     where the results lie. Without ``out=`` they are deleted with the verdict
    result     the whole result.json
    """

    def __init__(self, result: dict[str, Any], folder: Path, data: Prepared, held: Held | None = None) -> None:
        self._held = held
        self.result, self.folder, self.report = result, folder, folder / "report.html"
        verdict = result.get("verdict") or {}
        self.says: str = verdict.get("says", "")
        self.targets: list[Target] = [
            Target(data.label(t["class"]), t.get("says", ""), t.get("by", ""), *_counts(t), t)
            for t in verdict.get("targets") or []
        ]
        rows = _read(folder / "suspects.csv", data)
        n = len(data.labels) if data.labels is not None else len(rows)
        self.keep = np.zeros(n, dtype=bool)
        self.keep[rows["index"]] = ~rows["isolated"]
        self.table = _frame(rows)
        self.suspects = _frame(rows[rows["isolated"]])
        names = rows.dtype.names or ()
        worst = rows[rows["doubtful"] if self.says == "can't tell" and "doubtful" in names else rows["isolated"]]
        worst = worst[np.argsort(worst["rank"], kind="stable")][:_SHOWN]
        self._pictures: list[tuple[str, str]] = [
            (_png(data.picture(int(r["index"]))), f"image {r['index']}, labelled {r['label']}") for r in worst if data.picture
        ]

    @property
    def poisoned(self) -> bool:
        """Whether the verdict is "poisoned"."""
        return self.says == "poisoned"

    def __repr__(self) -> str:
        found = f", {len(self.suspects)} suspects among {len(self.table)} images" if len(self.suspects) else ""
        return f"<Verdict: {self.says}{found}; {self.report}>"

    def _repr_html_(self) -> str:
        said = [f"<b>{_shown(self.says)}</b>"]
        if len(self.suspects):
            said.append(f": {len(self.suspects)} of {len(self.table)} images are suspected")
        for t in self.targets:
            if t.flagged and t.says == self.says:
                said.append(f"<br>label <b>{_shown(t.label)}</b>: {t.flagged} of its {t.images} images, by {_shown(t.by)}")
        if self._pictures:
            images = "".join(
                f'<img src="{url}" title="{_shown(what)}" alt="{_shown(what)}" '
                'style="height:64px;margin:4px 4px 0 0;image-rendering:pixelated">'
                for url, what in self._pictures
            )
            said.append(f"<br>{images}")
        where = html.escape(str(self.report))
        said.append(f'<br>report: <a href="{html.escape(self.report.resolve().as_uri())}">{where}</a>')
        return "".join(said)


def _shown(text: Any) -> str:
    """Return a text for a page. What has no shape and would turn the text after it is written out: names are those of the data."""
    return re.sub("[\u202a-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", html.escape(str(text)))


def _read(path: Path, data: Prepared) -> np.recarray[Any, Any]:
    """Return suspects.csv in the caller's order. Columns that this version does not know stay text."""
    kinds = {"index": np.int64, "rank": np.int64, "isolated": bool, "doubtful": bool, "loss": np.float32, "probability": np.float32}
    read: dict[Any, Any] = {bool: lambda cell: cell == "true", np.float32: lambda cell: float(cell or "nan"), str: _name}
    texts = {"source": str, "label": str, "shows": str}
    columns: dict[str, list[Any]] = {"index": [], "label": [], "rank": [], "isolated": [], "probability": []}
    if path.exists():
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as f:  # names of files as Python has them
            lines = csv.DictReader(f)
            columns = {name: [] for name in lines.fieldnames or []}
            for line in lines:
                for name, cell in line.items():
                    columns[name].append(read.get(kinds.get(name, texts.get(name)), lambda cell: cell)(cell))
        columns["index"] = [data.row(int(i), s) for i, s in zip(columns["index"], columns["source"])]
        if data.labels is not None:
            columns["label"] = [data.classes[data.labels[i]] for i in columns["index"]]
    arrays: dict[str, Any] = {name: _column(cells, kinds.get(name)) for name, cells in columns.items()}
    table: Any = np.rec.fromarrays(list(arrays.values()), names=list(arrays))
    return table[np.argsort(table["index"], kind="stable")]


def _name(cell: str) -> str:
    """Return the name that the binary made a cell of: a ' keeps spreadsheets from taking it for a formula."""
    return re.sub(r"(^|[;\t\r\n])'(?=[=+\-@\t\r\n'\"])", r"\1", cell)


def _column(cells: list[Any], kind: Any) -> NDArray[Any]:
    if kind is not None:
        return np.array(cells, dtype=kind)
    if all(isinstance(c, int) and not isinstance(c, bool) for c in cells):
        return np.array(cells, dtype=np.int64)
    return np.array(cells, dtype=object)


def _frame(rows: np.recarray[Any, Any]) -> Any:
    try:
        from pandas import DataFrame
    except ImportError:
        return rows
    return DataFrame.from_records(rows)


def _png(image: NDArray[Any]) -> str:
    """Return a picture as a data URL."""
    a = np.asarray(image)
    if a.ndim == 3 and a.shape[2] not in (1, 3, 4):
        a = a.transpose(1, 2, 0)
    a = a if a.ndim == 3 else a[:, :, None]
    step = max(1, max(a.shape[:2]) // 128)
    a = np.repeat(a, 3, 2) if a.shape[2] == 1 else a[:, :, :3]
    a = np.ascontiguousarray(a[::step, ::step])
    h, w = a.shape[:2]
    rows = np.concatenate([np.zeros((h, 1), np.uint8), a.reshape(h, -1)], 1)  # each row begins with its filter: none

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(raw).decode()
