package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Names of classes that are paths, hidden or reserved stay below the folder and come back as they were.
func TestClassNamesBecomeSafeFolders(t *testing.T) {
	classes := []string{"%", ".hid", "../../../x", "CON", "a/b", "plain"}
	s := &Set{Height: 8, Width: 8, Classes: classes}
	for i := range 12 {
		img := make([]uint8, 8*8*3)
		img[0] = uint8(i)
		s.add(img, int32(i%6), fmt.Sprint(i), -1)
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "deep", "in", "out")
	if err := WriteUntil(context.Background(), "folder", dir, &Data{Train: s, Test: s}, nil); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{parent, filepath.Join(parent, "deep"), filepath.Join(parent, "deep", "in")} {
		if entries, _ := os.ReadDir(d); len(entries) != 1 {
			t.Errorf("%s holds %v", d, entries)
		}
	}
	got := load(t, dir)
	for _, part := range []*Set{got.Train, got.Test} {
		if !part.OrderClasses(classes) {
			t.Fatalf("classes %q came back as %q", classes, part.Classes)
		}
		for i := range part.Labels {
			if want := int32(part.Image(i)[0]) % 6; part.Labels[i] != want {
				t.Errorf("an image of %s has the label %s", classes[want], classes[part.Labels[i]])
			}
		}
	}
}

// endsAfter ends when it has been asked a number of times.
type endsAfter struct {
	context.Context
	times *int
}

func (c endsAfter) Err() error {
	if *c.times--; *c.times < 0 {
		return context.Canceled
	}
	return nil
}

// Writing images ends soon after its context does, not with the last one.
func TestWritingEndsWithItsContext(t *testing.T) {
	d := load(t, "testdata/folder")
	for _, layout := range []string{"folder", "gtsrb"} {
		times := 3
		err := WriteUntil(endsAfter{context.Background(), &times}, layout, filepath.Join(t.TempDir(), "out"), d, nil)
		if !errors.Is(err, context.Canceled) || times != -1 {
			t.Errorf("%s: %v, asked %d times more", layout, err, -times)
		}
	}
}

func TestInterruptedWritingLeavesNothing(t *testing.T) {
	d := load(t, "testdata/folder")
	for _, layout := range []string{"folder", "gtsrb", "cifar10"} {
		parent := t.TempDir()
		ctx, stop := context.WithCancel(context.Background())
		err := WriteUntil(ctx, layout, filepath.Join(parent, "out"), d, func(string) error {
			stop()
			return nil
		})
		if entries, _ := os.ReadDir(parent); !errors.Is(err, context.Canceled) || len(entries) != 0 {
			t.Errorf("%s: %v leaves %v", layout, err, entries)
		}
		if err := WriteUntil(ctx, layout, filepath.Join(parent, "out"), d, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", layout, err)
		}
	}
}
