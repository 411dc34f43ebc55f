package dataset

import (
	"archive/zip"
	"bytes"
	"path/filepath"
	"strings"
	"testing"
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

// Of arrays in several archives, or in a folder a part, the error says what to do.
func TestArraysOfSeveralPlaces(t *testing.T) {
	images, labels := npy("|u1", []int{2, 8, 8, 3}, make([]byte, 2*8*8*3)), npy("|u1", []int{2}, []byte{0, 1})
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, raw := range map[string][]byte{"images.npy": images, "labels.npy": labels} {
		w, _ := z.Create(name)
		_, _ = w.Write(raw)
	}
	_ = z.Close()
	archives, folders := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	for _, part := range []string{"train", "test"} {
		put(t, filepath.Join(archives, part+".npz"), b.Bytes())
		put(t, filepath.Join(folders, part, "images.npy"), images)
		put(t, filepath.Join(folders, part, "labels.npy"), labels)
	}
	for dir, want := range map[string]string{archives: "test.npz and ", folders: "train holds arrays of images"} {
		for _, spec := range []string{dir, "numpy:" + dir} {
			if _, err := Load(t.Context(), spec, Options{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "np.savez") {
				t.Errorf("%s: %v", spec, err)
			}
		}
	}
}
