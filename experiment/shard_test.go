package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Every cell belongs to one share, shares are as large as each other, and cells that come later move none.
func TestShardsDealTheCells(t *testing.T) {
	g, err := Paper("cifar10", Data{}, false, []uint64{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []int{1, 2, 3, 7, 500} {
		owner := map[Cell]int{}
		least, most := len(g.Cells()), 0
		for n := 1; n <= of; n++ {
			own := Shard{n, of}.Cells(g)
			for _, c := range own {
				if owner[c] != 0 {
					t.Errorf("%s belongs to %d/%d and to %d/%d", c.Name(), owner[c], of, n, of)
				}
				owner[c] = n
			}
			least, most = min(least, len(own)), max(most, len(own))
		}
		if len(owner) != len(g.Cells()) || most-least > 1 {
			t.Errorf("%d shares: %d of %d cells, %d to %d each", of, len(owner), len(g.Cells()), least, most)
		}
		more, err := Paper("cifar10", Data{}, false, []uint64{0, 1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= of; n++ {
			for _, c := range (Shard{n, of}).Cells(more) {
				if owner[c] != 0 && owner[c] != n {
					t.Errorf("%s moved from %d/%d to %d/%d", c.Name(), owner[c], of, n, of)
				}
			}
		}
	}
	// Where every fourth cell is of one defence, all shares get some.
	h := &Grid{Attacks: []string{"badnets"}, Defenses: []string{"none", "abl", "abl:gamma=1", "auto"}}
	for s := range uint64(30) {
		h.Seeds = append(h.Seeds, s)
	}
	for n := 1; n <= 4; n++ {
		if !slices.ContainsFunc(Shard{n, 4}.Cells(h), func(c Cell) bool { return c.Defense == "auto" }) {
			t.Errorf("the share %d/4 has no cell of auto", n)
		}
	}
}

func TestWrongShardsAreRefused(t *testing.T) {
	for _, text := range []string{"", "1", "0/4", "5/4", "1/0", "-1/4", "1/-4", "a/b", "1/4x", " 1/4", "+1/4", "1/4/2", "1/99999999999"} {
		if s, err := ParseShard(text); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q is %v, %v", text, s, err)
		}
	}
	if s, err := ParseShard("4/4"); err != nil || s != (Shard{4, 4}) {
		t.Errorf("4/4 is %v, %v", s, err)
	}
}

func sharded() *Grid {
	g := small()
	g.Attacks, g.Seeds, g.Plots = g.Attacks[1:], []uint64{0}, nil
	g.Defenses = []string{"none", "fp:epochs=1", "unlearn:ft-last", "abl:gamma=1"}
	return g
}

// contents are what the runs of a grid found, and their models, by cell.
func contents(t *testing.T, r *Runner) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, c := range r.Grid.Cells() {
		res := r.result(c)
		if res == nil {
			t.Fatalf("%s is not finished", c.Name())
		}
		text, err := res.Content()
		if err != nil {
			t.Fatal(err)
		}
		model := testfile.Read(t, filepath.Join(r.folder(c), runs.ModelFile))
		all[c.Name()] = string(text) + string(model)
	}
	return all
}

func sameContents(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs from the run on one machine", name)
		}
	}
}

