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

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// Shares that write to one folder agree in it on who makes what: CELL.claim is there while a share makes the cell, and
// its text changes with every beat. A claim whose text stays the same is a dead program's and is taken over. Nobody
// compares clocks. A share that only stood still sees at its next beat that it lost its claim, and stops. Until then the
// lock of the cell's folder keeps others on the same machine waiting; on another one both write the same bytes.
const (
	claimExt   = ".claim"
	claimBeat  = 10 * time.Second
	claimStale = 2 * time.Minute
)

var (
	errClaimed   = errors.New("another program makes the cell")
	errClaimLost = errors.New("another program took the cell over")
)

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
		if finished(folder) {
			return nil
		}
		err := t.with(ctx, path, func(ctx context.Context) error {
			if finished(folder) {
				return nil // since we looked
			}
			return run(ctx)
		})
		if !errors.Is(err, errClaimed) && !errors.Is(err, errClaimLost) && !errors.Is(err, atomicfile.ErrLocked) {
			return err
		}
		if !said {
			said = true
			r.say("%-32s is waited for: another program makes it", filepath.Base(folder))
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
		pause := t.beat / 4
		if errors.Is(err, atomicfile.ErrLocked) {
			pause = t.beat // to try costs more than to look
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// with calls do while it holds a claim. If there is one already, the error is errClaimed.
func (t claims) with(parent context.Context, path string, do func(context.Context) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, os.ErrExist) {
		return errClaimed
	}
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	owner := fmt.Sprintf("%s %d %s ", host, os.Getpid(), rand.Text())
	text := owner + "0\n"
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	ctx, lose := context.WithCancelCause(parent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var err error
		if text, err = t.keep(ctx, path, owner, text); err != nil {
			lose(err)
		}
	}()
	err = do(ctx)
	if lost := context.Cause(ctx); err != nil && lost != nil && parent.Err() == nil {
		err = errors.Join(lost, Beside(err, lost)) // the claim's end is the reason, not the context's
	}
	lose(nil)
	<-ended
	release(path, text)
	return err
}

// keep renews a claim with every beat until the context ends, and returns its last text. A beat that fails is tried
// again until others may take the claim over; then, or if they have, the error says why it is lost.
func (t claims) keep(ctx context.Context, path, owner, text string) (string, error) {
	tick := time.NewTicker(t.beat)
	defer tick.Stop()
	last := time.Now()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return text, nil
		case <-tick.C:
		}
		next := fmt.Sprintf("%s%d\n", owner, n)
		err := renew(path, owner, next)
		switch {
		case err == nil:
			text, last = next, time.Now()
		case errors.Is(err, errClaimLost), time.Since(last) >= t.stale:
			return text, err
		}
	}
}

// renew writes a claim's text over the one before, which is no longer, so that a write that fails takes nothing away.
func renew(path, owner, text string) error {
	now, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !strings.HasPrefix(string(now), owner) {
		return errClaimLost
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
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
