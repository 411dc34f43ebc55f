package dataset

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// WebDataset: tar shards in which the files of a sample have one name up to the first dot of its last element: 000.jpg and
// 000.cls (a class's number or name), 000.json (with label, cls or class) or 000.txt.

var shardSuffixes = []string{".tar", ".tar.gz", ".tgz", ".tar.zst"}

func openWebDataset(ctx context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	p := s.partFiles(dir, shardSuffixes)
	if len(p.train) == 0 {
		return nil, fmt.Errorf("expected tar shards")
	}
	shards := map[string]*shard{}
	columns, by, err := s.countSampleParts(ctx, p.train, o, shards)
	if err != nil {
		return nil, err
	}
	c := p.of(s, nil, func(file string, yield func(Record) error) error {
		if shards[file] == nil {
			index := newShard(s.rel(file), o)
			if err := s.readShard(file, index.look); err != nil {
				return err
			}
			shards[file] = index
		}
		return s.readShard(file, func(t *tar.Reader) error { return shards[file].records(t, yield) })
	})
	c.Notes = append(s.unreadNote("shards", s.unread(dir, shardSuffixes, p), p), s.gaps(p)...)
	c.Train.unlabelled = func() string { return foldersIn(p.train, shards) }
	c.Train.notes = func() []string { return veiledIn(p.train, shards) }
	if c.Test != nil {
		c.Test.notes = func() []string { return veiledIn(p.test, shards) }
	}
	return c, s.partedBy(c, p, columns, by)
}

// veiledIn says how many images of shards are passed over.
func veiledIn(files []string, shards map[string]*shard) []string {
	n, first := 0, ""
	for _, f := range files {
		if s := shards[f]; s != nil && s.veiled > 0 {
			n, first = n+s.veiled, cmp.Or(first, s.first)
		}
	}
	if n == 0 {
		return nil
	}
	return []string{hiddenNote(n, first)}
}

// foldersIn is what to do with shards whose images lie in folders, and have no labels else.
func foldersIn(files []string, shards map[string]*shard) string {
	folders := map[string]bool{}
	for _, f := range files {
		if s := shards[f]; s != nil {
			for _, of := range s.order {
				folders[path.Dir(of.key)] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(folders))
	if len(names) < 2 {
		return ""
	}
	return fmt.Sprintf("; if its folders, such as %q, are the classes, unpack it and name the folder that they lie in", names[:min(len(names), mostNamed)])
}

// shard is what a first look at an archive found.
type shard struct {
	Options
	name    string
	samples map[string]*sample
	order   []*sample
	images  map[int]*sample // by the member that is the image, or a link to it
	targets map[string]int  // members by name
	links   map[int]string  // images that are links, and to which member
	held    map[int]bool    // members that links need
	damage  error           // where reading ended early
	veiled  int             // images that are passed over
	first   string          // of them
	// each counts what JSON says under a key; may be nil.
	each func(key string) *partCount
}

// sample is what a shard says of one key.
type sample struct {
	key, image string
	labels     []sampleLabel
	bad, want  string
	split      string // the part that it says it is of
	parts      []keyPart
}

type sampleLabel struct {
	from  string // the ending of the member
	kind  string // cls, json or txt
	label Label
}

func newShard(name string, o Options) *shard {
	return &shard{
		Options: o, name: name, samples: map[string]*sample{}, images: map[int]*sample{},
		targets: map[string]int{}, links: map[int]string{}, held: map[int]bool{},
	}
}

// members goes through the files and links of an archive that belong to samples. past is told the names of others that are
// passed over; nil: nobody.
func members(t *tar.Reader, past func(name string), visit func(n int, h *tar.Header, key, ext string) error) error {
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &damagedArchive{n, err}
		}
		if n >= maxEntries {
			return fmt.Errorf("more than %d entries", maxEntries)
		}
		h.Name = path.Clean(h.Name)
		if !slices.Contains([]byte{tar.TypeReg, tar.TypeLink, tar.TypeSymlink, tar.TypeGNUSparse}, h.Typeflag) {
			continue
		}
		if passedOverPath(h.Name) {
			if past != nil {
				past(h.Name)
			}
			continue
		}
		key, ext, ok := splitMember(h.Name)
		if !ok {
			continue
		}
		if err := visit(n, h, key, ext); err != nil {
			return err
		}
	}
}

