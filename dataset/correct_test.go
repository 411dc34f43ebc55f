package dataset

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// corrections draws other labels for some kept images, but for the first kept one of each class.
func corrections(r *rand.Rand, s *Set, drop []bool) (labels []int32) {
	first := make([]bool, len(s.Classes))
	labels = make([]int32, s.Len())
	for i, l := range s.Labels {
		labels[i] = -1
		if drop[i] {
			continue
		}
		if !first[l] {
			first[l] = true
		} else if k := s.Labels[r.IntN(s.Len())]; r.IntN(2) == 0 { // a class that has images
			labels[i] = k
		}
	}
	return labels
}

// isCorrected compares what was written with the images, dropped and under their new labels, whatever their order.
func isCorrected(t *testing.T, called string, s *Set, drop []bool, labels []int32, got *Set) {
	t.Helper()
	type image struct {
		digest ImageDigest
		class  string
	}
	all := map[image]int{}
	for i, l := range s.Labels {
		if labels[i] >= 0 {
			l = labels[i]
		}
		if !drop[i] {
			all[image{s.ImageDigest(i), s.Classes[l]}]++
		}
	}
	for k, l := range got.Labels {
		all[image{got.ImageDigest(k), got.Classes[l]}]--
	}
	for one, n := range all {
		if n != 0 {
			t.Errorf("%s: %d images too few under %q", called, n, one.class)
		}
	}
}

// Every layout that is read is written with other labels, and without some images.
func TestCorrectWritesEveryLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	specs := []string{"testdata/table/tabs.tsv", "testdata/table/lines.jsonl", "testdata/numpy/all.npz", "testdata/numpy/planar"}
	for _, h := range holders {
		dir := filepath.Join(t.TempDir(), "data")
		h.write(t, dir, tinySet(32, !h.colour, 5, 1))
		specs = append(specs, h.layout+":"+dir)
		if h.layout == "table" {
			s := tinySet(32, false, 5, 1)
			s.columns = true
			h.write(t, dir+"-columns", s)
			specs = append(specs, h.layout+":"+dir+"-columns")
		}
	}
	for _, spec := range specs {
		d, moved := load(t, spec), 0
		for range 3 {
			drop := make([]bool, d.Train.Len())
			drop[1+r.IntN(d.Train.Len()-2)] = true
			labels := corrections(r, d.Train, drop)
			for i, l := range labels {
				if l >= 0 && l != d.Train.Labels[i] {
					moved++
				}
			}
			out := filepath.Join(t.TempDir(), "out")
			if _, err := Correct(context.Background(), d, Options{}, drop, labels, out); err != nil {
				t.Errorf("%s: %v", spec, err)
				continue
			}
			at := out
			if st, err := os.Stat(d.Path); err == nil && !st.IsDir() {
				at = filepath.Join(out, filepath.Base(d.Path))
			}
			isCorrected(t, spec, d.Train, drop, labels, load(t, d.Layout+":"+at).Train)
		}
		if moved == 0 {
			t.Errorf("%s: nothing was put under another label", spec)
		}
	}
}

// A row that is added to a table whose last line has no end is a line of its own.
func TestCorrectTablesWithoutALastLineEnd(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		dir := filepath.Join(t.TempDir(), "data")
		writeTinyGTSRB(t, dir, tinySet(32, false, 5, 1))
		tables, err := filepath.Glob(filepath.Join(dir, "Final_Training/Images/*/*.csv"))
		if err != nil || len(tables) < 2 {
			t.Fatal(tables, err)
		}
		for _, table := range tables {
			raw, err := os.ReadFile(table)
			if err == nil {
				err = os.WriteFile(table, bytes.ReplaceAll(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n"), []byte(end)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		d := load(t, "gtsrb:"+dir)
		drop, labels := make([]bool, d.Train.Len()), slices.Repeat([]int32{-1}, d.Train.Len())
		labels[0] = (d.Train.Labels[0] + 1) % int32(len(d.Train.Classes))
		out := filepath.Join(t.TempDir(), "out")
		if _, err := Correct(context.Background(), d, Options{}, drop, labels, out); err != nil {
			t.Fatal(err)
		}
		isCorrected(t, "gtsrb", d.Train, drop, labels, load(t, "gtsrb:"+out).Train)
	}
}
