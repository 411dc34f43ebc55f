"""What Python holds arrives as the same images and labels, or is refused with a reason."""

import csv
import tempfile
import unittest
from pathlib import Path

import numpy as np

import support  # noqa: F401
from unpoison import DataError
from unpoison._data import prepare

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3), np.uint8)
LABELS = np.array([2, 0, 1, 1, 2, 0])


class Pairs:
    """A data set as torch has them."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


class Image:
    """Stands for datasets.Image; the column's kind is told by its name."""


class ClassLabel:
    names = ["ant", "bee", "cat"]


class Picture:
    """Stands for Pillow's images; those of more than 8 bits a sample lose them when they are converted."""

    def __init__(self, pixels, mode="RGB"):
        self.pixels, self.mode, self.info = pixels, mode, {}

    def getbands(self):
        return tuple(self.mode)

    def convert(self, mode):
        return np.minimum(self.pixels, 255).astype(np.uint8)


class HuggingFace:
    def __init__(self, **columns):
        self.columns = columns
        self.column_names = list(columns)
        self.features = {c: ClassLabel() if "label" in c else Image() for c in columns}

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        return self.columns[key] if isinstance(key, str) else {c: v[key] for c, v in self.columns.items()}


class NotKnown:
    """Stands for pandas' NA, of which nobody knows whether it is anything."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("ambiguous")


class Series:
    """Stands for pandas', whose [i] is the row called i."""

    dtype, shape, iloc = np.dtype(object), (len(LABELS),), None

    def __init__(self, images, rows):
        self.images, self.rows = images, rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.images[i]

    def to_numpy(self):
        out = np.empty(len(self.rows), object)
        out[:] = [self.images[i] for i in self.rows]
        return out


class DataTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.dir = Path(held.name)

    def arrays(self, data, labels=None, **more):
        """Return what the binary would read."""
        folder = self.dir / str(len(list(self.dir.iterdir())))
        folder.mkdir()
        p = prepare(data, labels, folder, **more)
        return np.load(folder / "x_train.npy"), np.load(folder / "y_train.npy"), p

    def test_images_arrive_as_they_are(self):
        planar = IMAGES.transpose(0, 3, 1, 2)
        for name, data, want in (
            ("uint8", IMAGES, IMAGES),
            ("floats", IMAGES / 255, IMAGES),
            ("float32", (IMAGES / 255).astype(np.float32), IMAGES),
            ("int64", IMAGES.astype(np.int64), IMAGES),
            ("channels first", planar, planar),
            ("grey", IMAGES[..., 0], IMAGES[..., 0]),
            ("reversed", IMAGES[::-1], IMAGES[::-1]),
            ("columns first", np.asfortranarray(IMAGES), IMAGES),
            ("a list", list(IMAGES), IMAGES),
        ):
            with self.subTest(name):
                x, y, _ = self.arrays(data, LABELS)
                np.testing.assert_array_equal(x, want)
                np.testing.assert_array_equal(y, LABELS)
        for name, data in (("pairs", Pairs(IMAGES, LABELS)), ("pairs, channels first", Pairs(planar / 255, LABELS)), ("a list", list(zip(IMAGES, LABELS)))):
            with self.subTest(name):
                x, y, _ = self.arrays(data)
                np.testing.assert_array_equal(x, IMAGES)
                np.testing.assert_array_equal(y, LABELS)

    def test_shuffled_series_keep_their_labels(self):
        order = np.array([3, 1, 5, 0, 4, 2])
        x, y, _ = self.arrays(Series(IMAGES, order), LABELS[order])
        np.testing.assert_array_equal(x, IMAGES[order])
        np.testing.assert_array_equal(y, LABELS[order])

    def test_files_grow_with_what_is_written(self):
        """A mapped file is as long as its array from the start, and where the disk is full ends Python with a bus error."""
        path, asked = self.dir / "x_train.npy", []

        class Watched(Pairs):
            def __getitem__(own, i):
                asked.append(i)
                if path.exists():
                    self.assertLess(path.stat().st_size, IMAGES.nbytes)
                return super().__getitem__(i)

        prepare(Watched(IMAGES, LABELS), None, self.dir)
        self.assertEqual(asked, list(range(6)))  # each is asked for once: augmentations are random
        np.testing.assert_array_equal(np.load(path), IMAGES)

    def test_mapped_arrays_are_not_copied(self):
        np.save(self.dir / "mine.npy", IMAGES)
        mine = np.load(self.dir / "mine.npy", mmap_mode="r")
        for data, linked in ((mine, True), (mine[:5], False), (mine[1:], False), (mine[:, ::2], False), (mine[::-1], False)):
            x, _, p = self.arrays(data, LABELS[: len(data)])
            np.testing.assert_array_equal(x, data)
            self.assertEqual(Path(p.spec, "x_train.npy").is_symlink(), linked)

    def test_changes_in_memory_count(self):
        np.save(self.dir / "mine.npy", IMAGES)
        mine = np.load(self.dir / "mine.npy", mmap_mode="c")
        mine[0] = 255 - mine[0]
        x, _, p = self.arrays(mine, LABELS)
        np.testing.assert_array_equal(x, mine)
        self.assertFalse(Path(p.spec, "x_train.npy").is_symlink())

    def test_labels(self):
        names = np.array(["ant", "bee", "cat"])
        for labels in (list(LABELS), LABELS.astype(np.uint8), LABELS.astype(float), LABELS[:, None], np.eye(3, dtype=int)[LABELS]):
            _, y, p = self.arrays(IMAGES, labels)
            np.testing.assert_array_equal(y, LABELS)
            self.assertEqual(p.classes, [0, 1, 2])
        for labels, more in ((names[LABELS], {}), (list(names[LABELS]), {}), (LABELS, {"classes": list(names)}), (names[LABELS].astype(object), {})):
            _, y, p = self.arrays(IMAGES, labels, **more)
            np.testing.assert_array_equal(y, LABELS)
            self.assertEqual(p.classes, list(names))
            self.assertEqual(Path(p.spec, "classes.txt").read_text(), "ant\nbee\ncat\n")
            self.assertEqual(p.label("cat"), "cat")

    def test_hugging_face(self):
        x, y, p = self.arrays(HuggingFace(img=list(IMAGES), label=list(LABELS)))
        np.testing.assert_array_equal(x, IMAGES)
        np.testing.assert_array_equal(y, LABELS)
        self.assertEqual(p.classes, ClassLabel.names)
        with self.assertRaisesRegex(DataError, "coarse_label.*fine_label"):
            self.arrays(HuggingFace(img=list(IMAGES), coarse_label=list(LABELS), fine_label=list(LABELS)))

    def test_a_test_set_that_counts_its_classes_otherwise(self):
        def pairs(labels, names=None):
            data = Pairs(IMAGES, labels)
            if names:
                data.classes = names
            return data

        names, other = ["ant", "bee", "cat"], ["cat", "dog", "ant", "bee"]
        moved = np.array([2, 3, 0])[LABELS]
        words = np.array(names)[LABELS]
        for name, data, labels, test, more, want in (
            ("the same names", pairs(LABELS, names), None, pairs(LABELS, names), {}, LABELS),
            ("another order", pairs(LABELS, names), None, pairs(moved, other), {}, LABELS),
            ("names for numbers", IMAGES, LABELS, pairs(moved, other), {"classes": names}, LABELS),
            ("names of labels", IMAGES, words, pairs(moved, other), {}, LABELS),
            ("other names for both", pairs(LABELS, names), None, pairs(LABELS, names), {"classes": ["x", "y", "z"]}, LABELS),
            ("other names, another order", pairs(LABELS, names), None, pairs(moved, other), {"classes": ["x", "y", "z"]}, LABELS),
            ("numbers alone", IMAGES, LABELS, pairs(LABELS, ["x", "y", "z"]), {}, LABELS),
            ("names of the training data alone", pairs(LABELS, names), None, pairs(LABELS), {}, LABELS),
            ("no label", pairs(LABELS, names), None, pairs([-1, 2, 2, 2, 2, 2], other), {}, [-1, 0, 0, 0, 0, 0]),
        ):
            with self.subTest(name):
                _, y, p = self.arrays(data, labels, test=test, **more)
                np.testing.assert_array_equal(y, LABELS)
                np.testing.assert_array_equal(np.load(Path(p.spec, "y_test.npy")), want)
        with self.assertRaisesRegex(DataError, "of the class 'dog', which is none of"):
            self.arrays(pairs(LABELS, names), test=pairs([1] * 6, other))

    def test_classes_that_are_asked_for(self):
        _, _, p = self.arrays(IMAGES, LABELS, classes=range(5))
        self.assertEqual(p.classes, [0, 1, 2, 3, 4])
        self.assertEqual(Path(p.spec, "classes.txt").read_text(), "0\n1\n2\n3\n4\n")
        names = [" ant", "bee\t", "cat"]  # the binary reads them without blanks
        _, _, p = self.arrays(IMAGES, LABELS, classes=names)
        self.assertEqual([p.label(c) for c in Path(p.spec, "classes.txt").read_text().splitlines()], names)
        with self.assertRaisesRegex(DataError, "are not told apart"):
            self.arrays(IMAGES, LABELS, classes=["ant", "ant ", "cat"])
        for names in ({2: "cat", 0: "ant", 1: "bee"}, {"cat": 2, "bee": 1, "ant": np.int64(0)}):  # the order of a dict says nothing
            _, y, p = self.arrays(IMAGES, LABELS, classes=names)
            np.testing.assert_array_equal(y, LABELS)
            self.assertEqual(p.classes, ["ant", "bee", "cat"])
        for names in ({"ant", "bee", "cat"}, {1: "ant", 2: "bee", 3: "cat"}, "abc"):  # a set has no order
            with self.assertRaisesRegex(DataError, f"classes of type {type(names).__name__}; expected their names in the order"):
                self.arrays(IMAGES, LABELS, classes=names)

    def test_several_sizes_become_files(self):
        images = [IMAGES[0], IMAGES[1, :5], IMAGES[2, ..., :1], *IMAGES[3:]]
        p = prepare(Pairs(images, LABELS), None, self.dir, test=(IMAGES, LABELS))
        self.assertEqual(p.spec, f"table:{self.dir}")
        for part, want in (("train", images), ("test", IMAGES)):
            with open(self.dir / f"{part}.csv", newline="") as f:
                rows = list(csv.DictReader(f))
            self.assertEqual([int(r["label"]) for r in rows], list(LABELS))
            for i, (row, image) in enumerate(zip(rows, want)):
                raw = (self.dir / row["path"]).read_bytes()
                head = b"P%d %d %d 255\n" % (5 if image.shape[2] == 1 else 6, image.shape[1], image.shape[0])
                self.assertEqual(raw, head + image.tobytes())
                self.assertEqual(p.row(-1, row["path"]), i)

    def test_minus_one_is_no_label_in_files_either(self):
        images = [IMAGES[0, :5], *IMAGES[1:]]
        prepare(Pairs(images, [0, 1, -1, 0, 1, 0]), None, self.dir)
        with open(self.dir / "train.csv", newline="") as f:
            self.assertEqual([r["label"] for r in csv.DictReader(f)], ["0", "1", "", "0", "1", "0"])

    def test_refused(self):
        for want, data, labels in (
            ("labels are required", IMAGES, None),
            ("6 images and 5 labels", IMAGES, LABELS[:5]),
            (r"float64 from -1.0 to .*undo a normalisation", IMAGES / 127.5 - 1, LABELS),
            ("expected uint8", IMAGES.astype(np.int32) * 2, LABELS),
            ("expected uint8", IMAGES.astype(float), LABELS),
            ("no sample of the images is above 1 of 255", (IMAGES > 99).astype(np.int64), LABELS),
            ("no sample of the images is above 1 of 255", [*map(np.ones_like, IMAGES[:5]), IMAGES[5, :4] // 200], LABELS),
            (r"an array of shape \(6, 216\)", IMAGES.reshape(6, -1), LABELS),
            ("rows of zeros with a single one", IMAGES, np.ones((6, 3), int)),
            ("image 3 has no label", IMAGES, ["a", "b", "a", None, "a", "b"]),
            ("image 3 has no label", IMAGES, ["a", "b", "a", NotKnown(), "a", "b"]),
            ("a label is inf; expected numbers that count", IMAGES, np.where(LABELS == 0, np.inf, LABELS)),
            ("a label is -2; expected numbers that count", IMAGES, LABELS - 2),
            ("a label is 9223372036854775810; expected", IMAGES, LABELS.astype(np.uint64) + np.uint64(2**63)),
            ("list is no array: .*inhomogeneous", IMAGES, [[1], [1, 2]] * 3),
            (r"image 0 has the label \{\}; expected one", IMAGES, [{}] * 6),
            (r"image 0 has the label \[0\]; expected one", Pairs(IMAGES, [[0], [1]] * 3), None),
            (r"item 0 of the data set has a label of shape \(3,\)", Pairs(IMAGES, np.eye(3)[LABELS]), None),
            ("labels of type int; expected one for each", IMAGES, 3),
            ("labels of type str; expected one for each", IMAGES, "labels"),
            ("image 0: str of <U5 is no image.*path of their folder", ["a.png"] * 6, LABELS),
            ("image 0: dict of object is no image", [{}] * 6, LABELS),
            ("image 0: tuple is no array", Pairs(IMAGES, LABELS), LABELS),
            ("a label is 2000000001; expected numbers that count", IMAGES, LABELS * 10**9 + 1),
            ("are not told apart", IMAGES, np.array([1, "1", "a", "a", "a", "a"], dtype=object)),
            ("no images", IMAGES[:0], []),
            ("no data that can be read", 17, None),
            (r"item 0 .* expected \(image, label\)", list(IMAGES), None),
            ("no image 0 of 2: KeyError.*one part of a dict", {"train": Pairs(IMAGES, LABELS), "test": Pairs(IMAGES, LABELS)}, None),
            ("no image 0 of 6: KeyError", dict(zip("abcdef", IMAGES)), LABELS),
            ("a folder has its own labels", "folder", LABELS),
        ):
            with self.subTest(want), self.assertRaisesRegex(DataError, want):
                self.arrays(data, labels)
        for mode in ("I;16", "I;16B", "I", "F"):
            with self.assertRaisesRegex(DataError, f"image 1: a picture of Pillow's mode {mode}, with more than 8 bits"):
                self.arrays(Pairs([Picture(IMAGES[0]), Picture(200 * IMAGES[1].astype(int), mode), *map(Picture, IMAGES[2:])], LABELS))
        x, _, _ = self.arrays(Pairs(list(map(Picture, IMAGES)), LABELS))
        np.testing.assert_array_equal(x, IMAGES)
        x, _, _ = self.arrays(IMAGES > 99, LABELS)
        np.testing.assert_array_equal(x, 255 * (IMAGES > 99))
        clear = np.concatenate([IMAGES, np.full((6, 9, 8, 1), 100, np.uint8)], 3)
        x, _, _ = self.arrays(Pairs([Picture(p, "RGBA") for p in clear], LABELS))
        np.testing.assert_array_equal(x, IMAGES.astype(int) * 100 * 257 // 255 >> 8)
        with self.assertRaisesRegex(DataError, r"item 0 .* expected \(image, label\)"):
            self.arrays(IMAGES, LABELS, test=(IMAGES, LABELS, None))
        with self.assertRaisesRegex(DataError, "a label is 2, and there are 2 classes"):
            self.arrays(IMAGES, LABELS, classes=["a", "b"])
        with self.assertRaisesRegex(DataError, "'cat', which is none of the classes"):
            self.arrays(IMAGES, ["cat"] * 6, classes=["a", "b"])


if __name__ == "__main__":
    unittest.main()
