package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gocloud.dev/gcerrors"
)

type movedKey struct{}

// Watched returns a context whose transfers call moved again and again, so that who waits for a large one knows that it goes on.
func Watched(ctx context.Context, moved func()) context.Context {
	return context.WithValue(ctx, movedKey{}, moved)
}

func tellMoved(ctx context.Context) {
	if moved, ok := ctx.Value(movedKey{}).(func()); ok {
		moved()
	}
}

// pieces reads for a transfer until its context ends.
type pieces struct {
	ctx  context.Context
	from io.Reader
}

func (p pieces) Read(into []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	tellMoved(p.ctx)
	return p.from.Read(into)
}

// putFile keeps what a file holds now, without reading it into memory.
func (s *Store) putFile(ctx context.Context, path string) (Key, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, pieces{ctx, f})
	if err != nil {
		return "", 0, err
	}
	k := Key(hex.EncodeToString(h.Sum(nil)))
	if there, err := s.size(ctx, k); err == nil && there == n {
		return k, n, nil
	}
	if err := s.send(ctx, k, io.NewSectionReader(f, 0, n)); err != nil {
		return "", 0, fmt.Errorf("%s: %w", path, err)
	}
	return k, n, nil
}

// send writes an object, unless what is read is not the key's.
func (s *Store) send(ctx context.Context, k Key, from io.Reader) error {
	at, err := object(k)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.count.put.Add(1)
	w, err := s.bucket.NewWriter(ctx, at, nil)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.where, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), pieces{ctx, from})
	s.count.sent.Add(n)
	if err == nil && hex.EncodeToString(h.Sum(nil)) != string(k) {
		err = errors.New("the file changed while it was read")
	}
	if err != nil {
		stop() // so that Close keeps nothing
		_ = w.Close()
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("store %s: %w", s.where, err)
	}
	return nil
}

// unfinished is what a file is called in the folder that it is fetched to until all of it is there.
const unfinished = ".unfinished"

// getFile writes an object to a file below root, which then holds all of it.
func (s *Store) getFile(ctx context.Context, k Key, root *os.Root, name string) (err error) {
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := root.OpenFile(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	err = s.receive(ctx, k, f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = root.Rename(unfinished, name)
	}
	if err != nil {
		_ = root.Remove(unfinished)
	}
	return err
}

// receive writes an object's bytes. Bytes that are not the key's are an error at the end.
func (s *Store) receive(ctx context.Context, k Key, to io.Writer) error {
	at, err := object(k)
	if err != nil {
		return err
	}
	s.count.get.Add(1)
	r, err := s.bucket.NewReader(ctx, at, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%s: %w", k, ErrNone)
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", s.where, err)
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, h), pieces{ctx, r})
	s.count.received.Add(n)
	if err != nil {
		return fmt.Errorf("store %s: %s: %w", s.where, at, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != string(k) {
		return s.damaged(at)
	}
	return nil
}

func (s *Store) damaged(at string) error {
	return fmt.Errorf("store %s: %w: %s; delete it, and what it held is made again", s.where, ErrDamaged, at)
}

// hashOf is the key of what a file holds.
func hashOf(ctx context.Context, path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, pieces{ctx, f})
	return Key(hex.EncodeToString(h.Sum(nil))), err
}
