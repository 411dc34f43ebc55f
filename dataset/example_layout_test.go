package dataset_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/unpoison/unpoison/dataset"
)

// ASCII art: a file a class, an image of 2 × 2 characters a line.
var art = dataset.Layout{
	Name: "art", About: "a text file a class",
	Recognise: func(dir string, _ dataset.Options) bool {
		files, _ := filepath.Glob(filepath.Join(dir, "*.art"))
		return len(files) > 0
	},
	Open: func(_ context.Context, dir string, _ dataset.Options) (*dataset.Contents, error) {
		files, err := filepath.Glob(filepath.Join(dir, "*.art"))
		records := func(yield func(dataset.Record) error) error {
			for _, f := range files {
				if err := readArt(f, yield); err != nil {
					return err
				}
			}
			return nil
		}
		return &dataset.Contents{Train: &dataset.Part{Name: "*.art", Records: records}}, err
	},
}

func readArt(path string, yield func(dataset.Record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for row := 0; lines.Scan(); row++ {
		r := dataset.Record{Source: filepath.Base(path), Row: row, Label: dataset.Name(filepath.Base(path))}
		pixels := []byte(lines.Text())
		if len(pixels) != 4 {
			r.Err = &dataset.RecordError{File: r.Source, Row: row, Want: "4 characters", Got: strconv.Itoa(len(pixels))}
		}
		r.Raw = &dataset.Raw{Height: 2, Width: 2, Channels: 1, Pixels: func() ([]byte, error) { return pixels, nil }}
		if err := yield(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

func ExampleLayout() {
	dir, err := os.MkdirTemp("", "art")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for class, images := range map[string]string{"cat.art": "^..^\n=oo=\n", "dog.art": "U..U\nbad\n"} {
		if err := os.WriteFile(filepath.Join(dir, class), []byte(images), 0o600); err != nil {
			panic(err)
		}
	}
	d, err := dataset.Load(context.Background(), dir, dataset.Options{Layouts: []dataset.Layout{art}, SkipBad: true})
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Summary())
	fmt.Println(d.Skipped[0])
	// Output:
	// art: 3 training images from *.art, no test images, 2 classes, 2×2 grey
	// dog.art, row 1: expected 4 characters, found 3
}
