package dataset

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// The conformance suite: small data sets in every layout that can hold them, and each kind of damage or ambiguity. Every
// layout gives the same images, labels, names, parts and digests, and the same answer to what is wrong.

// holder is a layout in the suite, and what it can hold.
type holder struct {
	name   string
	layout string
	write  func(t testing.TB, dir string, s *tiny)
	names  func(s *tiny) []string // what the classes are called
	colour bool
	grey   bool
	files  bool // images are files, of any size, and may be damaged
	split  bool // parts have free names
	row    string
	cut    string // a file to cut off, of which the rest is read with SkipBad
	whole  bool   // but nothing is read of it: its index stands at its end
}

func ownNames(s *tiny) []string { return s.classes }

func numberedNames(format string) func(s *tiny) []string {
	return func(s *tiny) (all []string) {
		for i := range s.classes {
			all = append(all, fmt.Sprintf(format, i))
		}
		return all
	}
}

var holders = []holder{
	{"folder", "folder", writeTinyFolder, ownNames, true, true, true, true, "%s/cat/%03d.png", "", false},
	{"CSV", "table", writeTinyTable(".csv"), ownNames, true, true, true, true, "%s.csv, row %d", "", false},
	{"TSV", "table", writeTinyTable(".tsv"), ownNames, true, true, true, true, "%s.tsv, row %d", "", false},
	{"JSON Lines", "table", writeTinyTable(".jsonl"), ownNames, true, true, true, true, "%s.jsonl, row %d", "", false},
	{"Parquet", "parquet", writeTinyParquet, ownNames, true, true, true, true, "data/%s-00000-of-00001.parquet, row %d", "data/train-00000-of-00001.parquet", true},
	{"WebDataset", "webdataset", writeTinyShard, ownNames, true, true, true, true, "%s-000.tar/%03d", "train-000.tar", false},
	{"NumPy", "numpy", writeTinyNumPy, numberedNames("%d"), true, true, false, false, "y_%s, row %d", "x_train.npy", false},
	{"NPZ", "numpy", writeTinyNPZ, numberedNames("%d"), true, true, false, false, "y_%s, row %d", "data.npz", true},
	{"IDX", "idx", writeTinyIDX, numberedNames("%d"), false, true, false, false, "", "train-images-idx3-ubyte", false},
	{"CIFAR-10", "cifar10", writeTinyCIFAR("data_batch_1.bin", "test_batch.bin", "batches.meta.txt", 1), ownNames, true, false, false, false, "data_batch_1.bin, row %d", "data_batch_1.bin", false},
	{"CIFAR-100", "cifar100", writeTinyCIFAR("train.bin", "test.bin", "fine_label_names.txt", 2), ownNames, true, false, false, false, "train.bin, row %d", "train.bin", false},
	{"CIFAR Python", "cifar-python", writeTinyPickle, ownNames, true, false, false, false, "data_batch_1, row %d", "data_batch_1", true},
	{"GTSRB", "gtsrb", writeTinyGTSRB, numberedNames("%05d"), true, true, true, false, "row", "", false},
}

// expected is the set that a part is read as.
func (h *holder) expected(s *tiny, images []tinyImage) *Set {
	set := &Set{Height: s.side, Width: s.side, Classes: h.names(s), Grey: s.grey}
	for k, i := range images {
		set.add(i.pix, int32(i.label), "expected", k)
	}
	return set
}

func (h *holder) same(t *testing.T, s *tiny, d *Data) {
	t.Helper()
	if d.Layout != h.layout {
		t.Errorf("taken for %s", d.Layout)
	}
	for _, p := range []struct {
		name   string
		images []tinyImage
		set    *Set
	}{{"training", s.train, d.Train}, {"test", s.test, d.Test}} {
		if p.images == nil || p.set == nil {
			if len(p.images) > 0 || p.set != nil {
				t.Errorf("%d %s images, expected %d", p.set.Len(), p.name, len(p.images))
			}
			continue
		}
		want := h.expected(s, p.images)
		if want.Digest() != p.set.Digest() {
			t.Errorf("other %s images or labels: %v, expected %v", p.name, p.set.Labels, want.Labels)
		}
		if !slices.Equal(p.set.Classes, want.Classes) {
			t.Errorf("classes %q, expected %q", p.set.Classes, want.Classes)
		}
		if p.set.Grey != s.grey {
			t.Errorf("grey is %v", p.set.Grey)
		}
		seen := map[string]bool{}
		for i := range p.set.Labels {
			if source := p.set.Source(i); seen[source] {
				t.Errorf("two images are called %s", source)
			} else {
				seen[source] = true
			}
			if len(p.set.digests) != p.set.Len() || p.set.digests[i] == (ImageDigest{}) {
				t.Fatalf("image %d has no digest", i)
			}
		}
	}
}

