"""``python -m unpoison`` runs the binary."""

import os
import signal
import subprocess
import sys

from ._binary import find

binary = find()
if os.name == "posix":
    os.execv(binary, [binary, *sys.argv[1:]])
# An interrupt goes to the binary too, which saves: it is waited for.
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.exit(subprocess.Popen([binary, *sys.argv[1:]]).wait())
