"""``python -m unpoison`` runs the binary."""

import os
import signal
import subprocess
import sys

from ._binary import find
from .errors import BinaryNotFoundError

try:
    binary = find()
    if os.name == "posix":
        os.execv(binary, [binary, *sys.argv[1:]])
    # An interrupt goes to the binary too, which saves: it is waited for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.Popen([binary, *sys.argv[1:]]).wait())
except BinaryNotFoundError as e:
    sys.exit(f"unpoison: {e}")
except OSError as e:
    sys.exit(f"unpoison: {binary} can't be run: {e.strerror}; expected a program for this system, and the right to run it")
