package experiment

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/unpoison/unpoison/internal/app/runs"
)

// Shares that write to one folder agree in it on who makes what: CELL.claim is there while a share makes the cell, and
// its text changes with every beat. A claim whose text stays the same is a dead program's and is taken over. Nobody
// compares clocks. Should two share a claim after all, because one of them stood still, both write the same bytes.
const (
	claimExt   = ".claim"
	claimBeat  = 10 * time.Second
	claimStale = 2 * time.Minute
)

var errClaimLost = errors.New("another program took the cell over")

// claims are the times by which claims are kept.
type claims struct{ beat, stale time.Duration }

// once makes a run in a folder unless it is finished. Of several shares one makes it, the others wait.
func (r *Runner) once(ctx context.Context, folder string, run func(context.Context) error) error {
	if r.Shard.Of == 0 {
		return run(ctx)
	}
	t := r.claims
	if t == (claims{}) {
		t = claims{claimBeat, claimStale}
	}
	path, said := folder+claimExt, false
	var text string
	var since time.Time
	for {
		if _, err := os.Stat(filepath.Join(folder, runs.ResultFile)); err == nil {
			return nil
		}
		err := t.with(ctx, path, func(ctx context.Context) error {
			if _, err := os.Stat(filepath.Join(folder, runs.ResultFile)); err == nil {
				return nil // since we looked
			}
			return run(ctx)
		})
		if !errors.Is(err, os.ErrExist) && !errors.Is(err, errClaimLost) {
			return err
		}
		if !said {
			said = true
			r.Say("%-32s is waited for: another share makes it", filepath.Base(folder))
		}
		if now, err := os.ReadFile(path); err == nil {
			switch {
			case string(now) != text || since.IsZero():
				text, since = string(now), time.Now()
			case time.Since(since) >= t.stale:
				release(path, text)
				continue
			}
		}
		select {
		case <-time.After(t.beat / 4):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// with calls do while it holds a claim. If there is one already, the error is os.ErrExist.
func (t claims) with(ctx context.Context, path string, do func(context.Context) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	owner := fmt.Sprintf("%s %d %s ", host, os.Getpid(), rand.Text())
	text := owner + "0\n"
	if _, err := f.WriteString(text); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	if err := f.Close(); err != nil {
		return err
	}
	ctx, lose := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(t.beat)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(now), owner) {
				lose(errClaimLost)
				return
			}
			text = fmt.Sprintf("%s%d\n", owner, n)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				lose(err)
				return
			}
		}
	}()
	err = do(ctx)
	if lost := context.Cause(ctx); err != nil && errors.Is(lost, errClaimLost) {
		err = lost
	}
	lose(nil)
	<-ended
	release(path, text)
	return err
}

// release removes a claim if it has the text: another one is put back.
func release(path, text string) {
	own := path + "." + rand.Text()
	if os.Rename(path, own) != nil {
		return
	}
	if now, err := os.ReadFile(own); err == nil && string(now) != text {
		_ = os.Link(own, path) // its owner sees if it fails, and claims again
	}
	_ = os.Remove(own)
}
