package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// Images that are all the same, or all of a class, are data too: everything ends in a result.
func TestImagesWithoutDifferencesEndInAResult(t *testing.T) {
	small := []string{"--model", "small-cnn", "--batch", "32"}
	search := append([]string{"--epochs-inspect", "0", "--content=false"}, small...) // the root package asks every look
	for name, value := range map[string]func(class int) uint8{
		"all the same":       func(int) uint8 { return 77 },
		"a constant a class": func(class int) uint8 { return uint8(200 * class) },
	} {
		data := filepath.Join(t.TempDir(), "data")
		for i := range 120 {
			px := make([]uint8, 8*8*3)
			for k := range px {
				px[k] = value(i % 2)
			}
			path := filepath.Join(data, []string{"train", "test"}[i/100], fmt.Sprint("class", i%2), fmt.Sprint(i, ".png"))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := dataset.WritePNG(path, px, 8, 8); err != nil {
				t.Fatal(err)
			}
		}
		for command, args := range map[string][]string{
			"audit": append([]string{"audit"}, search...),
			"auto":  append([]string{"train", "--epochs-tune", "1"}, search...),
			"abl":   append([]string{"train", "--defense", "abl", "--epochs-tune", "1", "--unlearn-steps", "2", "--isolation", "0.1"}, small...),
		} {
			out := filepath.Join(t.TempDir(), "run")
			if code, text, errs := call(append(args, "--data", data, "--out", out, "--json")...); code != exitDone && code != exitFindings {
				t.Errorf("%s, %s: %d, %s%s", name, command, code, text, errs)
				continue
			}
			if _, err := runs.ReadResult(filepath.Join(out, runs.ResultFile)); err != nil {
				t.Errorf("%s, %s: %v", name, command, err)
			}
		}
	}
}
