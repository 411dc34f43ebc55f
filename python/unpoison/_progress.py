"""Shows how far the binary is: with tqdm where it is installed, else in a line that moves."""

from __future__ import annotations

import shutil
import sys
from typing import Any, Callable

from ._binary import Event

Wish = bool | Callable[[Event], None] | None


def _moving(line: str) -> None:
    """Write a line over the last one. It ends before the terminal's edge, where each would leave a line behind."""
    width = min(79, max(1, shutil.get_terminal_size((80, 24)).columns - 1))
    sys.stderr.write("\r" + line[:width].ljust(width))
    sys.stderr.flush()


class Progress:
    """Receives events. ``wish``: None shows progress to people only, True always, False never; a function gets the events."""

    def __init__(self, wish: Wish) -> None:
        self._call = wish if callable(wish) else None
        self._bar: Any = None
        self._stage: tuple[Any, ...] | None = None
        self._drawn = False
        # Jupyter's stderr is no terminal, and yet somebody looks at it.
        watched = sys.stderr is not None and sys.stderr.isatty() or "ipykernel" in sys.modules
        self._show = not self._call and (watched if wish is None else bool(wish))

    def __call__(self, event: Event) -> None:
        if self._call:
            self._call(event)
        elif self._show and event["event"] == "progress":
            self._progress(event)

    def _progress(self, e: Event) -> None:
        total, done = e["epochs"] * e["steps"], (e["epoch"] - 1) * e["steps"] + e["step"]
        bar = _tqdm()
        if bar is None:
            line = f"{e['stage']}  epoch {e['epoch']}/{e['epochs']}  {100 * done // max(1, total)} %"
            line += f"  loss {e['loss']:.3f}" if "loss" in e else ""
            _moving(line)
            self._drawn = True
            return
        stage = (e["stage"], e["epochs"], e["steps"])
        if stage != self._stage or done < self._bar.n:
            self.close()
            self._stage, self._bar = stage, bar(total=total, desc=e["stage"], leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._drawn:
            _moving("")
            sys.stderr.write("\r")


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