// Answers to a case.
const (
	isRead  = "read"
	refused = "refused" // with SkipBad counted and passed over, where that is possible
	passed  = "passed over"
	cannot  = "–" // the layout can't hold it
)

// conformanceCase is a kind of data set, the same for all layouts.
type conformanceCase struct {
	name    string
	applies func(h *holder) bool
	answer  string
	change  func(s *tiny)                                   // before it is written
	after   func(t *testing.T, dir string, h *holder)       // to the files
	options Options                                         // to read with
	says    []string                                        // in the error, or in a note
	rest    func(s *tiny)                                   // what is left with SkipBad; nil: that is no way out
	check   func(t *testing.T, d *Data, s *tiny) (own bool) // instead of comparing with the truth
}

func all(*holder) bool         { return true }
func withFiles(h *holder) bool { return h.files }
func withMissing(h *holder) bool {
	return h.row != "" && !slices.Contains([]string{"folder", "GTSRB", "CIFAR-10", "CIFAR-100"}, h.name)
}
func withFreeNames(h *holder) bool { return h.split }
func of(names ...string) func(h *holder) bool {
	return func(h *holder) bool { return slices.Contains(names, h.name) }
}

func drop(s *tiny, i int) { s.train = slices.Delete(slices.Clone(s.train), i, i+1) }

