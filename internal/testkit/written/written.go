// Package written tells tests how much memory copies of mapped files have taken.
package written

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

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
