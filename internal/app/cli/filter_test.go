package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// An audit that suspects nothing may still be reviewed: what was decided is left out, and nothing else.
func TestFilterByDecisionsAlone(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	first := "train/" + firstClass(t, data) + "/000000.png"
	suspects, decisions, none := filepath.Join(dir, "suspects.csv"), filepath.Join(dir, "decisions.csv"), filepath.Join(dir, "none.csv")
	for path, text := range map[string]string{
		suspects: "source,isolated\n" + first + ",false\n", decisions: "source,decision\n" + first + ",drop\n", none: "source,decision\n",
	} {
		testfile.Write(t, path, text)
	}
	for path, want := range map[string]string{decisions: "19 of 20 training images kept", none: "20 of 20 training images kept"} {
		code, out, errs := call("data", "filter", "--data", data, "--suspects", suspects, "--decisions", path, "--list", filepath.Join(dir, "kept.csv"))
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d: %s%s", code, out, errs)
		}
	}
	if code, _, errs := call("data", "filter", "--data", data, "--suspects", suspects, "--list", filepath.Join(dir, "kept.csv")); code != exitFailed || !strings.Contains(errs, "no suspects in it: nothing would be left out") {
		t.Errorf("%d: %s", code, errs)
	}
}

// Lists are looked at before the data are read, and a run's folder is taken for the list in it.
func TestListsComeBeforeData(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	first := "train/" + firstClass(t, data) + "/000000.png"
	run, other := filepath.Join(dir, "run"), filepath.Join(dir, "other.csv")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(run, "suspects.csv"): "source,isolated\n" + first + ",false\n", filepath.Join(run, "decisions.csv"): "source,decision\n" + first + ",drop\n", other: "a,b\n"} {
		testfile.Write(t, path, text)
	}
	filter := func(data, suspects, decisions string) (int, string) {
		code, out, errs := call("data", "filter", "--data", data, "--suspects", suspects, "--decisions", decisions, "--list", filepath.Join(dir, "kept.csv"))
		return code, out + errs
	}
	if code, text := filter(data, run, run); code != exitDone || !strings.Contains(text, "19 of 20 training images kept") {
		t.Errorf("%d: %s", code, text)
	}
	none := filepath.Join(dir, "none")
	for _, c := range [][3]string{
		{none, run, "--suspects takes the suspects.csv that an audit or a training wrote, or the run's folder: "},
		{other, run, "expected a column source or digest"},
		{run, none, "--decisions takes the decisions.csv that unpoison review wrote, or the run's folder: "},
		{run, filepath.Join(run, "suspects.csv"), "expected a column decision"},
	} {
		if code, text := filter("nowhere", c[0], c[1]); code != exitFailed || !strings.Contains(text, c[2]) {
			t.Errorf("%v: %d, %s", c, code, text)
		}
	}
	if code, _, errs := call("data", "filter", "--data", data, "--suspects", run, "--list", filepath.Join(run, "suspects.csv")); code != exitFailed || !strings.Contains(errs, "it is read too") {
		t.Errorf("%d: %s", code, errs)
	}
	if code, _, errs := call("unlearn", "--model", "nowhere", "--suspects", other, "--data", data, "--out", filepath.Join(dir, "m")); code != exitFailed || !strings.Contains(errs, "--suspects takes the suspects.csv") {
		t.Errorf("%d: %s", code, errs)
	}
}

// The list goes to standard output where it is -, alone, and what is said to standard error.
func TestListsArePrinted(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	suspects, kept := filepath.Join(dir, "suspects.csv"), filepath.Join(dir, "kept.csv")
	testfile.Write(t, suspects, "source,isolated\ntrain/"+firstClass(t, data)+"/000000.png,true\n")
	t.Chdir(dir)
	args := []string{"data", "filter", "--data", data, "--suspects", suspects, "--list"}
	if code, _, errs := call(append(args, kept)...); code != exitDone {
		t.Fatal(errs)
	}
	want := testfile.Read(t, kept)
	for more, said := range map[string]string{"--json": `"kept":19`, "--threads=1": "19 of 20 training images kept", "--out=clean": "was read again"} {
		code, out, errs := call(append(args, "-", more)...)
		if code != exitDone || out != string(want) || !strings.Contains(errs, said) {
			t.Errorf("%s: %d: %s, %s", more, code, out, errs)
		}
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("a file named - was written")
	}
}

