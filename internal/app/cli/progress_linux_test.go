package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// terminalOf returns both ends of a terminal of so many columns.
func terminalOf(t *testing.T, columns uint16) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { screen.Close() })
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return screen, program
}

// A line that moves stays on its line in a narrow terminal, and is of 79 signs in a wide one, or where the width is not known.
func TestMovingLinesFitTheTerminal(t *testing.T) {
	for columns, most := range map[uint16]int{40: 39, 200: 79, 0: 79} {
		screen, program := terminalOf(t, columns)
		a := &app{err: printable.Writer(program)}
		loss := 1.5
		a.watcher()(runs.Event{Event: "progress", Stage: "content", Epoch: 1, Epochs: 150, Step: 4, Steps: 4, Loss: &loss, ImagesPerSecond: 104, SecondsLeft: 3000})
		a.done()
		raw := make([]byte, 4096)
		n, err := screen.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(raw[:n]), "\r")
		if len(lines) < 2 || !strings.HasPrefix(lines[1], "content  epoch 1/150  step 4/4") {
			t.Fatalf("%d columns: %q", columns, lines)
		}
		for _, line := range lines[1:] {
			if got := utf8.RuneCountInString(line); got != most && got != 0 {
				t.Errorf("%d columns: a line of %d signs, expected %d: %q", columns, got, most, line)
			}
		}
	}
}
