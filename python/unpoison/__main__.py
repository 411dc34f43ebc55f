"""``python -m unpoison`` runs the binary."""

import subprocess
import sys

from ._binary import find

sys.exit(subprocess.call([find(), *sys.argv[1:]]))