// Suspects that show another class go into its folder, and a list says so; those that a person keeps stay.
func TestFilterCorrects(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	from, to := firstClass(t, data), "yield"
	file := filepath.Join(data, "train", from, "000000.png")
	suspects, decisions := filepath.Join(dir, "suspects.csv"), filepath.Join(dir, "decisions.csv")
	source := "train/" + from + "/000000.png"
	for path, text := range map[string]string{suspects: "source,isolated,shows\n" + source + ",true," + to + "\n", decisions: "source,decision\n" + source + ",keep\n"} {
		testfile.Write(t, path, text)
	}
	image := testfile.Read(t, file)
	args := []string{"data", "filter", "--data", data, "--suspects", suspects, "--correct"}
	out := filepath.Join(dir, "out")
	if code, text, errs := call(append(args, "--out", out)...); code != 0 || !strings.Contains(text, "20 of 20 training images kept, 0 dropped\n1 of those that are kept got the label that they show") {
		t.Fatalf("%d: %s%s", code, text, errs)
	}
	found := false
	entries, _ := os.ReadDir(filepath.Join(out, "train", to))
	for _, e := range entries {
		raw, _ := os.ReadFile(filepath.Join(out, "train", to, e.Name()))
		found = found || bytes.Equal(raw, image)
	}
	list, _ := os.ReadFile(out + ".corrected.csv")
	if !found || !strings.Contains(string(list), source) || !strings.HasSuffix(string(list), ","+to+","+from+"\n") || strings.Count(string(list), "\n") != 2 {
		t.Errorf("found: %t; the list is %q", found, list)
	}
	if code, text, errs := call(append(args, "--decisions", decisions, "--out", out+"2")...); code != 0 || !strings.Contains(text, "0 of those that are kept got") {
		t.Errorf("%d: %s%s", code, text, errs)
	}
	again := []string{"data", "filter", "--data", out, "--suspects", suspects, "--correct", "--out", out + "3"}
	testfile.Write(t, suspects, "source,digest,isolated,shows\n,"+digestOf(image)+",true,"+to+"\n")
	if code, text, errs := call(again...); code != 0 || !strings.Contains(text, "20 of 20 training images kept, 0 dropped\n0 of those that are kept got") {
		t.Errorf("what was corrected before: %d: %s%s", code, text, errs)
	}
}

// Data are not there without the lists of them, and no list without the data.
func TestFilterWritesListsFirst(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	suspects, out, kept := filepath.Join(dir, "suspects.csv"), filepath.Join(dir, "out"), filepath.Join(dir, "kept.csv")
	text := "source,isolated,shows\n"
	images, err := filepath.Glob(filepath.Join(data, "train", "*", "*.png"))
	if err != nil || len(images) != 20 {
		t.Fatal(len(images), err)
	}
	for _, path := range images {
		rel, err := filepath.Rel(data, path)
		if err != nil {
			t.Fatal(err)
		}
		text += filepath.ToSlash(rel) + ",true,\n"
	}
	args := []string{"data", "filter", "--data", data, "--suspects", suspects, "--correct", "--out", out, "--list", kept}
	for name, begin := range map[string]func() error{
		"without images": func() error { return os.WriteFile(suspects, []byte(text), 0o600) },
		"without a list": func() error {
			rest := strings.SplitAfterN(text, "\n", 3)
			return errors.Join(os.WriteFile(suspects, []byte(rest[0]+rest[1]), 0o600), os.Mkdir(out+".corrected.csv", 0o700))
		},
	} {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
		if code, text, errs := call(args...); code != exitFailed {
			t.Errorf("%s: %d: %s%s", name, code, text, errs)
		}
		for _, path := range []string{out, kept, out + ".corrected.csv"} {
			if st, err := os.Lstat(path); err == nil && (path == out || !st.IsDir()) {
				t.Errorf("%s: %s is there", name, path)
			}
			_ = os.Remove(path)
		}
	}
}

// Who is second leaves the lists of who was first.
func TestFailedListsLeaveOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.csv")
	write := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	var first, second lists
	if err := errors.Join(first.add(path, write), second.add(path, write)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a list is there before its data")
	}
	if err := first.keep(); err != nil {
		t.Fatal(err)
	}
	second.drop()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 || entries[0].Name() != "kept.csv" {
		t.Errorf("%v, %v", entries, err)
	}
}

// digestOf is an image file's digest, as lists have it.
func digestOf(image []byte) string {
	sum := sha256.Sum256(image)
	return hex.EncodeToString(sum[:16])
}
