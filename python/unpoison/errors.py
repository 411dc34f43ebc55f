"""What goes wrong, as exceptions with the binary's own text."""

from __future__ import annotations


class Error(Exception):
    """The binary failed. The text is what it said; ``code`` is its exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class UsageError(Error, ValueError):
    """An option does not exist, or its value can't be."""


class BinaryNotFoundError(Error, FileNotFoundError):
    """There is no ``unpoison`` binary to run."""


class DataError(Error, ValueError):
    """The images or labels can't be read, or can be read in two ways."""
