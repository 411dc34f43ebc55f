// Package store keeps what machines share: objects that are named by the SHA-256 of what they hold, and a few names that
// stand for objects. It lies in a folder that all machines see, or in S3, GCS or Azure.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/s3blob"  // s3://
	"gocloud.dev/gcerrors"
)

// Key names an object: the SHA-256 of its bytes, in hexadecimal digits.
type Key string

var (
	keyForm  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameForm = regexp.MustCompile(`^[a-z]+/[0-9a-f]{64}$`)
)

// ErrNone is the error of a key or name that nothing was put under.
var ErrNone = errors.New("the store has no such object")

// ErrDamaged is the error of an object that is not what was put there.
var ErrDamaged = errors.New("the object is damaged")

// Store is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	where  string
	count  Counts
}

// Open opens a store: a folder, which is made if it is not there, or the URL of a bucket: s3://NAME?region=…,
// gs://NAME or azblob://NAME, with &prefix=FOLDER/ for a part of one. Buckets take their credentials from where their
// vendors' own programs have them.
func Open(ctx context.Context, where string) (*Store, error) {
	if where == "" {
		return nil, errors.New("no store; name a folder that all machines see, or a bucket: s3://NAME, gs://NAME, azblob://NAME")
	}
	var b *blob.Bucket
	var err error
	scheme, rest, isURL := strings.Cut(where, "://")
	switch {
	case isURL && scheme != "file":
		b, err = blob.OpenBucket(ctx, where)
	default:
		path := where
		if isURL {
			if path, err = url.PathUnescape(rest); err != nil {
				return nil, fmt.Errorf("store %s: %w", where, err)
			}
		}
		b, err = openFolder(path)
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", where, err)
	}
	return &Store{bucket: b, where: where}, nil
}

func openFolder(path string) (*blob.Bucket, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return fileblob.OpenBucket(path, &fileblob.Options{
		CreateDir: true, DirFileMode: 0o777, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
	})
}

// Close ends the use of the store.
func (s *Store) Close() error { return s.bucket.Close() }

func (s *Store) String() string { return s.where }

// object is where an object lies. Keys that are none never get as far as a path.
func object(k Key) (string, error) {
	if !keyForm.MatchString(string(k)) {
		return "", fmt.Errorf("key %.100q, expected 64 hexadecimal digits", string(k))
	}
	return "objects/" + string(k[:2]) + "/" + string(k), nil
}

func sum(data []byte) Key {
	h := sha256.Sum256(data)
	return Key(hex.EncodeToString(h[:]))
}

// Put keeps bytes and returns their key. What is there already is not sent again.
func (s *Store) Put(ctx context.Context, data []byte) (Key, error) {
	k := sum(data)
	path, err := object(k)
	if err != nil {
		return "", err
	}
	defer tellMoved(ctx)
	if n, err := s.size(ctx, k); err == nil && n == int64(len(data)) {
		return k, nil
	}
	s.count.put.Add(1)
	s.count.sent.Add(int64(len(data)))
	if err := s.bucket.WriteAll(ctx, path, data, nil); err != nil {
		return "", fmt.Errorf("store %s: %w", s.where, err)
	}
	return k, nil
}

// Get returns an object's bytes. Bytes that are not the key's are an error.
func (s *Store) Get(ctx context.Context, k Key) ([]byte, error) {
	path, err := object(k)
	if err != nil {
		return nil, err
	}
	data, err := s.read(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	if sum(data) != k {
		return nil, s.damaged(path)
	}
	return data, nil
}

// Has tells whether there is an object, without reading it.
func (s *Store) Has(ctx context.Context, k Key) (bool, error) {
	n, err := s.size(ctx, k)
	return n >= 0, err
}

// size returns how many bytes an object has; -1: there is none.
func (s *Store) size(ctx context.Context, k Key) (int64, error) {
	path, err := object(k)
	if err != nil {
		return -1, err
	}
	s.count.head.Add(1)
	a, err := s.bucket.Attributes(ctx, path)
	switch {
	case gcerrors.Code(err) == gcerrors.NotFound:
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("store %s: %w", s.where, err)
	}
	return a.Size, nil
}

func (s *Store) read(ctx context.Context, path string) ([]byte, error) {
	defer tellMoved(ctx)
	s.count.get.Add(1)
	data, err := s.bucket.ReadAll(ctx, path)
	s.count.received.Add(int64(len(data)))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", s.where, err)
	}
	return data, nil
}

// named is where a name lies. Names are a word, a slash and 64 hexadecimal digits.
func named(name string) (string, error) {
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("name %.100q, expected a word, a slash and 64 hexadecimal digits", name)
	}
	return "names/" + name, nil
}

// Name lets a name stand for an object. With once, a name that stands for one already keeps it. It returns what the
// name stands for then.
func (s *Store) Name(ctx context.Context, name string, k Key, once bool) (Key, error) {
	path, err := named(name)
	if err != nil {
		return "", err
	}
	if !keyForm.MatchString(string(k)) {
		return "", fmt.Errorf("key %.100q, expected 64 hexadecimal digits", string(k))
	}
	s.count.put.Add(1)
	err = s.bucket.WriteAll(ctx, path, []byte(k), &blob.WriterOptions{IfNotExist: once, ContentType: "text/plain"})
	if once && gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return s.Find(ctx, name)
	}
	if err != nil {
		return "", fmt.Errorf("store %s: %w", s.where, err)
	}
	return k, nil
}

// Find returns what a name stands for, or ErrNone.
func (s *Store) Find(ctx context.Context, name string) (Key, error) {
	path, err := named(name)
	if err != nil {
		return "", err
	}
	text, err := s.read(ctx, path)
	if err != nil {
		return "", err
	}
	if !keyForm.Match(text) {
		return "", fmt.Errorf("store %s: %s holds no key; delete it", s.where, path)
	}
	return Key(text), nil
}

// Usable writes and reads a few bytes, so that a store that can't be used is found before work begins.
func (s *Store) Usable(ctx context.Context) error {
	k, err := s.Put(ctx, []byte("unpoison's store\n"))
	if err == nil {
		_, err = s.Get(ctx, k)
	}
	return err
}
