package dataset

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Arrays and shards of all parts are parted by what says the part of each row, and filtered so; what does not tell is said.
func TestArraysAndShardsOfAllParts(t *testing.T) {
	for name, c := range map[string]struct{ split, want, note string }{
		"words":   {"train,train,test,train,test,train", "0:10 0:13 1:11 1:15 | 0:12 1:14", `by the column "split": 4 for the training`},
		"numbers": {"0,0,1,0,1,0", "0:10 0:12 0:13 1:11 1:14 1:15 | none", `the column "split" says ["0" "1"]`},
		"a gap":   {"train,,test,train,test,train", "of which of them is", ""},
		"nothing": {"", "0:10 0:12 0:13 1:11 1:14 1:15 | none", ""},
	} {
		said := strings.Split(c.split, ",")
		labels := []byte{0, 1, 0, 0, 1, 1}
		arrays, shard := filepath.Join(t.TempDir(), "data"), []string{}
		var pixels, split []byte
		for k, l := range labels {
			pixels = append(pixels, []byte(strings.Repeat(string(rune(10+k)), 3*8*8))...)
			key := string(rune('a' + k))
			json := `{"label": ` + string(rune('0'+l)) + `}`
			if c.split != "" {
				split = append(split, append([]byte(said[k]), make([]byte, 8-len(said[k]))...)...)
				json = `{"label": ` + string(rune('0'+l)) + `, "split": "` + said[k] + `"}`
			}
			shard = append(shard, key+".png", string(dot(uint8(10+k))), key+".json", json)
		}
		put(t, filepath.Join(arrays, "images.npy"), npy("|u1", []int{6, 8, 8, 3}, pixels))
		put(t, filepath.Join(arrays, "labels.npy"), npy("|u1", []int{6}, labels))
		if c.split != "" {
			put(t, filepath.Join(arrays, "split.npy"), npy("|S8", []int{6}, split))
		}
		for kind, dir := range map[string]string{"numpy": arrays, "webdataset": shardOf(t, shard...)} {
			d, err := Load(t.Context(), dir, Options{})
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s, %s: %v", kind, name, err)
				}
				continue
			}
			if got, notes := shown(d.Train)+" | "+shown(d.Test), strings.Join(d.Notes, "\n"); got != c.want || !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("%s, %s: %s, expected %s; the notes are %q", kind, name, got, c.want, d.Notes)
			}
			_, left, _ := filtered(t, dir, 2)
			if got := shown(left.Train) + " | " + shown(left.Test); !strings.HasSuffix(got, strings.Split(c.want, "|")[1]) || left.Train.Len() != d.Train.Len()-1 {
				t.Errorf("%s, %s: %s is left", kind, name, got)
			}
		}
	}
}

