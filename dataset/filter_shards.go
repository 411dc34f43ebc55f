package dataset

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
)

// shards filters WebDataset: the members of the dropped samples go, all others keep their bytes, their heads included.
func (f *filter) shards() error {
	files, err := f.named(shardSuffixes)
	if err != nil {
		return err
	}
	of := map[string]*sampleChange{}
	change := func(source string) (file, member string) {
		if file, member = f.memberOf(source, files); of[file] == nil {
			of[file] = &sampleChange{map[string]bool{}, map[string][2]string{}, f.opts.Label}
		}
		return file, member
	}
	for _, source := range f.members {
		file, member := change(source)
		of[file].gone[cmp.Or(sampleKey(member), path.Clean(member))] = true // a sample without an image is called by its key
	}
	for i := range f.drop {
		if !f.drop[i] && !f.relabelled(i) {
			continue
		}
		source, _ := f.data.Train.origin(i)
		file, member := change(source)
		if file == "" {
			return fmt.Errorf("%s: no such member of a shard", source)
		}
		if f.drop[i] {
			of[file].gone[sampleKey(member)] = true
		} else {
			set := f.data.Train
			of[file].label[sampleKey(member)] = [2]string{set.Classes[set.Labels[i]], set.Classes[f.labels[i]]}
		}
	}
	f.files = map[string]bool{}
	write := map[string]func(from, to string) error{}
	for p, c := range of {
		write[p] = func(from, to string) error { return f.shard(from, to, c) }
	}
	return f.rewrites(write)
}

// memberOf splits an image's source into its shard, named relative to the data or by its last element, and the member.
func (f *filter) memberOf(source string, files []string) (file, member string) {
	for _, p := range files {
		if rel, err := filepath.Rel(f.base, p); err == nil {
			if m, ok := strings.CutPrefix(source, filepath.ToSlash(rel)+"/"); ok {
				return p, m
			}
		}
	}
	for _, p := range files {
		if m, ok := strings.CutPrefix(source, filepath.Base(p)+"/"); ok {
			if file != "" {
				return "", "" // which one is not said
			}
			file, member = p, m
		}
	}
	return file, member
}

// sampleKey is the key of the sample that a member belongs to, or "".
func sampleKey(member string) string {
	key, _, ok := splitMember(member)
	if !ok {
		return ""
	}
	return key
}

func (f *filter) shard(from, to string, c *sampleChange) error {
	return f.convert(from, to, func(in io.Reader, w io.Writer) error {
		if err := copyMembers(w, in, c); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		return nil
	})
}

// heads keeps what is read of a tar archive until a member's head is known.
type heads struct {
	in   io.Reader
	read int64
	kept bytes.Buffer
	body io.Writer // takes what is read of a member's content instead
	left int64     // bytes up to which it does so; negative: no bound
}

func (h *heads) Read(p []byte) (int, error) {
	n, err := h.in.Read(p)
	h.read += int64(n)
	rest := p[:n]
	if h.body != nil {
		take := int64(n)
		if h.left >= 0 {
			take = min(take, h.left)
			h.left -= take
		}
		if _, e := h.body.Write(rest[:take]); e != nil {
			return n, e
		}
		rest = rest[take:]
		if h.left == 0 {
			h.body = nil
		}
	}
	if h.kept.Len()+len(rest) > maxHead {
		return 0, fmt.Errorf("a member's head of more than %d bytes", maxHead)
	}
	h.kept.Write(rest)
	return n, err
}

// content makes what is read until pad go to w.
func (h *heads) content(w io.Writer) {
	h.kept.Reset()
	h.body, h.left = w, -1
}

// pad makes the rest of the last block, which is read later, follow the content.
func (h *heads) pad() {
	if h.left = (512 - h.read%512) % 512; h.left == 0 {
		h.body = nil
	}
}

// maxHead bounds a member's head with its extensions and the zeros that end an archive.
const maxHead = 8 << 20

// copyMembers copies an archive's bytes but those of the members of changed samples.
func copyMembers(w io.Writer, in io.Reader, c *sampleChange) error {
	h := &heads{in: in}
	t := tar.NewReader(h)
	dropped := map[string]bool{}
	for {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if head.Typeflag == tar.TypeGNUSparse || head.PAXRecords["GNU.sparse.major"] != "" || head.PAXRecords["GNU.sparse.name"] != "" {
			return fmt.Errorf("%s: a sparse member, which can't be copied; extract the archive and pack it anew", head.Name)
		}
		to := w
		if c.relabels(head) {
			h.content(io.Discard)
			if err := c.relabel(w, head, t); err != nil {
				return err
			}
			h.pad()
			continue
		}
		if key := sampleKey(head.Name); c.gone[key] && head.Typeflag != tar.TypeDir {
			to, dropped[path.Clean(head.Name)] = io.Discard, true
		} else if target := linkTarget(head); dropped[target] {
			return fmt.Errorf("%s is a link to %s, which is to be dropped; drop both or extract the archive", head.Name, target)
		}
		if _, err := to.Write(h.kept.Bytes()); err != nil {
			return err
		}
		h.content(to)
		if _, err := io.Copy(io.Discard, t); err != nil {
			return err
		}
		h.pad()
	}
	if _, err := w.Write(h.kept.Bytes()); err != nil {
		return err
	}
	_, err := io.Copy(w, in) // zeros up to the record's end
	return err
}

// linkTarget is the member that a link is to, or "".
func linkTarget(h *tar.Header) string {
	switch h.Typeflag {
	case tar.TypeLink:
		return path.Clean(h.Linkname)
	case tar.TypeSymlink:
		return path.Join(path.Dir(h.Name), h.Linkname)
	}
	return ""
}