// splitMember parts a member's name at the first dot of its last element, if there are letters on both sides: into the key of its
// sample, and the ending in small letters.
func splitMember(name string) (key, ext string, ok bool) {
	name = path.Clean(name)
	base, ext, ok := strings.Cut(path.Base(name), ".")
	return path.Join(path.Dir(name), base), strings.ToLower(ext), ok && base != ""
}

// lastEnding is what follows an ending's last dot: the kind of file.
func lastEnding(ext string) string { return ext[strings.LastIndex(ext, ".")+1:] }

// shardLabelKinds are the files that may say a sample's label, shardLabelKeys the known ones in JSON.
var (
	shardLabelKinds = []string{"cls", "json", "txt"}
	shardLabelKeys  = append([]string{"cls"}, labelColumns...)
)

// damagedArchive says where an archive ends early.
type damagedArchive struct {
	member int
	err    error
}

func (e *damagedArchive) Error() string { return fmt.Sprintf("member %d: %v", e.member, e.err) }
func (e *damagedArchive) Unwrap() error { return e.err }

// past counts the images among members that are passed over.
func (s *shard) past(name string) {
	if !isHiddenImage(name) {
		return
	}
	if s.veiled++; s.veiled == 1 {
		s.first = s.name + "/" + name
	}
}

// look finds the members of each sample, wherever they stand, and reads the labels.
func (s *shard) look(t *tar.Reader) error {
	err := members(t, s.past, func(n int, h *tar.Header, key, ext string) error {
		kind := lastEnding(ext)
		picture := slices.Contains(imageSuffixes, "."+kind)
		if !picture && !slices.Contains(shardLabelKinds, kind) {
			return nil
		}
		of := s.samples[key]
		if of == nil {
			of = &sample{key: key}
			s.samples[key] = of
			s.order = append(s.order, of)
		}
		if first, twice := s.targets[h.Name]; twice {
			of.bad, of.want = fmt.Sprintf("two, members %d and %d", first, n), "one member "+h.Name
			return nil
		}
		s.targets[h.Name] = n
		if !picture {
			return of.readLabel(t, h, ext, kind, s)
		}
		if s.Image != "" && s.Image != ext && s.Image != kind {
			return nil
		}
		if of.image != "" {
			of.bad, of.want = fmt.Sprintf("%s and %s; --image ENDING says which", of.image, h.Name), "one image"
			return nil
		}
		of.image = h.Name
		s.images[n] = of
		if h.Typeflag == tar.TypeLink {
			s.links[n] = path.Clean(h.Linkname)
		} else if h.Typeflag == tar.TypeSymlink {
			s.links[n] = path.Join(path.Dir(h.Name), h.Linkname)
		}
		return nil
	})
	for n, to := range s.links {
		if at, ok := s.targets[to]; ok && at < n {
			s.held[at] = true
		}
	}
	s.samples = nil // what is kept of all shards is what their records need
	if len(s.links) == 0 {
		s.targets = nil
	}
	var damage *damagedArchive
	if errors.As(err, &damage) {
		s.damage, err = damage, nil
	}
	return err
}

