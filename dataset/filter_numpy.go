package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/unpoison/unpoison/internal/base/names"
)

// numpy filters the arrays of training images and labels, and others with as many rows unless they are named after
// another part.
func (f *filter) numpy() error {
	if len(f.rows) == 0 {
		return f.rewrites(nil)
	}
	if len(f.rows) > 1 {
		return fmt.Errorf("images of %d arrays", len(f.rows))
	}
	var images string
	var c *change
	for images, c = range f.rows {
	}
	heads, err := f.numpyHeads(c)
	if err != nil {
		return err
	}
	archive := filepath.Join(f.base, f.only)
	if f.only == "" {
		zips := names.Matching(f.base, "*.npz")
		if len(zips) != 1 {
			return f.npyFolder(images, c, heads)
		}
		archive = zips[0]
	}
	return f.rewrites(map[string]func(from, to string) error{archive: func(from, to string) error { return f.npz(from, to, images, c, heads) }})
}

// ofTraining reports whether an array of n rows belongs to the training images, of which there are total.
func ofTraining(name, images string, n, total int) bool {
	if name == images {
		return true
	}
	if n != total {
		return false
	}
	return !slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }), func(word string) bool {
		part := splitOf(strings.Trim(word, "xy")) // also xtest
		return part == "test" || part == "val"
	})
}

func arrayName(file string) string {
	return strings.ToLower(strings.TrimSuffix(filepath.Base(file), ".npy"))
}

func (f *filter) npyFolder(images string, c *change, heads arrayHeads) error {
	all := names.Matching(f.base, "*.npy")
	total := -1
	rows := map[string]int{}
	for _, p := range all {
		h, err := npyFileHead(p)
		if err != nil {
			continue // no array that can have rows dropped
		}
		rows[p] = h.rows
		if arrayName(p) == images {
			total = h.rows
		}
	}
	if total < 0 {
		return fmt.Errorf("the array %s is not there", images)
	}
	write := map[string]func(from, to string) error{}
	for p, n := range rows {
		if ofTraining(arrayName(p), images, n, total) {
			write[p] = func(from, to string) error {
				return f.convert(from, to, func(in io.Reader, w io.Writer) error { return copyNPY(w, in, c.drop, heads.of(p)) })
			}
		}
	}
	return f.rewrites(write)
}

func npyFileHead(path string) (*rowHead, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readRowHead(in)
}

// npz writes the archive anew. Entries that are not training arrays keep their compressed bytes.
func (f *filter) npz(from, to, images string, c *change, heads arrayHeads) error {
	z, err := zip.OpenReader(from)
	if err != nil {
		return err
	}
	defer z.Close()
	rows := map[string]int{}
	total := -1
	for _, e := range z.File {
		in, err := e.Open()
		if err != nil {
			return err
		}
		if h, err := readRowHead(in); err == nil {
			rows[e.Name] = h.rows
			if arrayName(e.Name) == images {
				total = h.rows
			}
		}
		in.Close()
	}
	if total < 0 {
		return fmt.Errorf("%s: the array %s is not there", from, images)
	}
	return writeFile(to, func(w io.Writer) error {
		out := zip.NewWriter(w)
		for _, e := range z.File {
			n, ok := rows[e.Name]
			if !ok || !ofTraining(arrayName(e.Name), images, n, total) {
				if err := out.Copy(e); err != nil {
					return err
				}
				continue
			}
			part, err := out.CreateHeader(&zip.FileHeader{Name: e.Name, Method: e.Method, Modified: e.Modified})
			if err != nil {
				return err
			}
			in, err := e.Open()
			if err != nil {
				return err
			}
			err = copyNPY(part, &interrupted{f.ctx, in}, c.drop, heads.of(e.Name))
			in.Close()
			if err != nil {
				return fmt.Errorf("%s: %s: %w", from, e.Name, err)
			}
		}
		return out.Close()
	})
}

// rowHead is the head of a NumPy file whose first dimension counts rows.
type rowHead struct {
	version byte
	text    string
	at      [2]int // where the first dimension stands in text
	rows    int
	size    int64 // bytes of a row
}

var (
	npyRows  = regexp.MustCompile(`'shape':\s*\(\s*([0-9]+)\s*,([0-9, ]*)\)`)
	npyWidth = regexp.MustCompile(`'descr':\s*'[<>|=]?[a-zA-Z]([0-9]+)'`)
)

func readRowHead(in io.Reader) (*rowHead, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:6]) != "\x93NUMPY" {
		return nil, errors.New("expected a NumPy header")
	}
	width := 2
	if head[6] > 1 {
		width = 4
	}
	var size [4]byte
	if _, err := io.ReadFull(in, size[:width]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > 1<<20 {
		return nil, fmt.Errorf("a NumPy header of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(in, text); err != nil {
		return nil, err
	}
	h := &rowHead{version: head[6], text: string(text)}
	shape, item := npyRows.FindSubmatchIndex(text), npyWidth.FindSubmatch(text)
	if shape == nil || item == nil || bytes.Contains(text, []byte("'fortran_order': True")) {
		return nil, errors.New("an array without rows of plain numbers")
	}
	h.at = [2]int{shape[2], shape[3]}
	var err error
	if h.rows, err = strconv.Atoi(h.text[shape[2]:shape[3]]); err != nil {
		return nil, err
	}
	if h.size, err = strconv.ParseInt(string(item[1]), 10, 32); err != nil {
		return nil, err
	}
	if strings.Contains(string(item[0]), "U") {
		h.size *= 4 // NumPy's text has four bytes a character
	}
	for _, d := range strings.Split(h.text[shape[4]:shape[5]], ",") {
		if d = strings.TrimSpace(d); d == "" {
			continue
		}
		v, err := strconv.ParseInt(d, 10, 32)
		if err != nil || v <= 0 || h.size > (1<<31)/v {
			return nil, fmt.Errorf("dimension %s of the array", d)
		}
		h.size *= v
	}
	return h, nil
}

// copyNPY copies an array without the rows in drop, each of which is there; see copyRows.
func copyNPY(w io.Writer, in io.Reader, drop map[int]bool, heads map[int][]byte) error {
	h, err := readRowHead(in)
	if err != nil {
		return err
	}
	if h.rows < len(drop) {
		return fmt.Errorf("%d rows, %d are to be dropped", h.rows, len(drop))
	}
	n := strconv.Itoa(h.rows - len(drop))
	text := h.text[:h.at[0]] + n + h.text[h.at[1]:]
	text = strings.TrimRight(text, " \n") // the header keeps its length, which aligns the data
	if len(text) >= len(h.text) {
		return errors.New("a NumPy header without room")
	}
	text += strings.Repeat(" ", len(h.text)-1-len(text)) + "\n"
	head := append([]byte("\x93NUMPY"), h.version, 0)
	if h.version > 1 {
		head = binary.LittleEndian.AppendUint32(head, uint32(len(text)))
	} else {
		head = binary.LittleEndian.AppendUint16(head, uint16(len(text)))
	}
	if _, err := w.Write(append(head, text...)); err != nil {
		return err
	}
	return copyRows(w, in, h.size, drop, heads)
}
