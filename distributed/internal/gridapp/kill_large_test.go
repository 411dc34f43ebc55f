package gridapp

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unpoison/unpoison/rng"
)

// killTest is the variable that asks for the test below, which takes some minutes.
const killTest = "UNPOISON_KILL_TEST"

const manyCells = `name: many
data: signs
limit: 200
test: 50
model: small-cnn
attacks: [none, "badnets:patch_size=5,target=9"]
defenses: [none, abl, "abl:gamma=1", "fp:epochs=1", "unlearn:ft-last", "unlearn:ft-all", "nad:epochs=1"]
seeds: [0, 1]
clean: 0.3
settings: "batch=32,isolate_epochs=2,tune_epochs=20,unlearn_steps=8,isolation=0.05"
`

// How many processes are killed.
const mostWorkers, mostServers = 20, 3

// finished is how many cells' results the store names.
func (l *lab) finished() int {
	all, err := filepath.Glob(filepath.Join(l.dir, "store", "names", "cells", "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	return len(all)
}

// A grid of 24 cells on three workers, of which 20 are killed, and a server that is killed three times.
func TestGridSurvivesManyKills(t *testing.T) {
	if os.Getenv(killTest) == "" {
		t.Skip(killTest + " is not set")
	}
	l := newLab(t, manyCells, 3)
	to := filepath.Join(t.TempDir(), "many")
	ended := make(chan error, 1)
	go func() { ended <- l.job.run(context.Background(), 30*time.Second, to, io.Discard, t.Output()) }()
	random := rng.Stream(0, "kills")
	workers, servers, exited := 0, 0, 0
	for end := false; !end; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			end = true
		case <-time.After(time.Duration(random.IntN(1000)) * time.Millisecond):
			exited += l.revive()
			select {
			case <-l.server.ended:
				t.Fatal("the server exited by itself")
			default:
			}
			// Two kills for each finished cell, so that some cells are finished between them.
			pid, _ := l.busy()
			if pid == 0 || workers >= mostWorkers || workers > 2*l.finished() {
				continue
			}
			l.killWorker(pid)
			workers++
			if workers%5 == 0 && servers < mostServers {
				l.server.kill()
				l.startServer()
				servers++
			}
		}
	}
	if exited > 0 {
		t.Errorf("%d workers exited by themselves", exited)
	}
	t.Logf("%d workers and %d servers were killed", workers, servers)
	count := l.completed()
	if len(count) != 24 || workers < mostWorkers || servers < mostServers {
		t.Errorf("%d cells finished, %d workers and %d servers killed, expected 24, %d and %d", len(count), workers, servers, mostWorkers, mostServers)
	}
	for cell, n := range count {
		if n != 1 {
			t.Errorf("%s was finished %d times", cell, n)
		}
	}
	l.same(to)
}