var conformanceCases = []conformanceCase{
	{name: "training and test images", applies: all, answer: isRead},
	{name: "training images alone", applies: all, answer: isRead, change: func(s *tiny) { s.test = nil }},
	{name: "grey images (one channel in memory)", applies: func(h *holder) bool { return h.grey }, answer: isRead, change: func(s *tiny) { *s = *tinySet(s.side, true, 3, 1) }},
	{
		name: "parts called Training and VALIDATION", applies: withFreeNames, answer: isRead,
		change: func(s *tiny) { s.words = [2]string{"Training", "VALIDATION"} },
	},
	{
		name: "parts called train_set and test-set", applies: withFreeNames, answer: isRead,
		change: func(s *tiny) { s.words = [2]string{"train_set", "test-set"} },
	},
	{name: "all in one more folder", applies: all, answer: isRead, after: func(t *testing.T, dir string, _ *holder) {
		inner := filepath.Join(t.TempDir(), "dataset")
		if err := os.Rename(dir, inner); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, ".DS_Store"), nil)
		if err := os.Rename(inner, filepath.Join(dir, "dataset")); err != nil {
			t.Fatal(err)
		}
	}},
	{
		name: "`.DS_Store`, `._*`, `Thumbs.db`, `__MACOSX/`, `.ipynb_checkpoints/`", applies: all, answer: passed,
		change: func(s *tiny) { s.junk = true }, after: addJunk,
	},
	{name: "images of several sizes, made 32×32", applies: withFiles, answer: isRead, change: func(s *tiny) {
		s.train[4].pix, s.train[4].side = tinySet(20, s.grey, 1, 1).train[0].pix, 20
	}, check: func(t *testing.T, d *Data, _ *tiny) bool {
		if d.Train.Height != 32 || d.Train.Width != 32 {
			t.Errorf("%d×%d", d.Train.Width, d.Train.Height)
		}
		return false
	}},
	{name: "a training image without a label", applies: withMissing, answer: refused, change: func(s *tiny) { s.train[4].label = -1 }, says: []string{"@4", "expected a label", "none"}, rest: func(s *tiny) { drop(s, 4) }},
	{
		name: "test images without labels", applies: func(h *holder) bool { return h.layout != "folder" && !strings.HasPrefix(h.name, "CIFAR-1") }, answer: isRead,
		change: func(s *tiny) {
			for i := range s.test {
				s.test[i].label = -1
			}
		}, says: []string{"have no labels: accuracy is not measured on them"},
		check: func(t *testing.T, d *Data, s *tiny) bool {
			if d.Unlabelled != len(s.test) {
				t.Errorf("%d without labels", d.Unlabelled)
			}
			s.test = nil
			return false
		},
	},
	{
		name: "a label that is no class", applies: of("Parquet", "CIFAR-10", "CIFAR-100", "CIFAR Python", "GTSRB"), answer: refused,
		change: func(s *tiny) { s.train[4].odd = 17 }, says: []string{"@4", "a label from 0 to 2", "17"}, rest: func(s *tiny) { drop(s, 4) },
	},
	{name: "each part in an archive or folder of its own", applies: of("NumPy", "NPZ"), answer: isRead, after: placeEachPart},
	{name: "labels that are one-hot lists", applies: of("JSON Lines", "Parquet", "WebDataset", "NumPy", "NPZ"), answer: isRead, change: func(s *tiny) { s.lists = true }, check: func(t *testing.T, d *Data, s *tiny) bool {
		if d.Train.Digest() != (&holder{names: ownNames}).expected(s, s.train).Digest() {
			t.Error("other images or labels")
		}
		return true
	}},
	{name: "labels that are a column of 0 and 1 a class", applies: of("CSV", "TSV", "JSON Lines", "Parquet"), answer: isRead, change: func(s *tiny) { s.columns = true }, says: []string{"the classes are the columns of 0 and 1"}},
	{
		name: "several of such columns with a 1", applies: of("CSV", "TSV", "JSON Lines", "Parquet"), answer: refused,
		change: func(s *tiny) { s.columns, s.train[4].odd = true, []int{1, 1, 0} }, says: []string{"@4", "expected one 1", "--skip-bad"}, rest: func(s *tiny) { drop(s, 4) },
	},
	{name: "several labels an image", applies: of("JSON Lines", "Parquet", "WebDataset", "NumPy", "NPZ"), answer: refused, change: func(s *tiny) {
		s.lists = true
		for i := range s.train {
			s.train[i].odd = []int{1, 1, 0}
		}
	}, says: []string{"@0", "expected one label"}},
	{name: "columns label and class", applies: of("CSV", "TSV", "JSON Lines", "Parquet", "WebDataset"), answer: refused, change: func(s *tiny) { s.column = "class" }, says: []string{`"class" and "label"`, "--label"}},
	{name: "columns label and class, with `--label label`", applies: of("CSV", "TSV", "JSON Lines", "Parquet", "WebDataset"), answer: isRead, change: func(s *tiny) { s.column = "class" }, options: Options{Label: "label"}},
	{name: "an image that is damaged", applies: withFiles, answer: refused, change: func(s *tiny) { s.train[4].file = []byte("\x89PNG\r\n\x1a\nno") }, says: []string{"4", "a readable image"}, rest: func(s *tiny) { drop(s, 4) }},
	{
		name: "an image that is not there", applies: of("CSV", "TSV", "JSON Lines", "Parquet", "WebDataset", "GTSRB"), answer: refused,
		change: func(s *tiny) { s.train[4].absent = true }, says: []string{"4", "expected"}, rest: func(s *tiny) { drop(s, 4) },
	},
	{
		name: "a file that is cut off", applies: func(h *holder) bool { return h.cut != "" }, answer: refused,
		after: func(t *testing.T, dir string, h *holder) {
			cutOff(t, filepath.Join(dir, h.cut), h.layout == "webdataset")
		},
		says: []string{"@cut"}, rest: func(s *tiny) { drop(s, len(s.train)-1) },
	},
	{name: "files and folders that are links", applies: all, answer: isRead, after: linkAll},
	{name: "links out of the data, with `--no-follow`", applies: all, answer: refused, after: linkAll, options: Options{NoFollow: true}, says: []string{"a link out of the data set"}},
	{name: "a FIFO in place of a file", applies: all, answer: refused, after: putFIFO, says: []string{"a FIFO"}},
	{name: "class names in two Unicode forms or cases", applies: func(h *holder) bool {
		return strings.HasSuffix(h.names(&tiny{classes: []string{"own"}})[0], "own")
	}, answer: isRead, change: func(s *tiny) {
		s.classes = []string{"Cat", "cat", "dog"}
	}, says: []string{"differ only in upper and lower case"}},
	{name: "classes called 1, 2 and 3 with numbers 0 to 2 for labels", applies: of("Parquet", "CIFAR-10", "CIFAR-100", "CIFAR Python"), answer: isRead, change: func(s *tiny) { s.classes = []string{"1", "2", "3"} }},
}

func TestConformance(t *testing.T) {
	for _, c := range conformanceCases {
		t.Run(c.name, func(t *testing.T) {
			for _, h := range holders {
				if !c.applies(&h) {
					continue
				}
				t.Run(h.name, func(t *testing.T) { conforms(t, &c, &h) })
			}
		})
	}
}