// placeEachPart puts the arrays of each part into a folder or archive of its own, as x and y.
func placeEachPart(t *testing.T, dir string, h *holder) {
	t.Helper()
	parts := map[string][]string{}
	for name, raw := range arraysAt(t, dir) {
		kind, part, _ := strings.Cut(strings.TrimSuffix(name, ".npy"), "_")
		if h.name == "NumPy" {
			put(t, filepath.Join(dir, part, kind+".npy"), raw)
			remove(t, filepath.Join(dir, name))
		}
		parts[part] = append(parts[part], kind+".npy", string(raw))
	}
	if h.name == "NPZ" {
		remove(t, filepath.Join(dir, "data.npz"))
		for part, entries := range parts {
			put(t, filepath.Join(dir, part+".npz"), archiveOf(t, entries...))
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// arraysAt are the arrays below a folder, by their paths or by archive/entry; of one archive alone by the entries.
func arraysAt(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		switch filepath.Ext(p) {
		case ".npy":
			all[filepath.ToSlash(rel)] = testfile.Read(t, p)
		case ".npz":
			z, err := zip.OpenReader(p)
			if err != nil {
				return err
			}
			defer z.Close()
			for _, e := range z.File {
				raw, err := fs.ReadFile(z, e.Name)
				if err != nil {
					return err
				}
				all[strings.TrimPrefix(filepath.ToSlash(rel)+"/"+e.Name, "data.npz/")] = raw
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// archiveOf is an archive of entries: names and contents.
func archiveOf(t *testing.T, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for k := 0; k < len(entries); k += 2 {
		w, err := z.Create(entries[k])
		if err == nil {
			_, err = w.Write([]byte(entries[k+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Arrays that lie in a place a part are filtered and corrected there; those of the test stay, also with as many rows.
func TestArraysOfPartsAreWritten(t *testing.T) {
	images := func(v byte) string {
		return string(npy("|u1", []int{4, 2, 2}, bytes.Repeat([]byte{v, v + 1, v + 2, v + 3}, 4)))
	}
	labels := func(l ...byte) string { return string(npy("|u1", []int{len(l)}, l)) }
	archives, folders, inner := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	for k, part := range []string{"train", "test"} {
		entries := []string{"x.npy", images(byte(100 * k)), "y.npy", labels(0, 1, byte(k), 1), "ids.npy", labels(6, 7, 8, 9)}
		put(t, filepath.Join(archives, part+".npz"), archiveOf(t, entries...))
		put(t, filepath.Join(inner, part, "all.npz"), archiveOf(t, entries...))
		for k := 0; k < len(entries); k += 2 {
			put(t, filepath.Join(folders, part, entries[k]), []byte(entries[k+1]))
		}
	}
	put(t, filepath.Join(folders, "train", "classes.txt"), []byte("cat\ndog\n"))
	for _, dir := range []string{archives, folders, inner} {
		d := load(t, dir)
		out, before := filepath.Join(t.TempDir(), "out"), arraysAt(t, dir)
		if d.Train.Len() != 4 || d.Test.count() != 4 || (d.Train.Classes[1] == "dog") != (dir == folders) {
			t.Errorf("%d and %d images of %q", d.Train.Len(), d.Test.count(), d.Train.Classes)
		}
		notes, err := Correct(t.Context(), d, Options{}, []bool{true, false, false, false}, []int32{-1, -1, -1, 0}, out)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		for name, raw := range arraysAt(t, out) {
			want := before[name]
			if strings.HasPrefix(name, "train") {
				rows := map[string][]byte{"y": {1, 0, 0}, "ids": {7, 8, 9}}[strings.TrimSuffix(filepath.Base(name), ".npy")]
				if want = raw; rows != nil && !bytes.HasSuffix(raw, append([]byte("\n"), rows...)) {
					t.Errorf("%s ends in %v", name, raw[max(0, len(raw)-4):])
				}
			}
			if !bytes.Equal(raw, want) {
				t.Errorf("%s is another one", name)
			}
		}
		if said := strings.Join(notes, "\n"); !strings.Contains(said, "as they had as many, 4: train") || strings.Contains(said, "test") {
			t.Errorf("the notes are %q", notes)
		}
	}
}

// The names that are asked for are those in each place.
func TestAskedArraysOfParts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, part := range []string{"train", "val"} {
		put(t, filepath.Join(dir, part, "pics.npy"), npy("|u1", []int{2, 1, 1}, []byte{1, 2}))
		put(t, filepath.Join(dir, part, "x.npy"), npy("|u1", []int{2, 1, 1}, []byte{8, 9}))
		put(t, filepath.Join(dir, part, "marks.npy"), npy("|u1", []int{2}, []byte{0, 1}))
	}
	d, err := Load(t.Context(), dir, Options{Image: "pics", Label: "Marks"})
	if err != nil || d.Test == nil || d.Train.Image(1)[0] != 2 || d.Test.Image(1)[0] != 2 {
		t.Errorf("%v, %v", d, err)
	}
}

// Of arrays in several places that are not one a part the error says what to do, and none is taken for training or test images.
func TestArraysOfSeveralPlaces(t *testing.T) {
	images, labels := string(npy("|u1", []int{2, 8, 8, 3}, make([]byte, 2*8*8*3))), string(npy("|u1", []int{2}, []byte{0, 1}))
	both := string(archiveOf(t, "images.npy", images, "labels.npy", labels))
	all := string(archiveOf(t, "x_train.npy", images, "y_train.npy", labels, "x_test.npy", images, "y_test.npy", labels))
	for name, c := range map[string]struct {
		files []string
		says  string
	}{
		"no parts":         {[]string{"a.npz", both, "b.npz", both}, "np.savez"},
		"twice a part":     {[]string{"train-0.npz", both, "train-1.npz", both, "test.npz", both}, "np.savez"},
		"one of no part":   {[]string{"train.npz", both, "test.npz", both, "more.npz", both}, "np.savez"},
		"no test images":   {[]string{"train/images.npy", images, "train/labels.npy", labels, "test/labels.npy", labels}, "np.savez"},
		"two of a folder":  {[]string{"train/images.npy", images, "train/labels.npy", labels, "test/a.npz", both, "test/b.npz", both}, "np.savez"},
		"all, and a test":  {[]string{"train.npz", all, "test.npz", both}, "two arrays are called x_test"},
		"a damaged test":   {[]string{"train.npz", both, "test.npz", both[:len(both)-9]}, "test.npz: zip: not a valid zip file"},
		"a test of floats": {[]string{"train.npz", both, "test.npz", string(archiveOf(t, "images.npy", string(npy("<f4", []int{1, 1, 1}, make([]byte, 4))), "labels.npy", labels))}, "test.npz/images: an array of f4"},
		"few labels":       {[]string{"train.npz", both, "test.npz", string(archiveOf(t, "x.npy", images, "y.npy", string(npy("|u1", []int{1}, []byte{0}))))}, "test.npz/x holds 2 images, test.npz/y 1 labels"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		for k := 0; k < len(c.files); k += 2 {
			put(t, filepath.Join(dir, c.files[k]), []byte(c.files[k+1]))
		}
		for _, spec := range []string{dir, "numpy:" + dir} {
			if _, err := Load(t.Context(), spec, Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %s: %v", name, spec, err)
			}
		}
	}
}
