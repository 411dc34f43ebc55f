package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/rng"
)

// copied returns a copy of a folder that may be changed.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// filtered drops images of the data at spec and reads the rest.
func filtered(t *testing.T, spec string, drop ...int) (d, left *Data, out string) {
	t.Helper()
	d = load(t, spec)
	marks := make([]bool, d.Train.Len())
	for _, i := range drop {
		marks[i] = true
	}
	out = filepath.Join(t.TempDir(), "out")
	if _, err := Correct(context.Background(), d, Options{}, marks, nil, out); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	at := out
	if st, err := os.Stat(d.Path); err == nil && !st.IsDir() {
		at = filepath.Join(out, filepath.Base(d.Path))
	}
	return d, load(t, d.Layout+":"+at), out
}

// Every layout that is read is written: what is left is the rest, in order.
func TestFilterWritesEveryLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, spec := range []string{
		"testdata/folder", "testdata/table", "testdata/table/tabs.tsv", "testdata/table/lines.jsonl", "testdata/cifar-python",
		"testdata/cifar100-python", "testdata/numpy/all.npz", "testdata/numpy/planar", "testdata/webdataset", "testdata/parquet", "testdata/idx",
	} {
		for k := range 4 {
			if k == 3 { // the same by way of a link
				spec = throughLink(t, spec)
			}
			var drop, keep []int
			for i := range 8 {
				if r.IntN(3) == 0 && i != 0 && i != 7 { // both classes stay
					drop = append(drop, i)
				} else {
					keep = append(keep, i)
				}
			}
			d, left, _ := filtered(t, spec, drop...)
			if want := d.Train.Subset(keep); left.Train.Digest() != want.Digest() {
				t.Errorf("%s without %v: other images are left", spec, drop)
			}
			if d.Test != nil && left.Test.Digest() != d.Test.Digest() {
				t.Errorf("%s without %v: other test images", spec, drop)
			}
		}
	}
}

// throughLink returns a path by way of a link to its folder.
func throughLink(t *testing.T, path string) string {
	t.Helper()
	dir, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := ""
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		dir, rest = filepath.Split(dir)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	return filepath.Join(link, rest)
}

func TestFilterKeepsBinaryCIFAR(t *testing.T) {
	for _, layout := range []string{"cifar10", "cifar100"} {
		dir := filepath.Join(t.TempDir(), "data")
		s := &Set{Height: 32, Width: 32, Classes: cifar10Classes}
		if layout == "cifar100" {
			s.Classes = make([]string, 100)
			for c := range s.Classes {
				s.Classes[c] = fmt.Sprintf("class %d", c)
			}
		}
		r := rand.New(rand.NewPCG(7, 8))
		for i := range 30 {
			img := make([]uint8, 32*32*3)
			for k := range img {
				img[k] = uint8(r.IntN(256))
			}
			s.add(img, int32(i%10), "x", i)
		}
		if err := Write(layout, dir, &Data{Train: s, Test: s.Subset([]int{1, 2})}); err != nil {
			t.Fatal(err)
		}
		d, left, _ := filtered(t, dir, 3, 29)
		if want := d.Train.Subset(append([]int{0, 1, 2}, rng.Iota(29)[4:]...)).Digest(); left.Train.Len() != 28 || left.Train.Digest() != want {
			t.Errorf("%s: %d images", layout, left.Train.Len())
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	testfile.Write(t, path, data)
}

// images returns the bytes of the PNG files of testdata/folder.
func images(t *testing.T) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir("testdata/folder/train", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(p)
		all = append(all, raw)
		return err
	})
	if err != nil || len(all) != 8 {
		t.Fatalf("%d images, %v", len(all), err)
	}
	return all
}

