"""A temporary folder that lives as long as what holds it."""

from __future__ import annotations

import shutil
import tempfile
import weakref


class Held:
    """Makes the folder ``name``; it goes with this object, or when Python ends."""

    def __init__(self) -> None:
        self.name = tempfile.mkdtemp(prefix="unpoison-")
        self._end = weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)

    def keep(self) -> None:
        """Leave the folder to the caller."""
        self._end.detach()
