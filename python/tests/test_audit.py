"""The binary through Python: the same verdicts, in the caller's order, with the binary's errors, and stopped when asked."""

import csv
import io
import json
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

FAST = support.FAST


def setUpModule():
    support.build()


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.images, cls.labels, cls.truth = support.planted()

    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.dir = Path(held.name)

    def write(self):
        """Write the arrays where the command line reads them."""
        data = self.dir / "data"
        data.mkdir()
        np.save(data / "x_train.npy", self.images)
        np.save(data / "y_train.npy", self.labels)
        return data

    def test_finds_what_was_planted(self):
        names = np.array(support.CLASSES)
        verdict = unpoison.audit(self.images, names[self.labels], **FAST)
        self.assertEqual((verdict.says, verdict.poisoned), ("shortcut", False))  # nobody looked at labels
        np.testing.assert_array_equal(verdict.keep, ~self.truth)
        self.assertEqual([t.label for t in verdict.targets if t.flagged], [names[support.TARGET]])
        np.testing.assert_array_equal(verdict.table["index"], np.arange(len(self.images)))
        self.assertEqual(list(verdict.table["label"]), list(names[self.labels]))
        np.testing.assert_array_equal(verdict.suspects["index"], np.flatnonzero(self.truth))
        self.assertGreater(verdict.table["probability"][self.truth].min(), verdict.table["probability"][~self.truth].max())
        self.assertIn("<html", verdict.report.read_text(encoding="utf-8"))
        page = verdict._repr_html_()
        for part in ("shortcut", "90 of 900", names[support.TARGET], "data:image/png;base64,", verdict.report.name):
            self.assertIn(part, page)
        self.assertIn("90 suspects", repr(verdict))

    def test_agrees_with_the_command_line(self):
        data = self.write()
        args = [f"--{k.replace('_', '-')}={v}" for k, v in FAST.items()]
        subprocess.run(
            [os.environ["UNPOISON_BINARY"], "audit", "--data", data, "--out", self.dir / "cli", *args], check=True, capture_output=True
        )
        with open(self.dir / "cli" / "suspects.csv", newline="") as f:
            rows = sorted(csv.DictReader(f), key=lambda r: int(r["index"]))
        told = json.loads((self.dir / "cli" / "result.json").read_text())
        for images, labels in ((self.images, self.labels), (data, None)):
            verdict = unpoison.audit(images, labels, **FAST)
            self.assertEqual(verdict.result["verdict"], told["verdict"])
            self.assertEqual(verdict.result["data"]["digest"], told["data"]["digest"])
            np.testing.assert_array_equal(verdict.table["probability"], np.array([r["probability"] for r in rows], np.float32))
            np.testing.assert_array_equal(verdict.table["rank"], [int(r["rank"]) for r in rows])

    def test_a_part_is_told_by_the_callers_order(self):
        verdict = unpoison.audit(self.images, self.labels, limit=600, seed=3, **FAST)
        judged = verdict.table["index"]
        self.assertEqual(len(judged), 600)
        self.assertTrue((np.diff(judged) > 0).all())
        self.assertEqual(list(verdict.table["label"]), list(self.labels[judged]))
        np.testing.assert_array_equal(verdict.suspects["index"], judged[self.truth[judged]])
        self.assertEqual(verdict.keep.sum(), (~self.truth[judged]).sum())

    def test_a_baseline_leaves_what_is_new(self):
        first = unpoison.audit(self.images[:600], self.labels[:600], out=self.dir / "first", **FAST)
        self.assertNotIn("baseline", first.result)
        order = np.random.default_rng(2).permutation(len(self.images))
        verdict = unpoison.audit(self.images[order], self.labels[order], baseline=self.dir / "first", out=self.dir / "second", **FAST)
        told = verdict.result["baseline"]
        self.assertEqual((told["added_images"], told["removed_images"]), (300, 0))
        self.assertEqual((told["known_suspects"], told["new_among_old"], told["new_among_added"]), (self.truth[:600].sum(), 0, self.truth[600:].sum()))
        with open(self.dir / "second" / "new-suspects.csv", newline="") as f:
            new = [order[int(r["index"])] for r in csv.DictReader(f)]
        self.assertEqual(sorted(new), list(600 + np.flatnonzero(self.truth[600:])))
        data = self.write()
        args = [f"--{k.replace('_', '-')}={v}" for k, v in FAST.items()]
        for baseline, code in (("first", 3), ("second", 0)):
            done = subprocess.run(
                [os.environ["UNPOISON_BINARY"], "audit", "--data", data, "--out", self.dir / f"from {baseline}", "--fail-on-findings", "--baseline", self.dir / baseline, *args],
                capture_output=True, text=True,
            )
            self.assertEqual(done.returncode, code, done.stderr)

    def test_images_of_several_sizes(self):
        images = [image[: 20 + i % 5] for i, image in enumerate(self.images)]
        names = np.array(support.CLASSES)[self.labels]
        verdict = unpoison.audit(images, names, size=24, **FAST)
        self.assertEqual(list(verdict.table["label"]), list(names))
        self.assertEqual(verdict.result["data"]["classes"], sorted(support.CLASSES))

    def test_an_unknown_word_of_the_verdict_is_passed_on(self):
        def judge(folder):
            folder.mkdir()
            (folder / "suspects.csv").write_text("index,source,label,rank,isolated,probability,digest\n1,x_train:1,0,1,true,0.9,ab\n0,x_train:0,1,2,false,0,cd\n")
            return {"verdict": {"says": "shortcut", "targets": [{"class": "0", "says": "shortcut"}]}}

        from unpoison._data import Prepared

        verdict = unpoison.Verdict(judge(self.dir / "r"), self.dir / "r", Prepared("", np.array([1, 0]), [0, 1]))
        self.assertEqual((verdict.says, verdict.poisoned), ("shortcut", False))
        self.assertIn("shortcut", verdict._repr_html_())
        self.assertEqual(list(verdict.keep), [True, False])
        self.assertEqual(list(verdict.table["digest"]), ["cd", "ab"])

    def test_what_stands_out_is_shown_where_it_cannot_be_told(self):
        folder = self.dir / "r"
        folder.mkdir()
        (folder / "suspects.csv").write_text("index,source,label,rank,isolated,probability,doubtful\n1,x_train:1,0,1,false,0,true\n0,x_train:0,1,2,false,0,false\n")
        from unpoison._data import Prepared

        picture = lambda i: np.zeros((4, 4, 3), np.uint8)
        data = Prepared("", np.array([1, 0]), [0, 1], picture=picture)
        verdict = unpoison.Verdict({"verdict": {"says": "can't tell", "targets": []}}, folder, data)
        self.assertEqual((list(verdict.keep), list(verdict.table["doubtful"])), ([True, True], [False, True]))
        self.assertEqual(verdict._repr_html_().count("<img"), 1)

    def test_names_do_not_turn_the_text_after_them(self):
        folder = self.dir / "r"
        folder.mkdir()
        (folder / "suspects.csv").write_text("index,source,label,rank,isolated,probability\n0,x_train:0,a,1,true,0.9\n")
        from unpoison._data import Prepared

        data = Prepared("", np.array([0]), ["<cat>\u202e"], picture=lambda i: np.zeros((4, 4, 3), np.uint8))
        target = {"class": "<cat>\u202e", "says": "poisoned", "by": "content", "facts": {"images": 1, "flagged": 1}}
        page = unpoison.Verdict({"verdict": {"says": "poisoned", "targets": [target]}}, folder, data)._repr_html_()
        self.assertNotIn("\u202e", page)
        self.assertEqual(page.count(r"&lt;cat&gt;\u202e"), 3)

    def read(self, text):
        """Return the verdict of a folder whose data are the caller's."""
        from unpoison._data import Prepared

        folder = self.dir / "r"
        folder.mkdir()
        (folder / "suspects.csv").write_bytes(b"index,source,label,rank,isolated,probability,shows\n" + text)
        return unpoison.Verdict({"verdict": {"says": "poisoned"}}, folder, Prepared("data"))

    def test_names_are_those_of_the_data(self):
        table = self.read(b"0,'-1/\xff.png,'-1,1,true,0.9,'=x\n1,'a;'=\t'';'b.png,b,2,false,0,\n").table
        self.assertEqual([os.fsencode(s) for s in table["source"]], [b"-1/\xff.png", b"'a;=\t';'b.png"])
        self.assertEqual((list(table["label"]), list(table["shows"])), (["-1", "b"], ["=x", ""]))

    def test_errors_have_the_binarys_text(self):
        with self.assertRaisesRegex(unpoison.UsageError, "^unknown flag: --nonsense$"):
            unpoison.audit(self.images, self.labels, nonsense=1)
        with self.assertRaisesRegex(unpoison.UsageError, "no recipe \"x\"; there are default"):
            unpoison.audit(self.images, self.labels, recipe="x")
        with self.assertRaisesRegex(unpoison.Error, "no-such-folder") as raised:
            unpoison.audit(self.dir / "no-such-folder")
        self.assertEqual(raised.exception.code, 1)
        with self.assertRaisesRegex(unpoison.Error, "row 5: expected a label of .*, found −1, which means none"):
            labels = self.labels.copy()
            labels[5] = -1
            unpoison.audit(self.images, labels)
        for name in ("json", "help"):
            with self.assertRaisesRegex(unpoison.UsageError, f"{name} is no option"):
                unpoison.audit(self.images, self.labels, **{name: True})
        with mock.patch.dict(os.environ, UNPOISON_BINARY=str(self.dir / "nothing")):
            with self.assertRaisesRegex(unpoison.BinaryNotFoundError, "UNPOISON_BINARY names .*nothing"):
                unpoison.audit(self.images, self.labels)

    def test_what_the_binary_passes_over_is_a_warning(self):
        labels = self.labels.copy()
        labels[5] = -1
        with self.assertWarnsRegex(UserWarning, "1 bad record"):
            verdict = unpoison.audit(self.images, labels, skip_bad=True, **FAST)
        self.assertNotIn(5, list(verdict.table["index"]))
        self.assertFalse(verdict.keep[5])
        with self.assertWarnsRegex(UserWarning, r"^skipped 1 bad record.*found −1, which means none$"):  # not what was found
            unpoison.audit(self.images, labels, skip_bad=True, fail_on="any", **FAST)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            unpoison.audit(self.images, self.labels, fail_on="any", **FAST)

    def test_nothing_is_left_behind(self):
        with mock.patch.dict(os.environ, TMPDIR=str(self.dir)), mock.patch.object(tempfile, "tempdir", None):
            verdict = unpoison.audit(self.images, self.labels, **FAST)
            self.assertTrue(verdict.report.exists())
            del verdict
            with self.assertRaises(unpoison.Error):
                unpoison.audit(self.images, self.labels, nonsense=1)
            self.assertEqual(list(self.dir.iterdir()), [])
        unpoison.audit(self.images, self.labels, out=self.dir / "kept", **FAST)
        self.assertTrue((self.dir / "kept" / "report.html").exists())

    def test_progress(self):
        events = []
        unpoison.train(self.images, self.labels, progress=events.append, **support.TRAINS)
        steps = [e for e in events if e["event"] == "progress"]
        self.assertEqual(steps[-1]["step"], steps[-1]["steps"])
        for tqdm in (None, mock.Mock()):
            bar = tqdm and tqdm.return_value
            if bar:
                bar.n = 0
                bar.update.side_effect = lambda by: setattr(bar, "n", bar.n + by)
            with mock.patch("unpoison._progress._tqdm", return_value=tqdm), mock.patch("sys.stderr", io.StringIO()) as said:
                unpoison.train(self.images, self.labels, progress=True, **support.TRAINS)
            if bar:
                self.assertEqual(bar.n, steps[-1]["steps"] * steps[-1]["epochs"])
                bar.close.assert_called()
            else:
                self.assertIn("tune  epoch 1/", said.getvalue())
                self.assertTrue(all(len(line) <= 79 for line in said.getvalue().split("\r")))

    @unittest.skipIf(os.name == "nt", "sends a signal as a terminal does")
    def test_an_interrupt_saves_and_can_be_gone_on_from(self):
        def interrupt(event):
            if event["event"] == "progress" and event["step"] == 2:  # nothing was saved yet
                signal.raise_signal(signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # programs in the background may ignore it
        self.addCleanup(signal.signal, signal.SIGINT, before)
        whole = unpoison.train(self.images, self.labels, out=self.dir / "whole", **support.TRAINS)
        with self.assertRaises(KeyboardInterrupt):
            unpoison.train(self.images, self.labels, out=self.dir / "broken", progress=interrupt, **support.TRAINS)
        self.assertTrue((self.dir / "broken" / "checkpoint.safetensors").exists())
        again = unpoison.train(self.images, self.labels, out=self.dir / "broken", resume=True, **support.TRAINS)
        self.assertEqual(again.path.read_bytes(), whole.path.read_bytes())
        np.testing.assert_array_equal(again.verdict.keep, whole.verdict.keep)


class TrainTest(unittest.TestCase):
    def test_a_model_and_its_verdict(self):
        images, labels, truth = support.planted()
        test_images, test_labels = support.shapes(200, seed=7)
        names = np.array(support.CLASSES)
        trained = unpoison.train(images, names[labels], test=(test_images, names[test_labels]), **support.TRAINS)
        np.testing.assert_array_equal(trained.verdict.keep, ~truth)
        self.assertEqual(trained.classes, sorted(support.CLASSES))
        self.assertTrue(trained.path.exists())
        self.assertIn("clean accuracy", repr(trained))
        self.assertGreater(trained.accuracy, 50)
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed: the network was not compared")
        x = torch.from_numpy(test_images).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            said = np.array(trained.classes)[trained.network()(x).argmax(1).numpy()]
        self.assertAlmostEqual(100 * (said == names[test_labels]).mean(), trained.accuracy, delta=0.51)  # one image, by rounding

    def test_every_network_is_known_to_pytorch(self):
        try:
            import torch  # noqa: F401
        except ImportError:
            self.skipTest("PyTorch is not installed")
        from unpoison import networks

        said = subprocess.run([os.environ["UNPOISON_BINARY"], "train", "--help"], capture_output=True, text=True, check=True).stdout
        for arch in networks._NETWORKS:
            self.assertIn(arch, said)
        images, labels, _ = support.planted(60)
        for arch in networks._NETWORKS:
            trained = unpoison.train(images, labels, defense="none", model=arch, epochs_tune=1, batch=30, threads=1)
            self.assertFalse(trained.network().training)
            self.assertIsNone(trained.verdict)

    def test_larger_images_go_through_a_stem_in_pytorch_too(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed")
        images, labels, _ = support.planted(60)
        images = images.repeat(3, axis=1)[:, :-1].repeat(2, axis=2)  # no multiple of the stem's patches
        trained = unpoison.train(images, labels, test=(images, labels), defense="none", model="small-cnn", epochs_tune=2, batch=30, threads=1)
        net = trained.network()
        self.assertEqual(net.stem.k, 2)
        with torch.no_grad():
            right = net(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).argmax(1).numpy() == np.searchsorted(trained.classes, labels)
        self.assertAlmostEqual(100 * right.mean(), trained.accuracy, delta=1.7)  # one image, by rounding

    def test_a_file_of_another_program_is_no_network(self):
        try:
            import torch  # noqa: F401
        except ImportError:
            self.skipTest("PyTorch is not installed")
        from unpoison import networks

        head = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.safetensors"
            path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
            with self.assertRaisesRegex(ValueError, "m.safetensors: expected a model.safetensors of unpoison's"):
                networks.load(path)

    def test_a_network_of_normalised_images_normalises_them(self):
        try:
            import torch
        except ImportError:
            self.skipTest("PyTorch is not installed")
        from unpoison import networks

        plain = networks.network("small-cnn", 3, stem=2).eval()
        x = torch.rand(2, 3, 32, 32)
        with torch.no_grad():
            want = plain((x - 0.5) / 0.25)
            got = networks._normalized(plain, [0.5] * 3, [0.25] * 3)(x)
        np.testing.assert_allclose(got, want, atol=1e-5)

    def test_the_notebook(self):
        images, labels, _ = support.planted()
        with tempfile.TemporaryDirectory() as folder:
            np.savez(Path(folder, "train.npz"), images=images, labels=labels)
            script = support.PACKAGE / "examples" / "notebook.py"
            done = subprocess.run(
                [sys.executable, script, Path(folder, "train.npz")], capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(support.PACKAGE), os.environ.get("PYTHONPATH", "")])},
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"shortcut [{support.TARGET}]", done.stdout)
        self.assertRegex(done.stdout, r"accuracy 0\.[5-9]|accuracy 1|PyTorch is not installed")


if __name__ == "__main__":
    unittest.main()
