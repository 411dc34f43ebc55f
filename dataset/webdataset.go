package dataset

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// WebDataset: tar shards in which the files of a sample follow each other under one name: 000.jpg and
// 000.cls (a class's number) or 000.json (with label, cls or class).

var shardSuffixes = []string{".tar", ".tar.gz", ".tgz", ".tar.zst"}

func isWebDataset(dir string) bool {
	train, _ := partFiles(dir, shardSuffixes)
	return len(train) > 0
}

// Limits of an archive: nothing is unpacked to the disk, so these bound memory and time.
const (
	maxEntry   = 64 << 20
	maxEntries = 20_000_000
	maxRatio   = 200 // of what comes out of a compressed shard to the shard itself
)

func loadWebDataset(ctx context.Context, dir string, r *reader) (*Data, error) {
	train, test := partFiles(dir, shardSuffixes)
	if len(train) == 0 {
		return nil, fmt.Errorf("%s: expected tar shards", dir)
	}
	return r.fromFiles(ctx, nil, train, test, readShard)
}

// bounded counts what comes out of a decompressor and stops a bomb.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("it grows to more than %d times its size", maxRatio)
	}
	return n, err
}

func readShard(file string, yield func(record) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	var in io.Reader = bufio.NewReaderSize(f, 1<<20)
	switch {
	case strings.HasSuffix(file, "gz"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		defer z.Close()
		in = &bounded{z, maxRatio * st.Size()}
	case strings.HasSuffix(file, ".zst"):
		z, err := zstd.NewReader(in, zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		defer z.Close()
		in = &bounded{z, maxRatio * st.Size()}
	}
	if err := readTar(tar.NewReader(in), filepath.Base(file), yield); err != nil {
		var bad *RecordError
		if errors.As(err, &bad) {
			return err
		}
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// sample is what a shard says of one key.
type sample struct {
	key, image, label string
	data              []byte
}

func readTar(t *tar.Reader, shard string, yield func(record) error) error {
	var s sample
	row := -1
	emit := func() error {
		if s.key == "" {
			return nil
		}
		row++
		c := record{source: shard + "/" + s.key, row: -1, label: s.label}
		if s.data != nil {
			c.source = shard + "/" + s.image
			data := s.data
			c.read = func() ([]byte, error) { return data, nil }
		}
		return yield(c)
	}
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return emit()
		}
		if err != nil {
			return err
		}
		if n >= maxEntries {
			return fmt.Errorf("more than %d entries", maxEntries)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		key, ext, ok := strings.Cut(path.Base(h.Name), ".")
		if !ok || key == "" {
			continue
		}
		key, ext = path.Join(path.Dir(h.Name), key), strings.ToLower(ext)
		if key != s.key {
			if err := emit(); err != nil {
				return err
			}
			s = sample{key: key}
		}
		picture := slices.Contains(imageSuffixes, "."+ext)
		if !picture && ext != "cls" && ext != "json" {
			continue
		}
		if h.Size > maxEntry {
			return fmt.Errorf("%s: %d bytes, expected up to %d", h.Name, h.Size, maxEntry)
		}
		data, err := readExactly(t, int(h.Size))
		if err != nil {
			return err
		}
		switch {
		case picture:
			s.image, s.data = h.Name, data
		case ext == "cls":
			s.label = strings.TrimSpace(string(data))
		default:
			s.label = jsonLabel(data, s.label)
		}
	}
}

// jsonLabel finds a label in a sample's JSON.
func jsonLabel(data []byte, otherwise string) string {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return otherwise
	}
	for _, k := range append([]string{"cls"}, labelColumns...) {
		switch v := fields[k].(type) {
		case string:
			return v
		case float64:
			return fmt.Sprint(v)
		}
	}
	return otherwise
}
