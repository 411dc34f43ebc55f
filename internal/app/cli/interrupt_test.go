package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// An interrupted command says what it could not save, whichever command it is.
func TestInterruptedSaysWhatFailed(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	for _, command := range [][]string{{"experiment", "run"}, {"repair"}, {"train"}} {
		c, _, err := a.root().Find(command)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{errors.Join(context.Canceled, full), fmt.Errorf("cell a: %w", errors.Join(context.Canceled, full))} {
			if text := interrupted(c, err); !strings.Contains(text, "no space left") || strings.Contains(text, "canceled") {
				t.Errorf("%v: %s", command, text)
			}
		}
		if text := interrupted(c, fmt.Errorf("cell a: %w", context.Canceled)); strings.Contains(text, "canceled") || strings.Contains(text, "fail") {
			t.Errorf("%v: %s", command, text)
		}
	}
}
