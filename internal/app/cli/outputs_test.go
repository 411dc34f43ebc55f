package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// suspectsOf writes a list of a folder's first image, which another class claims, and returns it.
func suspectsOf(t *testing.T, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "suspects.csv")
	testfile.Write(t, path, "source,isolated,shows\ntrain/"+firstClass(t, data)+"/000000.png,true,yield\n")
	return path
}

// Which data are meant is asked where a folder has the name of rendered signs.
func TestAFolderCalledSignsIsNotPassedOver(t *testing.T) {
	t.Chdir(t.TempDir())
	info := []string{"data", "info", "signs", "--limit", "20"}
	if code, _, errs := call(info...); code != exitDone {
		t.Fatalf("%d, %s", code, errs)
	}
	grid := "name: x\ndata: signs\nattacks: [none]\ndefenses: [none]\n"
	testfile.Write(t, "grid.yaml", grid)
	if err := os.CopyFS("signs", os.DirFS(signFolder(t, 20, 10))); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		info,
		{"audit", "--data", "signs", "--out", "a"},
		{"train", "--data", "signs", "--out", "a"},
		{"repair", "--clean", "signs", "--method", "fp", "--model", "m", "--out", "a"},
		{"experiment", "paper", "gtsrb", "--gtsrb", "signs", "--out", "a"},
		{"experiment", "run", "grid.yaml", "--out", "a"},
	} {
		if code, _, errs := call(args...); code != exitUsage || !strings.Contains(errs, "./signs for the folder") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if code, out, errs := call("data", "info", "./signs"); code != exitDone || !strings.Contains(out, "20 images") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

// A list of a filter that fails leaves an older one as it was.
func TestOlderListsStayUntilDataAreThere(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	suspects, out, kept := suspectsOf(t, data), filepath.Join(dir, "out"), filepath.Join(dir, "kept.csv")
	for _, path := range []string{kept, out + ".corrected.csv"} {
		testfile.Write(t, path, "older")
	}
	args := []string{"data", "filter", "--data", data, "--correct", "--out", out, "--list", kept, "--suspects"}
	every := filepath.Join(dir, "every.csv") // without all of them there are no data
	text := "source,isolated,shows\n"
	for name := range files(t, filepath.Join(data, "train")) {
		text += "train/" + filepath.ToSlash(name) + ",true,\n"
	}
	testfile.Write(t, every, text)
	if code, text, errs := call(append(args, every)...); code != exitFailed {
		t.Fatalf("%d, %s%s", code, text, errs)
	}
	for _, path := range []string{kept, out + ".corrected.csv"} {
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "older" {
			t.Errorf("%s holds %q, %v", path, raw, err)
		}
	}
	if code, text, errs := call(append(args, suspects)...); code != exitDone {
		t.Fatalf("%d, %s%s", code, text, errs)
	}
	for _, path := range []string{kept, out + ".corrected.csv"} {
		if raw, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(raw), "index,") {
			t.Errorf("%s holds %q, %v", path, raw, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// No two outputs are one, and none is an input.
func TestOutputsAreApart(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	out, link := filepath.Join(dir, "out"), filepath.Join(dir, "link")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("out", link); err != nil {
		t.Skip(err)
	}
	filter := []string{"data", "filter", "--data", data, "--suspects", suspectsOf(t, data), "--correct"}
	for want, args := range map[string][]string{
		"is the file that --correct writes":            {"--out", out, "--list", dir + "/./out.corrected.csv"},
		"which holds data; choose another --list":      {"--out", out, "--list", filepath.Join(link, "kept.csv")},
		"lies in --list " + filepath.Join(dir, "kept"): {"--out", filepath.Join(dir, "kept", "out"), "--list", filepath.Join(dir, "kept")},
	} {
		if code, _, errs := call(append(filter, args...)...); code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	t.Chdir(out)
	if code, _, errs := call(append(filter, "--out", ".")...); code != exitFailed || !strings.Contains(errs, "name a new folder in it") {
		t.Errorf("--out .: %d, %s", code, errs)
	}
	npy := filepath.Join(dir, "x.npy")
	testfile.Write(t, npy, "")
	if code, _, errs := call("features", "--data", "numpy:"+npy, "--backbone", "n.onnx", "--out", npy); code != exitFailed || !strings.Contains(errs, "would be written over: it is read too") {
		t.Errorf("data: %d, %s", code, errs)
	}
}

// An audit that knew its own suspects would find nothing new.
func TestAnAuditIsNotItsOwnBaseline(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("run", 0o755); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, filepath.Join("run", runs.SuspectsFile), "digest,label,isolated\n")
	for _, baseline := range []string{"run", "./run/", filepath.Join("run", runs.SuspectsFile), filepath.Join("run", runs.ReportFile)} {
		code, _, errs := call("audit", "--data", "none", "--out", "../"+filepath.Base(wd(t))+"/run", "--baseline", baseline, "--resume")
		if code != exitUsage || !strings.Contains(errs, "is the audit in --out") {
			t.Errorf("%s: %d, %s", baseline, code, errs)
		}
	}
	if code, _, errs := call("audit", "--data", "none", "--out", "other", "--baseline", "run"); code != exitFailed || strings.Contains(errs, "--baseline") {
		t.Errorf("another folder: %d, %s", code, errs)
	}
}

func wd(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
