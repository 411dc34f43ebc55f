package dataset

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/rng"
)

// A tiny data set, by what it means. The images of a part are in the order of their classes, as folders have them.
type tiny struct {
	side        int
	grey        bool
	classes     []string // names; layouts without names number them
	train, test []tinyImage
	words       [2]string // what the parts are called
	junk        bool      // what archives hold besides
	lists       bool      // labels are one-hot lists
	columns     bool      // labels are a column of 0 and 1 a class, in tables
	column      string    // of another label beside the first
}

type tinyImage struct {
	pix    []byte // side × side × 3, or × 1
	side   int
	label  int    // -1: none
	odd    any    // a label that is none, instead
	file   []byte // an image file instead of pix
	absent bool   // the file is not there
}

// tinySet draws images of three classes.
func tinySet(side int, grey bool, train, test int) *tiny {
	s := &tiny{side: side, grey: grey, classes: []string{"bird", "cat", "dog"}, words: [2]string{"train", "test"}}
	r := rng.Stream(1, "tiny", side, train, test)
	for k, n := range []int{train, test} {
		var part []tinyImage
		for c := range s.classes {
			for range n {
				pix := make([]byte, side*side*s.channels())
				for i := range pix {
					pix[i] = byte(r.IntN(256))
				}
				part = append(part, tinyImage{pix: pix, side: side, label: c})
			}
		}
		if k == 0 {
			s.train = part
		} else {
			s.test = part
		}
	}
	return s
}

func (s *tiny) channels() int {
	if s.grey {
		return 1
	}
	return 3
}