// Rows are filtered as rows, whatever stands in their cells; a file that another row names stays, and so does one of the
// same name in the test part.
func TestFilterOfTables(t *testing.T) {
	png := images(t)
	dir := filepath.Join(t.TempDir(), "data")
	for i, name := range []string{"a.png", "b,c.png", "é.png", "line\nbreak.png", "twice.png"} {
		write(t, filepath.Join(dir, name), png[i])
	}
	write(t, filepath.Join(dir, "test", "a.png"), png[5])
	head := "path,label,note\n"
	rows := []string{
		"a.png,x,one\n", "\"b,c.png\",y,\"names a.png, too\"\n", "é.png,x,\"two\nlines\"\n",
		"\"line\nbreak.png\",y,\n", "twice.png,x,first\n", "twice.png,y,second\n",
	}
	write(t, filepath.Join(dir, "train.csv"), []byte(head+strings.Join(rows, "")))
	write(t, filepath.Join(dir, "test.csv"), []byte("path,label\ntest/a.png,x\n"))
	for _, c := range []struct {
		drop  []int
		files string // that are gone
	}{
		{[]int{0}, "a.png"},
		{[]int{1, 3}, "b,c.png|line\nbreak.png"},
		{[]int{2}, "é.png"},
		{[]int{4}, ""},
		{[]int{0, 4, 5}, "a.png|twice.png"},
	} {
		_, _, out := filtered(t, dir, c.drop...)
		want := head
		for k, r := range rows {
			if !containsInt(c.drop, k) {
				want += r
			}
		}
		if got, err := os.ReadFile(filepath.Join(out, "train.csv")); err != nil || string(got) != want {
			t.Errorf("without %v the table is %q, expected %q (%v)", c.drop, got, want, err)
		}
		for _, name := range []string{"a.png", "b,c.png", "é.png", "line\nbreak.png", "twice.png"} {
			gone := strings.Contains("|"+c.files+"|", "|"+name+"|")
			if exists(filepath.Join(out, name)) == gone {
				t.Errorf("without %v: %q gone is %t, expected %t", c.drop, name, !gone, gone)
			}
		}
		if !exists(filepath.Join(out, "test", "a.png")) {
			t.Errorf("without %v: the test image of the same name is gone", c.drop)
		}
	}
	// JSON that writes a name with escapes.
	lines := filepath.Join(t.TempDir(), "lines")
	for i, name := range []string{"é.png", "b.png", "c.png"} {
		write(t, filepath.Join(lines, name), png[i])
	}
	write(t, filepath.Join(lines, "train.jsonl"), []byte("{\"path\":\"\\u00e9.png\",\"label\":\"x\"}\n\n{\"path\":\"b.png\",\"label\":\"x\"}\n{\"path\":\"c.png\",\"label\":\"y\"}\n"))
	_, _, out := filtered(t, lines, 0)
	if got, _ := os.ReadFile(filepath.Join(out, "train.jsonl")); strings.Contains(string(got), "u00e9") || exists(filepath.Join(out, "é.png")) {
		t.Errorf("the escaped name is left: %q", got)
	}
}

