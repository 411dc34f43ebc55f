"""Finds the binary, runs it, passes on its events, and stops it when Python is interrupted."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from .errors import BinaryNotFoundError, Error, UsageError

Event = dict[str, Any]

_EXIT_USAGE, _EXIT_FINDINGS = 2, 3

# What was read is said at the start of every command; it is no warning.
_UNDERSTOOD = re.compile(r"\A[\w-]+: \d+ training images.*\n?")
# What was found is said at the end, where the program ends with _EXIT_FINDINGS; the result says it too.
_FOUND = re.compile(r"^.*; see .*(\ngo through them: .*)?\Z", re.MULTILINE)
_NAME = "unpoison.exe" if os.name == "nt" else "unpoison"


def find() -> str:
    """Return the path of the binary: ``$UNPOISON_BINARY``, the wheel's, or one on the PATH."""
    named = os.environ.get("UNPOISON_BINARY")
    if named:
        if not os.path.isfile(named):
            raise BinaryNotFoundError(f"UNPOISON_BINARY names {named}, and no such file exists")
        return named
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme="nt_user" if os.name == "nt" else "posix_user"),
        str(Path(__file__).parent.parent / "bin"),  # pip install --target
    ]
    for folder in folders:
        path = os.path.join(folder, _NAME)
        if os.path.isfile(path):
            return path
    found = shutil.which("unpoison")
    if found:
        return found
    raise BinaryNotFoundError(
        "the program unpoison was not found. Install a wheel of a release, which holds it; or install it with "
        "go install github.com/unpoison/unpoison/cmd/unpoison@latest; or name it in the environment variable UNPOISON_BINARY"
    )


def flags(options: Mapping[str, Any]) -> Iterator[str]:
    """Turn ``epochs_inspect=0`` into ``--epochs-inspect=0``. Lists repeat a flag; None leaves it out."""
    for name, value in options.items():
        if name in ("data", "out", "json", "help"):
            raise UsageError(f"{name} is no option of this function", _EXIT_USAGE)
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is None:
                continue
            text = str(one).lower() if isinstance(one, bool) else str(one)
            yield f"--{name.replace('_', '-')}={text}"


def run(args: list[str], watch: Callable[[Event], None] | None = None) -> dict[str, Any]:
    """Run the binary and return its result.

    Raises UsageError or Error with what the binary said. An interrupt, or any exception of ``watch``, asks the binary to
    save and stop, waits for it, and goes on its way; a second interrupt ends it at once.
    """
    # A group of its own: a notebook's interrupt goes to Python's whole group, and two would end the binary unsaved.
    group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    result: dict[str, Any] | None = None
    binary, strange = find(), ""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [binary, *args, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace", **group
            )
        except OSError as e:
            raise Error(f"{binary} can't be run: {e.strerror}; expected a program for this system, and the right to run it") from e
        assert process.stdout is not None
        try:
            for line in process.stdout:
                event = _event(line)
                if event is None:
                    strange = strange or f"the program {binary} printed {line.strip()[:200]!r} and no result; is it another one?"
                elif "event" not in event:
                    result = event
                elif watch:
                    watch(event)
            code = process.wait()
        except BaseException:
            _stop(process)
            raise
        finally:
            process.stdout.close()
        errors.seek(0)
        said = _UNDERSTOOD.sub("", errors.read().decode("utf-8", "replace").strip()).strip()
    if code in (0, _EXIT_FINDINGS) and result is not None:
        if code == _EXIT_FINDINGS:
            said = _FOUND.sub("", said).strip()
        if said:
            warnings.warn(said, stacklevel=4)  # where the caller is
        return result
    if code < 0:
        raise Error(_ended(-code) + (f"; before, it said: {said}" if said else ""), code)
    _, named, text = ("\n" + said).rpartition("\nunpoison: ")
    text = text.strip()
    # Go ends a program that it can't go on with, as without memory, with the code of a wrong option.
    raise (UsageError if code == _EXIT_USAGE and named else Error)(text or strange or f"the program ended with {code} and said nothing", code)


def _event(line: str) -> Event | None:
    """Return what a line of the binary says; None if it is no line of its own, or was cut off with the program."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _ended(number: int) -> str:
    """Say which signal ended the program."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"the signal {number}"
    return f"the program was ended by {name}" + (", as a system does that is short of memory" if name == "SIGKILL" else "")


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask the binary to save and stop; a second interrupt, or half a minute, ends it."""
    try:
        process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        process.communicate(timeout=30)  # what it still says is read: a full pipe would hold it up
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
