"""How the binary is run, and what is said where it can't be, with scripts in its place."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path
from unittest import mock

import numpy as np

import support
import unpoison


class ProgramTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.dir = Path(held.name)

    def program(self, text):
        """Stand in for the binary."""
        path = self.dir / "program"
        path.write_text(f"#!{sys.executable}\nimport os, pathlib, signal, sys, time\n{text}")
        path.chmod(0o755)
        return mock.patch.dict(os.environ, UNPOISON_BINARY=str(path))

    @unittest.skipIf(os.name == "nt", "runs a script")
    def test_results_that_cannot_be_read_stay(self):
        with self.program("""
out = pathlib.Path(next(a for a in sys.argv if a.startswith("--out="))[6:])
out.mkdir()
out.joinpath("suspects.csv").write_text("index,source,label,rank,isolated\\nx,y,z,1,true\\n")
print("{}")
"""):
            with mock.patch.object(tempfile, "tempdir", str(self.dir)), self.assertRaisesRegex(unpoison.Error, "its results, in .*, can't be read"):
                unpoison.audit("data")
        self.assertTrue(list(self.dir.glob("unpoison-*/results/suspects.csv")))

    @unittest.skipIf(os.name == "nt", "runs a script")
    def test_how_a_program_ended(self):
        for how, kind, want in (
            ("os.kill(os.getpid(), signal.SIGKILL)", unpoison.Error, "^the program was ended by SIGKILL, as .* short of memory$"),
            ("print('lost', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGTERM)", unpoison.Error, "^.*SIGTERM; before, it said: lost$"),
            ("print('unpoison: no flag', file=sys.stderr); sys.exit(2)", unpoison.UsageError, "^no flag$"),
            ("print('fatal error: out of memory', file=sys.stderr); sys.exit(2)", unpoison.Error, "^fatal error: out of memory$"),
            ("sys.exit(7)", unpoison.Error, "ended with 7 and said nothing"),
            ("print('{\\x22event', end='', flush=True); os.kill(os.getpid(), signal.SIGKILL)", unpoison.Error, "^the program was ended by SIGKILL"),
            ("print('unpoison 0.1')", unpoison.Error, "program printed 'unpoison 0.1' and no result"),
            ("print(7)", unpoison.Error, "program printed '7' and no result"),
            ("sys.exit('note\\nunpoison: mkdir /data/unpoison: permission denied')", unpoison.Error, "^mkdir /data/unpoison: permission denied$"),
            ("sys.exit('unpoison: mkdir /data/unpoison: permission denied')", unpoison.Error, "^mkdir /data/unpoison: permission denied$"),
        ):
            with self.subTest(how), self.program("print('folders: 9 training images', file=sys.stderr, flush=True)\n" + how):
                with self.assertRaisesRegex(unpoison.Error, want) as raised:
                    unpoison.audit(self.dir)
                self.assertIs(type(raised.exception), kind)

    @unittest.skipIf(os.name == "nt", "runs a script")
    def test_a_program_that_cannot_be_run(self):
        with self.program(""):
            for text, mode in (("no program", 0o755), ("", 0o644)):
                Path(os.environ["UNPOISON_BINARY"]).write_text(text)
                Path(os.environ["UNPOISON_BINARY"]).chmod(mode)
                with self.assertRaisesRegex(unpoison.Error, "program can't be run: .*expected a program for this system"):
                    unpoison.audit(self.dir)
                self.assertRegex(self.module(), r"\Aunpoison: .*program can't be run: .*\n\Z")
            Path(os.environ["UNPOISON_BINARY"]).unlink()
            self.assertRegex(self.module(), r"\Aunpoison: UNPOISON_BINARY names .*program, and no such file exists\n\Z")

    def module(self):
        """Return what the module says that can't run the program."""
        done = subprocess.run([sys.executable, "-m", "unpoison", "version"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(support.PACKAGE)})
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_a_moving_line_fits_the_terminal(self):
        from unpoison._progress import Progress

        for columns, width in (("40", 39), ("200", 79)):
            with mock.patch.dict(os.environ, COLUMNS=columns), mock.patch("unpoison._progress._tqdm", return_value=None), mock.patch("sys.stderr", io.StringIO()) as said:
                show = Progress(True)
                show({"event": "progress", "stage": "s" * 99, "epoch": 1, "epochs": 2, "step": 1, "steps": 2})
                show.close()
            self.assertEqual(said.getvalue(), "\r" + "s" * width + "\r" + " " * width + "\r")

    @unittest.skipIf(os.name == "nt", "runs a script")
    def test_warnings_name_the_caller(self):
        with self.program("print('note: odd', file=sys.stderr); print('{}')"), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            unpoison.audit(self.dir)
        self.assertEqual([(str(w.message), w.filename) for w in told], [("note: odd", __file__)])

    @unittest.skipIf(os.name == "nt", "there are no limits")
    def test_a_full_disk_is_an_error(self):
        script = """
import resource, numpy as np, unpoison
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
small, large = np.full((40, 8, 8, 3), 200, np.uint8), np.full((400, 24, 24, 3), 200, np.uint8)
for data, features in ((large, None), (list(large), None), ([*large[:200], np.full((200, 300, 3), 200, np.uint8)], None), (small, np.ones((40, 1000)))):
    try:
        unpoison.audit(data, np.arange(len(data)) % 2, features)
    except unpoison.Error as e:
        print(e)
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(support.PACKAGE)})
        self.assertEqual((done.stdout.count("has no room for them: File too large; TMPDIR names another"), done.returncode), (4, 0), done.stderr)

    @unittest.skipIf(os.name == "nt", "runs a script")
    def test_features_are_as_the_program_reads_them(self):
        with self.program("""
path = next(a for a in sys.argv if a.startswith("--features="))[11:]
sys.exit("unpoison: " + str(pathlib.Path(path).read_bytes()[:40]))
"""):
            for kind, want in ((np.float64, "<f4"), (np.int64, "<f4"), (np.float16, "<f2"), (np.float32, "<f4")):
                with self.subTest(kind), self.assertRaisesRegex(unpoison.Error, want):
                    unpoison.audit("data", features=np.ones((2, 3), kind))
            with self.assertRaisesRegex(unpoison.DataError, "features of <U1; expected numbers"):
                unpoison.audit("data", features=[["a"]])

    @unittest.skipIf(os.name == "nt", "sends a signal as a terminal does")
    def test_the_module_waits_for_a_program_that_saves(self):
        with self.program("""
def save(*_):
    time.sleep(1)
    print("saved", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, save)
print("runs", flush=True)
time.sleep(60)
"""):
            done = subprocess.Popen([sys.executable, "-m", "unpoison"], stdout=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": str(support.PACKAGE)})
            self.assertEqual(done.stdout.readline(), "runs\n")
            os.killpg(done.pid, signal.SIGINT)
            said, _ = done.communicate(timeout=60)
        self.assertEqual((said, done.returncode), ("saved\n", 130))


if __name__ == "__main__":
    unittest.main()
