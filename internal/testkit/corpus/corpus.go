// Package corpus keeps what fuzzing found: a file testdata/corpus/NAME.tar.zst for each fuzz test, with the inputs that
// once reached code that no other reached. Every go test runs them again. keep.sh here makes the files.
package corpus

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Add adds the kept inputs to a fuzz test.
func Add(f *testing.F) {
	f.Helper()
	path := filepath.Join("testdata", "corpus", f.Name()+".tar.zst")
	if err := each(path, func(args []any) { f.Add(args...) }); err != nil {
		f.Fatal(err)
	}
}

func each(path string, add func(args []any)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	z, err := zstd.NewReader(file)
	if err != nil {
		return err
	}
	defer z.Close()
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		raw, err := io.ReadAll(t)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		args, err := parse(string(raw))
		if err != nil {
			return fmt.Errorf("%s: %s: %w", path, h.Name, err)
		}
		add(args)
	}
}

// parse reads an input as go test -fuzz stores it: a version, then an argument a line.
func parse(text string) (args []any, err error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if lines[0] != "go test fuzz v1" {
		return nil, fmt.Errorf("expected an input of go test fuzz v1, found %.30q", lines[0])
	}
	for _, l := range lines[1:] {
		kind, value, _ := strings.Cut(strings.TrimSuffix(l, ")"), "(")
		s, err := strconv.Unquote(value)
		if err != nil {
			return nil, fmt.Errorf("argument %.30q: %w", l, err)
		}
		switch kind {
		case "[]byte":
			args = append(args, []byte(s))
		case "byte": // a quoted character
			args = append(args, byte([]rune(s)[0]))
		default:
			return nil, fmt.Errorf("an argument of type %s, expected []byte or byte", kind)
		}
	}
	return args, nil
}