func containsInt(list []int, v int) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// Symbolic links stay links: to files in the data, and to files elsewhere, which are found from the new place too.
func TestFilterKeepsLinks(t *testing.T) {
	png := images(t)
	root := t.TempDir()
	dir := filepath.Join(root, "deep", "data")
	for i, name := range []string{"train/a/0.png", "train/a/1.png", "train/b/2.png"} {
		write(t, filepath.Join(dir, name), png[i])
	}
	write(t, filepath.Join(root, "deep", "store", "3.png"), png[3])
	for name, target := range map[string]string{"train/a/in.png": "1.png", "train/b/out.png": "../../../store/3.png", "train/b/gone.png": "../a/0.png"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	d := load(t, dir)
	drop := make([]bool, d.Train.Len())
	for i := range drop {
		drop[i] = d.Train.Source(i) == "train/a/0.png"
	}
	out := filepath.Join(root, "out")
	if _, err := Correct(context.Background(), d, Options{}, drop, nil, out); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]bool{"train/a/in.png": true, "train/b/out.png": true, "train/b/gone.png": false} {
		st, err := os.Lstat(filepath.Join(out, name))
		if err != nil || (st.Mode()&fs.ModeSymlink != 0) != link {
			t.Errorf("%s: a link is expected to be %t: %v", name, link, err)
		}
		if _, err := os.ReadFile(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	if exists(filepath.Join(out, "train/a/0.png")) {
		t.Error("the dropped image is there")
	}
}

// A tar's other members keep every byte, and so do a Parquet file's other columns and its metadata their values.
func TestFilterKeepsWhatStandsBeside(t *testing.T) {
	_, _, out := filtered(t, "testdata/webdataset", 1, 2)
	shards, err := filepath.Glob("testdata/webdataset/*")
	if err != nil {
		t.Fatal(err)
	}
	dropped := 0
	for _, p := range shards {
		if !strings.HasSuffix(p, ".tar") {
			continue
		}
		before, after := tarMembers(t, p), tarMembers(t, filepath.Join(out, filepath.Base(p)))
		for name, raw := range after {
			if !bytes.Equal(raw, before[name]) {
				t.Errorf("%s was changed", name)
			}
		}
		dropped += len(before) - len(after)
	}
	if dropped == 0 && len(shards) > 0 && strings.HasSuffix(shards[0], ".tar") {
		t.Error("no member is gone")
	}

	type row struct {
		Image []byte            `parquet:"image"`
		Label int64             `parquet:"label"`
		Name  *string           `parquet:"name,optional"`
		Tags  []string          `parquet:"tags,list"`
		More  map[string]string `parquet:"more"`
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var rows []row
	for i, img := range images(t) {
		name := fmt.Sprint("n", i)
		r := row{Image: img, Label: int64(i % 2), Tags: []string{"a", name}, More: map[string]string{"k": name}}
		if i%3 > 0 {
			r.Name = &name
		}
		rows = append(rows, r)
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.Compression(&parquet.Snappy), parquet.KeyValueMetadata("key", "value"), parquet.MaxRowsPerRowGroup(3))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "train.parquet"), b.Bytes())
	_, _, out = filtered(t, dir, 1, 2, 3, 4)
	got, err := parquet.ReadFile[row](filepath.Join(out, "train.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if want := append(append([]row{}, rows[0]), rows[5:]...); fmt.Sprint(len(got)) != "4" || got[1].More["k"] != want[1].More["k"] || got[0].Name != nil || *got[1].Name != "n5" || got[3].Tags[1] != "n7" {
		t.Errorf("rows are %v", got)
	}
	raw, _ := os.ReadFile(filepath.Join(out, "train.parquet"))
	p, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := p.Lookup("key"); v != "value" || p.Root().Column("image").Compression().String() != parquet.Snappy.String() {
		t.Errorf("metadata %q, compression %v", v, p.Root().Column("image").Compression())
	}
}

// tarMembers reads a tar's members, each with its head.
func tarMembers(t *testing.T, file string) map[string][]byte {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	all := map[string][]byte{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = append([]byte(fmt.Sprint(h.Mode, h.Uname, h.ModTime, h.PAXRecords, "\n")), raw...)
	}
}

// Archives with long names, other types of members and padding of every length are copied byte for byte where nothing is
// dropped, and stay archives where something is.
func TestTarMembersKeepTheirBytes(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var names []string
	for i := range 40 {
		name := fmt.Sprintf("d/%03d.jpg", i)
		if i%5 == 0 {
			name = fmt.Sprintf("d/%03d%s.jpg", i, strings.Repeat("long", 60))
		}
		h := &tar.Header{Name: name, Mode: 0o600, Size: int64(i * 97 % 1300), Typeflag: tar.TypeReg}
		if i%7 == 3 {
			h.PAXRecords, h.Format, h.ModTime = map[string]string{"UNPOISON.x": strings.Repeat("y", 600)}, tar.FormatPAX, time.Unix(1, 5)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte{byte(i)}, int(h.Size))); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := append(b.Bytes(), make([]byte, 10240-b.Len()%10240)...) // as GNU tar pads
	copyOf := func(gone map[string]bool) []byte {
		var out bytes.Buffer
		if err := copyMembers(&out, bytes.NewReader(whole), &sampleChange{gone: gone}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if !bytes.Equal(copyOf(nil), whole) {
		t.Error("a copy without drops differs")
	}
	for k, name := range names {
		file := filepath.Join(t.TempDir(), "x.tar")
		write(t, file, copyOf(map[string]bool{sampleKey(name): true}))
		if got := tarMembers(t, file); len(got) != 39 || got[name] != nil {
			t.Errorf("without member %d, %d are left", k, len(got))
		}
	}
}
