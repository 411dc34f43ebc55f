// Package written makes mapped files for tests, and tells them how much memory copies of these have taken.
package written

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// Mapped writes images to a folder and loads them from there as mapped files, which lie in store.
func Mapped(t testing.TB, images *dataset.Data) (d *dataset.Data, store string) {
	t.Helper()
	store, folder := t.TempDir(), filepath.Join(t.TempDir(), "data")
	if err := dataset.Write("folder", folder, images); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Load(t.Context(), folder, dataset.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Train.Mapped() || !d.Test.Mapped() {
		t.Skip("files are not mapped on this system")
	}
	return d, store
}

// KB returns how many kB of memory the program has written to mappings of the files in a folder.
func KB(t testing.TB, folder string) int {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	sum, own := 0, false
	for s := bufio.NewScanner(f); s.Scan(); {
		var kb int
		if _, err := fmt.Sscanf(s.Text(), "Anonymous: %d kB", &kb); err == nil && own {
			sum += kb
		} else if first, _, _ := strings.Cut(s.Text(), " "); strings.Contains(first, "-") { // from-to rights offset device inode file
			own = strings.Contains(s.Text(), folder+"/")
		}
	}
	return sum
}