func conforms(t *testing.T, c *conformanceCase, h *holder) {
	s := tinySet(32, !h.colour, 3, 1)
	if c.change != nil {
		c.change(s)
	}
	dir := t.TempDir()
	h.write(t, dir, s)
	if c.after != nil {
		c.after(t, dir, h)
	}
	options := c.options
	d, err := Load(context.Background(), dir, options)
	if c.answer == refused {
		if err == nil {
			t.Fatal("it was read")
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), h.where(want)) {
				t.Errorf("%q does not say %q", err, h.where(want))
			}
		}
		if c.rest == nil || h.whole && slices.Contains(c.says, "@cut") {
			return
		}
		options.SkipBad = true
		if d, err = Load(context.Background(), dir, options); err != nil {
			t.Fatal(err)
		}
		if len(d.Skipped) == 0 || len(d.Skipped) > 2 {
			t.Errorf("passed over: %v", d.Skipped)
		}
		c.rest(s)
		h.same(t, s, d)
		sameInPacks(t, dir, options, d)
		filteredWithoutBad(t, c, h, s, d, options)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	sameInPacks(t, dir, options, d)
	for _, want := range c.says {
		if !slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("the notes %q do not say %q", d.Notes, want)
		}
	}
	if c.check != nil && c.check(t, d, s) {
		return
	}
	if d.Train.Height == s.side && !slices.ContainsFunc(s.train, func(i tinyImage) bool { return i.side != s.side }) {
		h.same(t, s, d)
	}
}

// filteredWithoutBad writes data with bad records, and reads what is written without passing over any.
func filteredWithoutBad(t *testing.T, c *conformanceCase, h *holder, s *tiny, d *Data, o Options) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	notes, err := Correct(context.Background(), d, o, make([]bool, d.Train.Len()), nil, out)
	if err != nil {
		t.Errorf("filter: %v", err)
		return
	}
	said := strings.Join(notes, "\n")
	if h.name == "WebDataset" && slices.Contains(c.says, "@cut") { // such an archive is copied as it is
		if !strings.Contains(said, "2 records that could not be read stay in it, the first: train-000.tar/008.png") {
			t.Errorf("the notes are %q", notes)
		}
		return
	}
	if want := fmt.Sprintf("%d records that could not be read are left out", len(d.Skipped)); !strings.Contains(said, want) {
		t.Errorf("the notes %q do not say %q", notes, want)
	}
	o.SkipBad = false
	got, err := Load(context.Background(), out, o)
	if err != nil {
		t.Errorf("what filter wrote: %v", err)
		return
	}
	h.same(t, s, got)
}

// where says how errors name training image 4, or image 0.
func (h *holder) where(want string) string {
	row := 0
	switch want {
	case "@4":
		row = 4
	case "@0":
	case "@cut":
		return path.Base(h.cut)[:7]
	default:
		return want
	}
	switch {
	case h.layout == "table":
		return fmt.Sprintf(h.row, "train", row+1)
	case h.layout == "gtsrb":
		return "GT-00001.csv, row 2"
	case strings.Contains(h.row, "%s"):
		return fmt.Sprintf(h.row, "train", row)
	}
	return fmt.Sprintf(h.row, row)
}

// The table in docs/data.md is what the suite checks. UNPOISON_WRITE_DOCS=1 writes it.
func TestConformanceTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| |")
	for _, h := range holders {
		b.WriteString(" " + h.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(holders)) + "\n")
	for _, c := range conformanceCases {
		b.WriteString("| " + c.name + " |")
		for _, h := range holders {
			answer := c.answer
			if !c.applies(&h) {
				answer = cannot
			}
			b.WriteString(" " + answer + " |")
		}
		b.WriteString("\n")
	}
	doc := filepath.Join("..", "docs", "data.md")
	raw := testfile.Read(t, doc)
	const from, to = "<!-- conformance -->\n", "<!-- end -->\n"
	before, rest, ok := strings.Cut(string(raw), from)
	old, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", doc)
	}
	if old == b.String() {
		return
	}
	if os.Getenv("UNPOISON_WRITE_DOCS") == "" {
		t.Fatalf("the table in %s is another one; UNPOISON_WRITE_DOCS=1 go test -run TestConformanceTable ./dataset writes it", doc)
	}
	testfile.Write(t, doc, before+from+b.String()+to+after)
}
