"""What people install works in a new environment: a release's wheel alone, and the package with a binary of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support

SCRIPT = f"""
import sys, unpoison
sys.path.insert(0, {str(support.PACKAGE / "tests")!r})
import support
images, labels, truth = support.planted()
verdict = unpoison.audit(images, labels, **support.FAST)
assert (verdict.keep == ~truth).all()
print(unpoison.__version__, unpoison.__file__)
"""


class InstallTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.dir = Path(held.name)
        subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", self.dir / "env"], check=True)
        self.bin = self.dir / "env" / ("Scripts" if os.name == "nt" else "bin")

    def run_in_it(self, *args, **environment):
        env = {k: v for k, v in os.environ.items() if k not in ("UNPOISON_BINARY", "PYTHONPATH")}
        done = subprocess.run(
            [self.bin / "python", *args], cwd=self.dir, env={**env, **environment}, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def audit(self, **environment):
        said = self.run_in_it("-c", SCRIPT, **environment)
        self.assertIn("site-packages", said)

    @unittest.skipUnless(os.environ.get("UNPOISON_DIST"), "UNPOISON_DIST names no folder with a release")
    def test_a_wheel_is_all_it_takes(self):
        wheel = ["--find-links", os.environ["UNPOISON_DIST"], "unpoison"]  # pip takes that of this machine
        self.run_in_it("-m", "pip", "install", "--no-index", "--quiet", *wheel)
        self.audit()
        self.assertIn("unpoison", self.run_in_it("-m", "unpoison", "version"))
        self.assertTrue(list(self.bin.glob("unpoison*")))
        self.run_in_it("-m", "pip", "uninstall", "--yes", "--quiet", "unpoison")
        self.assertFalse(list(self.bin.glob("unpoison*")))

    def test_the_package_without_a_binary(self):
        support.build()
        for needed in ("setuptools", "wheel"):
            if subprocess.run([sys.executable, "-c", f"import {needed}"], capture_output=True).returncode:
                self.skipTest(f"{needed} is not installed")
        source = self.dir / "source"  # setuptools writes beside what it builds
        shutil.copytree(support.PACKAGE, source, ignore=shutil.ignore_patterns("tests", "build", "*.egg-info", "__pycache__"))
        self.run_in_it("-m", "pip", "install", "--no-index", "--no-build-isolation", "--quiet", str(source))
        said = self.run_in_it("-c", "import unpoison\ntry: unpoison.audit('x')\nexcept unpoison.BinaryNotFoundError as e: print(e)", PATH="")
        self.assertIn("Install a wheel of a release", said)
        self.audit(UNPOISON_BINARY=os.environ["UNPOISON_BINARY"])


if __name__ == "__main__":
    unittest.main()
