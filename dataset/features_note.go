package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/limited"
)

// featuresNote ends the name of the file that says which images a file of features is of. An array says only how many there are.
const featuresNote = ".json"

// noted is what such a file says.
type noted struct {
	Images int    `json:"images"`
	Digest string `json:"images_digest"` // of the images' digests, in order
}

// noteOf returns what is said of features of a set's images.
func noteOf(set *Set) noted {
	sum := sha256.New()
	for i := range set.Len() {
		d := set.ImageDigest(i)
		sum.Write(d[:])
	}
	return noted{set.Len(), "sha256:" + hex.EncodeToString(sum.Sum(nil))}
}

// NoteFeatures writes beside a file of features which images they are of, in their order. LoadFeatures then refuses them for others.
func NoteFeatures(file string, set *Set) error {
	raw, err := json.Marshal(noteOf(set))
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(file+featuresNote, append(raw, '\n'))
}

// ForgetFeatures removes what NoteFeatures wrote, before other features come.
func ForgetFeatures(file string) error {
	if _, err := readNote(file); err != nil {
		return nil //nolint:nilerr // there is none, or a file of the user's own
	}
	return os.Remove(file + featuresNote)
}

func readNote(file string) (n noted, err error) {
	raw, err := limited.ReadFile(file+featuresNote, 1<<20)
	if err == nil {
		err = json.Unmarshal(raw, &n)
	}
	if err == nil && n.Digest == "" {
		err = errors.New("no note")
	}
	return n, err
}

// checkNote refuses features that are noted to be of other images than a set's. Where nothing is noted their number has to do.
func checkNote(file string, set *Set) error {
	n, err := readNote(file)
	if err != nil || n == noteOf(set) {
		return nil //nolint:nilerr // nothing is noted
	}
	return fmt.Errorf("they are of other images, or of these in another order, as %s says: give the --data, --limit, --seed and --skip-bad that they were made with, or make them again", file+featuresNote)
}
