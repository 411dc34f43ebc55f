package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// watcher shows a run's events: JSON lines, a moving line on a terminal, or plain lines.
func (a *app) watcher() func(runs.Event) {
	var one sync.Mutex // several runs may go side by side
	if a.json {
		return func(ev runs.Event) {
			one.Lock()
			defer one.Unlock()
			_ = a.printJSON(ev)
		}
	}
	terminal := a.terminal()
	var stage string // that the progress is of, and its epochs
	var epochs int
	const most = 50
	line := func(s string) {
		if terminal {
			a.moving(s)
		}
	}
	every := 100 * time.Millisecond
	if !terminal {
		every = 5 * time.Minute // a sign of life in a log
	}
	last := time.Now()
	return func(ev runs.Event) {
		one.Lock()
		defer one.Unlock()
		switch ev.Event {
		case "progress":
			stage, epochs = ev.Stage, ev.Epochs
			if now := time.Now(); now.Sub(last) > every || terminal && ev.Step == ev.Steps {
				last = now
				s := fmt.Sprintf("%-8s images %d/%d", ev.Stage, ev.Step, ev.Steps)
				if ev.Loss != nil {
					s = fmt.Sprintf("%-8s epoch %d/%d  step %d/%d  loss %.3f", ev.Stage, ev.Epoch, ev.Epochs, ev.Step, ev.Steps, *ev.Loss)
				}
				if ev.ImagesPerSecond > 0 {
					s += fmt.Sprintf("  %.0f img/s  %s left", ev.ImagesPerSecond, (time.Duration(ev.SecondsLeft) * time.Second).String())
				}
				if terminal {
					line(s)
				} else {
					fmt.Fprintln(a.err, s)
				}
			}
		case "epoch":
			if each := epochs / most; each > 1 && stage == ev.Stage && ev.Epoch%each != 0 && ev.Epoch != epochs {
				return // hundreds of short ones: the log has them all
			}
			s := fmt.Sprintf("%-8s epoch %d  loss %.4f", ev.Stage, ev.Epoch, *ev.Loss)
			if ev.Clean != nil && ev.Poisoned != nil {
				s += fmt.Sprintf("  clean %.4f  poisoned %.4f", *ev.Clean, *ev.Poisoned)
			}
			line("")
			if terminal {
				s = "\r" + s
			}
			fmt.Fprintln(a.err, s)
		case "note":
			line("")
			if terminal {
				fmt.Fprint(a.err, "\r")
			}
			fmt.Fprintln(a.err, printable.Text(ev.Text))
		}
	}
}

// reading shows how far the reading of images has come, or what else is done to each: on a terminal, and as a sign of life in a log.
func (a *app) reading(what string) func(part string, read, of int) {
	if a.json {
		return nil
	}
	terminal := a.terminal()
	every := 5 * time.Minute
	if terminal {
		every = 200 * time.Millisecond
	}
	last := time.Now()
	return func(part string, read, of int) {
		now := time.Now()
		if now.Sub(last) < every {
			return
		}
		last = now
		s := printable.Text(strings.Join(strings.Fields(fmt.Sprintf("%s %s %d/%d", what, part, read, of)), " "))
		if terminal {
			a.moving(s)
		} else {
			fmt.Fprintln(a.err, s)
		}
	}
}

// terminal tells whether what is said appears on a terminal.
func (a *app) terminal() bool {
	f, ok := printable.File(a.err)
	return ok && term.IsTerminal(int(f.Fd()))
}

// line says a line, where a moving one may be.
func (a *app) line(format string, args ...any) {
	a.done()
	a.say(format+"\n", args...)
}

// done ends the moving line.
func (a *app) done() {
	if !a.json && a.terminal() {
		a.moving("")
		fmt.Fprint(a.err, "\r")
	}
}

// moving writes a line over the last one. It ends before the terminal's edge, where each would leave a line behind.
func (a *app) moving(s string) {
	width := 79
	if f, ok := printable.File(a.err); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			width = min(width, columns-1)
		}
	}
	fmt.Fprintf(a.err, "\r%-*.*s", width, width, s)
}

// printJSON writes one line of JSON.
func (a *app) printJSON(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(printable.JSON(append(raw, '\n')))
	return err
}
