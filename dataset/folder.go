package dataset

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// The folder layout: DIR/CLASS/image, or DIR/train/CLASS/image with test/ or val/ beside it.

func isFolder(dir string) bool {
	for _, d := range []string{filepath.Join(dir, "train"), dir} {
		for _, c := range subfolders(d) {
			files, _ := os.ReadDir(filepath.Join(d, c))
			if slices.ContainsFunc(files, func(f os.DirEntry) bool { return isImage(f.Name()) }) {
				return true
			}
		}
	}
	return false
}

func subfolders(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names
}

func loadFolder(ctx context.Context, dir string, r *reader) (*Data, error) {
	root, test := dir, ""
	if exists(filepath.Join(dir, "train")) {
		root = filepath.Join(dir, "train")
		for _, t := range []string{"test", "val"} {
			if exists(filepath.Join(dir, t)) {
				test = filepath.Join(dir, t)
				break
			}
		}
	}
	classes := subfolders(root)
	if len(classes) < 2 {
		return nil, fmt.Errorf("%s: expected a folder for each of at least two classes, found %d", root, len(classes))
	}
	files, err := listFolder(dir, root, classes)
	if err != nil {
		return nil, err
	}
	// The size: as asked, or the images' own if they all agree, else 32.
	h, w := r.Size, r.Size
	if r.Size == 0 {
		if h, w = commonSize(dir, files); h == 0 {
			h, w = 32, 32
		}
	}
	read := func(files []labelled) (*Set, error) {
		s := &Set{Height: h, Width: w, Classes: classes}
		s.reserve(len(files))
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := readInto(s, dir, f, r); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	d := &Data{}
	if d.Train, err = read(files); err != nil {
		return nil, err
	}
	if test != "" {
		if extra := slices.DeleteFunc(subfolders(test), func(c string) bool { return slices.Index(classes, c) >= 0 }); len(extra) > 0 {
			return nil, fmt.Errorf("%s: expected only classes of %s, found %q", test, root, extra[0])
		}
		files, err := listFolder(dir, test, classes)
		if err != nil {
			return nil, err
		}
		if d.Test, err = read(files); err != nil {
			return nil, err
		}
	}
	return d, nil
}

type labelled struct {
	path  string // relative to the data folder
	label int32
}

func listFolder(dir, root string, classes []string) ([]labelled, error) {
	var all []labelled
	for i, c := range classes {
		err := filepath.WalkDir(filepath.Join(root, c), func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			if !e.IsDir() && isImage(e.Name()) {
				rel, err := filepath.Rel(dir, p)
				if err != nil {
					return err
				}
				all = append(all, labelled{filepath.ToSlash(rel), int32(i)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// commonSize returns the size that all images have, or 0, 0.
func commonSize(dir string, files []labelled) (h, w int) {
	for _, f := range files {
		c, err := fileConfig(filepath.Join(dir, f.path))
		if err != nil {
			continue
		}
		if h == 0 {
			h, w = c.Height, c.Width
		}
		if c.Height != h || c.Width != w {
			return 0, 0
		}
	}
	return h, w
}

// fileConfig looks at the head of a file, and at all of it where that does not tell.
func fileConfig(path string) (image.Config, error) {
	const head = 256 << 10
	f, err := os.Open(path)
	if err != nil {
		return image.Config{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, head))
	if err != nil {
		return image.Config{}, err
	}
	c, err := decodeConfig(raw)
	if err != nil && len(raw) == head {
		if raw, err = os.ReadFile(path); err == nil {
			c, err = decodeConfig(raw)
		}
	}
	return c, err
}

func readInto(s *Set, dir string, f labelled, r *reader) error {
	pixels, h, w, err := readImage(filepath.Join(dir, f.path), f.path)
	if err != nil {
		return r.bad(err)
	}
	if r.Size == 0 && s.Height == 0 {
		s.Height, s.Width = h, w
	}
	s.add(r.fit(pixels, h, w, s), f.label, f.path, -1)
	return nil
}

// writeFolder stores PNG files, which keep every byte.
func writeFolder(dir string, d *Data) error {
	for _, part := range []struct {
		name string
		set  *Set
	}{{"train", d.Train}, {"test", d.Test}} {
		if part.set == nil {
			continue
		}
		for _, c := range part.set.Classes {
			if err := os.MkdirAll(filepath.Join(dir, part.name, c), 0o755); err != nil {
				return err
			}
		}
		for i := range part.set.Labels {
			path := filepath.Join(dir, part.name, part.set.Classes[part.set.Labels[i]], fmt.Sprintf("%06d.png", i))
			if err := WritePNG(path, part.set.Image(i), part.set.Height, part.set.Width); err != nil {
				return err
			}
		}
	}
	return nil
}

// ToImage wraps RGB bytes.
func ToImage(pixels []uint8, h, w int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for p := range h * w {
		copy(img.Pix[4*p:], pixels[3*p:3*p+3])
		img.Pix[4*p+3] = 255
	}
	return img
}

// WritePNG stores RGB bytes as a PNG file.
func WritePNG(path string, pixels []uint8, h, w int) error {
	return atomicfile.Write(path, func(out io.Writer) error { return png.Encode(out, ToImage(pixels, h, w)) })
}