// Shares in one folder make every cell once, shares in several what they need, and both are what one machine makes.
func TestShardsMakeWhatOneMachineMakes(t *testing.T) {
	whole := runner(t, sharded(), filepath.Join(t.TempDir(), "whole"))
	if err := whole.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := contents(t, whole)

	one, apart := filepath.Join(t.TempDir(), "one"), t.TempDir()
	var mu sync.Mutex
	made := map[string][]int{}
	var group sync.WaitGroup
	for n := 1; n <= 3; n++ {
		r := runner(t, sharded(), one)
		r.Shard = Shard{n, 3}
		r.claims = claims{beat: 20 * time.Millisecond, stale: time.Hour}
		r.Watch = func(c Cell, _ runs.Event) {
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(made[c.Name()], n) {
				made[c.Name()] = append(made[c.Name()], n)
			}
		}
		group.Go(func() {
			if err := r.Run(context.Background()); err != nil {
				t.Errorf("share %d: %v", n, err)
			}
		})
	}
	group.Wait()
	for name, by := range made {
		if len(by) != 1 {
			t.Errorf("%s was made by the shares %v", name, by)
		}
	}
	sameContents(t, contents(t, runner(t, sharded(), one)), want)
	if left, _ := filepath.Glob(filepath.Join(one, "cells", "*"+claimExt+"*")); len(left) != 0 {
		t.Errorf("claims are left: %v", left)
	}

	var folders []string
	for n := 1; n <= 2; n++ {
		r := runner(t, sharded(), filepath.Join(apart, fmt.Sprint(n), "small")) // not side by side
		r.Shard = Shard{n, 2}
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, r.Folder)
	}
	joined := runner(t, nil, filepath.Join(apart, "joined"))
	if finished, all, err := joined.Join(folders); err != nil || finished != len(want) || all != len(want) {
		t.Fatalf("joined %d of %d cells: %v", finished, all, err)
	}
	sameContents(t, contents(t, joined), want)
	if err := joined.Write("command"); err != nil {
		t.Fatal(err)
	}

	// A result that says something else is no result of this cell.
	cell := Shard{1, 2}.Cells(sharded())[0]
	path := filepath.Join(folders[0], "cells", cell.Name(), runs.ResultFile)
	raw := testfile.Read(t, path)
	testfile.Write(t, path, strings.Replace(string(raw), `"ca": `, `"ca": 1`, 1))
	if _, _, err := runner(t, nil, joined.Folder).Join(folders); err == nil || !strings.Contains(err.Error(), cell.Name()) {
		t.Errorf("another result of %s: %v", cell.Name(), err)
	}
	other := sharded()
	other.Limit = 150
	text := fmt.Sprintf("name: small\ndata: signs\nlimit: %d\nattacks: [none]\ndefenses: [none]\n", other.Limit)
	testfile.Write(t, filepath.Join(folders[1], gridFile), text)
	if _, _, err := runner(t, nil, filepath.Join(apart, "other")).Join(folders); err == nil || !strings.Contains(err.Error(), folders[1]) {
		t.Errorf("a folder of another grid: %v", err)
	}
}

// A claim that stands still is a dead program's; one that moves is respected, and one that was lost stops its owner.
func TestClaimsOfTheDeadAreTakenOver(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "cell")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, folder+claimExt, "host 1 dead 5\n")
	r := &Runner{Shard: Shard{1, 2}, Say: t.Logf, claims: claims{beat: time.Millisecond, stale: 5 * time.Millisecond}}
	tries := 0
	err := r.once(context.Background(), folder, func(ctx context.Context) error {
		if tries++; tries == 1 { // somebody else takes it over
			if err := os.WriteFile(folder+claimExt, []byte("host 2 other 1\n"), 0o600); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}
		return os.WriteFile(filepath.Join(folder, runs.ResultFile), []byte(`{"version":"0.2"}`), 0o600)
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries: %v", tries, err)
	}
	if err := r.once(context.Background(), folder, func(context.Context) error { tries++; return nil }); err != nil || tries != 2 {
		t.Errorf("a finished run was made again (%v)", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	held := filepath.Join(t.TempDir(), "held")
	testfile.Write(t, held+claimExt, "")
	if err := r.once(ctx, held, func(context.Context) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting was not stopped: %v", err)
	}
}

// Who holds the folder still is waited for, also if its claim was taken over.
func TestALockedCellIsWaitedFor(t *testing.T) {
	folder := t.TempDir()
	r := &Runner{Shard: Shard{1, 2}, claims: claims{beat: time.Millisecond, stale: time.Hour}}
	tries := 0
	err := r.once(context.Background(), folder, func(context.Context) error {
		if tries++; tries < 3 {
			return fmt.Errorf("%s: %w", folder, atomicfile.ErrLocked)
		}
		return os.WriteFile(filepath.Join(folder, runs.ResultFile), []byte(`{"version":"0.2"}`), 0o600)
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries: %v", tries, err)
	}
}

// A claim that can't be renewed is tried again until it is stale; then the error says why.
func TestClaimsThatCannotBeRenewed(t *testing.T) {
	c := claims{beat: 50 * time.Millisecond, stale: 200 * time.Millisecond}
	away := func(path string) { // a folder can't be read as a file; at once, since no claim is another's
		if err := errors.Join(os.Link(path, path+"x"), os.Symlink(t.TempDir(), path+"d"), os.Rename(path+"d", path)); err != nil {
			t.Error(err)
		}
	}
	path := filepath.Join(t.TempDir(), "cell"+claimExt)
	var wrong *os.PathError
	err := c.with(context.Background(), path, func(ctx context.Context) error {
		away(path)
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.As(err, &wrong) || errors.Is(err, context.Canceled) {
		t.Errorf("the reason is %v", err)
	}
	path = filepath.Join(t.TempDir(), "cell"+claimExt)
	err = c.with(context.Background(), path, func(ctx context.Context) error {
		away(path)
		time.Sleep(c.beat * 2)
		if err := os.Rename(path+"x", path); err != nil {
			return err
		}
		time.Sleep(2 * c.stale)
		return ctx.Err()
	})
	if err != nil {
		t.Errorf("after a failure that passed: %v", err)
	}
}