// readLabel reads a member that says the class. The label that is asked for is the member's ending or the key in its JSON.
func (of *sample) readLabel(t *tar.Reader, h *tar.Header, ext, kind string, s *shard) error {
	asked := s.Label
	if h.Size > maxLine || h.Typeflag != tar.TypeReg {
		of.bad, of.want = fmt.Sprintf("a link or %d bytes", h.Size), "a label in "+h.Name
		return nil
	}
	data, err := readExactly(t, int(h.Size))
	if err != nil {
		return &damagedArchive{0, err}
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	l := sampleLabel{from: ext, kind: kind}
	if asked != "" && asked != ext && kind != "json" {
		return nil
	}
	if kind != "json" || asked == ext {
		l.label = Text(string(data))
	} else {
		fields, _, err := jsonObject(data)
		if err != nil {
			of.bad, of.want = err.Error(), "a JSON object in "+h.Name
			return nil
		}
		var head []string
		for k, v := range fields {
			if v != nil {
				head = append(head, k)
			}
		}
		slices.Sort(head)
		s.tellParts(of, head, fields)
		name, err := column(head, shardLabelKeys, asked, "--label")
		if errors.Is(err, errTwoColumns) {
			of.bad, of.want = err.Error(), "one label in "+h.Name
			return nil
		}
		var bad string
		if l.label, bad = jsonLabel(fields[name]); bad != "" { // else what was bad before stays so
			of.bad, of.want = bad, "one label in "+h.Name
		}
	}
	if l.label.kind != noLabel {
		of.labels = append(of.labels, l)
	}
	return nil
}

// label picks a sample's label: text beside others is a caption, and all others have to agree.
func (of *sample) label() (Label, string) {
	all := of.labels
	if slices.ContainsFunc(all, func(l sampleLabel) bool { return l.kind != "txt" }) {
		all = slices.DeleteFunc(slices.Clone(all), func(l sampleLabel) bool { return l.kind == "txt" })
	}
	for _, l := range all {
		if l.label.String() != all[0].label.String() {
			return Label{}, fmt.Sprintf("%s in %s and %s in %s; --label says which", all[0].label.describe(), all[0].from, l.label.describe(), l.from)
		}
	}
	if len(all) == 0 {
		return Label{}, ""
	}
	return all[0].label, ""
}

// record is a sample without its image's bytes.
func (s *shard) record(of *sample) Record {
	r := Record{Source: s.name + "/" + of.key, Row: -1, split: of.split}
	if of.image != "" {
		r.Source = s.name + "/" + of.image
	}
	bad := ""
	if r.Label, bad = of.label(); bad != "" {
		r.Err = &RecordError{r.Source, -1, "one label", bad}
	}
	if of.bad != "" {
		r.Err = &RecordError{r.Source, -1, of.want, of.bad}
	}
	return r
}

// records yields the samples in the order of their images, then those without one.
func (s *shard) records(t *tar.Reader, yield func(Record) error) error {
	held, size := map[int][]byte{}, 0
	err := members(t, nil, func(n int, h *tar.Header, _, _ string) error {
		of, isImage := s.images[n]
		if !isImage && !s.held[n] {
			return nil
		}
		var data []byte
		var err error
		to, isLink := s.links[n]
		switch {
		case isLink:
			at, ok := s.targets[to]
			if data = held[at]; !ok || data == nil {
				err = fmt.Errorf("a link to %s, which is not there before it", to)
			}
		case h.Size > maxEntry:
			err = fmt.Errorf("%d bytes, expected up to %d", h.Size, maxEntry)
		default:
			data, err = readExactly(t, int(h.Size))
		}
		if s.held[n] {
			if size += len(data); size > maxHeld {
				return fmt.Errorf("links to more than %d MB", maxHeld>>20)
			}
			held[n] = data
		}
		if !isImage {
			return nil
		}
		r := s.record(of)
		r.File = func() ([]byte, error) { return data, err }
		return yield(r)
	})
	var damage *damagedArchive
	if err != nil && !errors.As(err, &damage) {
		return err
	}
	for _, of := range s.order {
		if of.image == "" && (len(of.labels) > 0 || of.bad != "") {
			if err := yield(s.record(of)); err != nil {
				return err
			}
		}
	}
	if s.damage != nil {
		return yield(Record{Source: s.name, Row: -1, Err: &RecordError{s.name, -1, "a whole archive", s.damage.Error()}})
	}
	return nil
}