// encoded is the image as a file.
func (s *tiny) encoded(i tinyImage) []byte {
	if i.file != nil {
		return i.file
	}
	var img image.Image = ToImage(slices.Clone(append(i.pix, make([]byte, i.side*i.side*3-len(i.pix))...)), i.side, i.side)
	if s.grey {
		img = &image.Gray{Pix: i.pix, Stride: i.side, Rect: image.Rect(0, 0, i.side, i.side)}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// value is the label as it is written: a name or a number.
func (s *tiny) value(i tinyImage, names bool) any {
	switch {
	case i.odd != nil:
		return i.odd
	case i.label < 0:
		return nil
	case s.lists:
		list := make([]int, len(s.classes))
		list[i.label] = 1
		return list
	case names:
		return s.classes[i.label]
	}
	return i.label
}

// each calls do for the parts that are there.
func (s *tiny) each(do func(word string, images []tinyImage)) {
	do(s.words[0], s.train)
	if s.test != nil {
		do(s.words[1], s.test)
	}
}

func put(t testing.TB, path string, raw []byte) {
	t.Helper()
	testfile.Write(t, path, raw)
}

func writeTinyFolder(t testing.TB, dir string, s *tiny) {
	s.each(func(word string, images []tinyImage) {
		for _, c := range s.classes {
			if err := os.MkdirAll(filepath.Join(dir, word, c), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for k, i := range images {
			class, ok := s.value(i, true).(string)
			if !ok {
				class = "class" + fmt.Sprint(s.value(i, true))
			}
			put(t, filepath.Join(dir, word, class, fmt.Sprintf("%03d.png", k)), s.encoded(i))
		}
	})
}

// oneHot are the cells of an image's label in columns of 0 and 1.
func (s *tiny) oneHot(i tinyImage) []string {
	cells := make([]string, len(s.classes))
	for c := range cells {
		switch list, several := i.odd.([]int); {
		case several:
			cells[c] = fmt.Sprint(list[c])
		case i.label >= 0:
			cells[c] = []string{"0", "1.0"}[bit(c == i.label)]
		}
	}
	return cells
}

// writeTinyTable writes CSV, TSV or JSON Lines, by the ending.
func writeTinyTable(ending string) func(t testing.TB, dir string, s *tiny) {
	return func(t testing.TB, dir string, s *tiny) {
		s.each(func(word string, images []tinyImage) {
			var b bytes.Buffer
			w := csv.NewWriter(&b)
			if ending == ".tsv" {
				w.Comma = '\t'
			}
			head := []string{"file_name", "label"}
			if s.column != "" {
				head = append(head, s.column)
			}
			if s.columns {
				head = append(head[:1], s.classes...)
			}
			if ending != ".jsonl" {
				_ = w.Write(head)
			}
			for k, i := range images {
				name, v := fmt.Sprintf("images/%s-%03d.png", word, k), s.value(i, true)
				if !i.absent {
					put(t, filepath.Join(dir, name), s.encoded(i))
				}
				if ending == ".jsonl" {
					row := map[string]any{"file_name": name, "label": v}
					if s.column != "" {
						row[s.column] = "other"
					}
					if s.columns {
						delete(row, "label")
						for c, text := range s.oneHot(i) {
							row[s.classes[c]] = json.RawMessage(cmp.Or(text, "null"))
						}
					}
					raw, _ := json.Marshal(row)
					b.Write(append(raw, '\n'))
					continue
				}
				cells := []string{name, fmt.Sprint(v)}
				if v == nil {
					cells[1] = ""
				}
				if s.column != "" {
					cells = append(cells, "other")
				}
				if s.columns {
					cells = append(cells[:1], s.oneHot(i)...)
				}
				_ = w.Write(cells)
			}
			w.Flush()
			put(t, filepath.Join(dir, word+ending), b.Bytes())
		})
	}
}

type parquetImage struct {
	Bytes []byte `parquet:"bytes,optional"`
	Path  string `parquet:"path,optional"`
}

func writeTinyParquet(t testing.TB, dir string, s *tiny) {
	type flat struct {
		Image parquetImage `parquet:"image"`
		Label *int64       `parquet:"label,optional"`
	}
	type two struct {
		Image parquetImage `parquet:"image"`
		Label *int64       `parquet:"label,optional"`
		Class string       `parquet:"class"`
	}
	type list struct {
		Image parquetImage `parquet:"image"`
		Label []int64      `parquet:"label,list"`
	}
	names, _ := json.Marshal(map[string]any{"info": map[string]any{"features": map[string]any{"label": map[string]any{"names": s.classes, "_type": "ClassLabel"}}}})
	meta := parquet.KeyValueMetadata("huggingface", string(names))
	s.each(func(word string, images []tinyImage) {
		var b bytes.Buffer
		var flats []flat
		var twos []two
		var lists []list
		for _, i := range images {
			var label *int64
			many := []int64{}
			switch v := s.value(i, false).(type) {
			case int:
				n := int64(v)
				label = &n
			case []int:
				for _, x := range v {
					many = append(many, int64(x))
				}
			}
			img := parquetImage{Bytes: s.encoded(i)}
			if i.absent {
				img.Bytes = nil
			}
			flats = append(flats, flat{img, label})
			twos = append(twos, two{img, label, "other"})
			lists = append(lists, list{img, many})
		}
		var err error
		_, multi := images[0].odd.([]int)
		switch {
		case s.columns:
			err = s.writeHot(&b, images)
		case s.lists || multi:
			err = parquet.Write(&b, lists, meta)
		case s.column != "":
			err = parquet.Write(&b, twos, meta)
		default:
			err = parquet.Write(&b, flats, meta)
		}
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "data", word+"-00000-of-00001.parquet"), b.Bytes())
	})
}

// writeHot writes Parquet with a column of zeros and ones a class.
func (s *tiny) writeHot(b *bytes.Buffer, images []tinyImage) error {
	fields := []reflect.StructField{{Name: "Image", Type: reflect.TypeFor[parquetImage](), Tag: `parquet:"image"`}}
	for c, class := range s.classes {
		fields = append(fields, reflect.StructField{Name: fmt.Sprint("Class", c), Type: reflect.TypeFor[*float64](), Tag: reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional"`, class))})
	}
	row := reflect.StructOf(fields)
	w := parquet.NewWriter(b, parquet.SchemaOf(reflect.New(row).Interface()))
	for _, i := range images {
		v := reflect.New(row)
		img := parquetImage{Bytes: s.encoded(i)}
		if i.absent {
			img.Bytes = nil
		}
		v.Elem().Field(0).Set(reflect.ValueOf(img))
		for c, text := range s.oneHot(i) {
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				v.Elem().Field(1 + c).Set(reflect.ValueOf(&n))
			}
		}
		if err := w.Write(v.Interface()); err != nil {
			return err
		}
	}
	return w.Close()
}

func writeTinyShard(t testing.TB, dir string, s *tiny) {
	s.each(func(word string, images []tinyImage) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		member := func(name string, raw []byte) {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(raw))}); err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write(raw)
		}
		if s.junk {
			member("__MACOSX/._000.png", []byte("junk"))
			member(".DS_Store", []byte("junk"))
			member("._000.png", []byte("junk"))
		}
		for k, i := range images {
			key := fmt.Sprintf("%03d", k)
			if !i.absent {
				member(key+".png", s.encoded(i))
			}
			v := s.value(i, true)
			_, list := v.([]int)
			switch {
			case s.column != "":
				raw, _ := json.Marshal(map[string]any{"label": v, s.column: "other"})
				member(key+".json", raw)
			case list:
				raw, _ := json.Marshal(map[string]any{"label": v})
				member(key+".json", raw)
			case v != nil:
				member(key+".cls", []byte(fmt.Sprint(v)))
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, word+"-000.tar"), b.Bytes())
	})
}

func writeTinyGTSRB(t testing.TB, dir string, s *tiny) {
	tables := map[string]*bytes.Buffer{}
	add := func(folder, table string, k int, i tinyImage) {
		b := tables[table]
		if b == nil {
			b = bytes.NewBufferString("Filename;ClassId\n")
			tables[table] = b
		}
		name := fmt.Sprintf("%05d.ppm", k)
		label := ""
		switch v := s.value(i, false).(type) {
		case nil:
			label = "-1"
		default:
			label = fmt.Sprint(v)
		}
		fmt.Fprintf(b, "%s;%s\n", name, label)
		raw := i.file
		if raw == nil {
			magic := "P6"
			if s.grey {
				magic = "P5"
			}
			raw = append([]byte(magic+"\n"+strconv.Itoa(i.side)+" "+strconv.Itoa(i.side)+"\n255\n"), i.pix...)
		}
		if !i.absent {
			put(t, filepath.Join(dir, folder, name), raw)
		}
	}
	for k, i := range s.train {
		class := fmt.Sprintf("%05d", max(i.label, 0))
		folder := "Final_Training/Images/" + class
		add(folder, folder+"/GT-"+class+".csv", k, i)
	}
	for k, i := range s.test {
		add("Final_Test/Images", "Final_Test/GT-final_test.csv", k, i)
	}
	for table, b := range tables {
		put(t, filepath.Join(dir, table), b.Bytes())
	}
}
