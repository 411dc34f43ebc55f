package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Tables that name the same images call them by names of their own, in every row, and can be filtered by them.
func TestTablesThatNameTheSameImages(t *testing.T) {
	png := images(t)
	dir := filepath.Join(t.TempDir(), "data")
	for i, name := range []string{"a.png", "b.png"} {
		write(t, filepath.Join(dir, name), png[i])
	}
	rows := "a.png,x\na.png,y\nb.png,x\n"
	for _, name := range []string{"train-1.csv", "train-2.csv", "train-3.csv"} {
		write(t, filepath.Join(dir, name), []byte("path,label\n"+rows))
	}
	d, err := Load(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i := range d.Train.Len() {
		source := d.Train.Source(i)
		if k, ok := at[source]; ok {
			t.Errorf("images %d and %d are called %s", k, i, source)
		}
		at[source] = i
	}
	if d.Train.Len() != 9 {
		t.Fatalf("%d images of three tables with three rows", d.Train.Len())
	}
	_, _, out := filtered(t, dir, 0, 4, 8) // a row of each table
	for k, want := range []string{"a.png,y\nb.png,x\n", "a.png,x\nb.png,x\n", "a.png,x\na.png,y\n"} {
		if got, err := os.ReadFile(filepath.Join(out, fmt.Sprintf("train-%d.csv", k+1))); err != nil || string(got) != "path,label\n"+want {
			t.Errorf("table %d is %q, expected %q (%v)", k+1, got, want, err)
		}
	}
}
