package gridapp

import (
	"fmt"
	"os"
	"strings"

	"github.com/unpoison/unpoison/dataset"
)

// places refuses a folder for results that is a file, and one for results or the store that lies in the data, before any work is done: what
// is written would become data, which are others then, and another grid or audit.
func places(data, out, store string) error {
	if st, err := os.Stat(out); err == nil && !st.IsDir() {
		return fmt.Errorf("--out %s: expected a folder, found a file; choose another --out", out)
	}
	if err := dataset.Outside(out, data); err != nil {
		return err
	}
	store = strings.TrimPrefix(store, "file://")
	if strings.Contains(store, "://") {
		return nil
	}
	if dataset.Outside(store, data) != nil {
		return fmt.Errorf("%s lies in the data %s; choose another --store", store, data)
	}
	return nil
}
