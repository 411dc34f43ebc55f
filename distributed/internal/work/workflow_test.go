package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/experiment"
)

// large has 1,200 cells: 800 that need none, and 400 that need one of those.
func large(t *testing.T) *experiment.Grid {
	t.Helper()
	g := &experiment.Grid{Name: "large", Data: "signs", Attacks: []string{"badnets"}, Defenses: []string{"none", "abl", "nad"}}
	for s := range uint64(400) {
		g.Seeds = append(g.Seeds, s)
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	return g
}

// Every cell is in one part, parts are small, and what a cell needs is in an earlier stage.
func TestPartsHoldEveryCellOnce(t *testing.T) {
	g := large(t)
	var parts [][]string
	stages, err := cut(g, func(names []string) (store.Key, error) {
		parts = append(parts, names)
		raw, _ := json.Marshal(names)
		if len(raw) > 200_000 {
			t.Errorf("a part's list has %d bytes", len(raw))
		}
		return store.Key(fmt.Sprint(len(parts) - 1)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stage := map[string]int{}
	for i, keys := range stages {
		for _, k := range keys {
			var n int
			fmt.Sscan(string(k), &n)
			if len(parts[n]) == 0 || len(parts[n]) > PartSize {
				t.Errorf("a part of %d cells", len(parts[n]))
			}
			for _, name := range parts[n] {
				if stage[name] != 0 {
					t.Errorf("%s is in two parts", name)
				}
				stage[name] = i + 1
			}
		}
	}
	for _, c := range g.Cells() {
		if stage[c.Name()] == 0 {
			t.Errorf("%s is in no part", c.Name())
		}
		for _, n := range c.Needs() {
			if stage[n.Name()] >= stage[c.Name()] {
				t.Errorf("%s is not before %s", n.Name(), c.Name())
			}
		}
	}
}

// environment runs workflows with activities that only pretend.
func environment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	e := suite.NewTestWorkflowEnvironment()
	e.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: deadlockTime})
	w := &Worker{}
	e.RegisterWorkflowWithOptions(grid, workflow.RegisterOptions{Name: GridWorkflow})
	e.RegisterWorkflowWithOptions(part, workflow.RegisterOptions{Name: partWorkflow})
	e.RegisterActivityWithOptions(w.parts, activity.RegisterOptions{Name: partsActivity})
	e.RegisterActivityWithOptions(w.cells, activity.RegisterOptions{Name: cellsActivity})
	e.RegisterActivityWithOptions(w.cell, activity.RegisterOptions{Name: cellActivity})
	t.Cleanup(func() { e.AssertExpectations(t) })
	return e
}

// Every cell is asked for once, those that need others last; cells that fail don't keep the others from running, and are
// named; and nothing large passes through Temporal.
func TestGridAsksForEveryCellOnce(t *testing.T) {
	e := environment(t)
	lists := map[store.Key][]string{"a": {"1", "2"}, "b": {"3"}, "c": {"4", "5"}}
	e.OnActivity(partsActivity, mock.Anything, mock.Anything).Return([][]store.Key{{"a", "b"}, {"c"}}, nil)
	e.OnActivity(cellsActivity, mock.Anything, mock.Anything).Return(func(_ context.Context, in Input) ([]string, error) { return lists[in.Part], nil })
	var mu sync.Mutex
	var asked []string
	e.OnActivity(cellActivity, mock.Anything, mock.Anything).Return(func(_ context.Context, in Input) (store.Key, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, in.Cell)
		if in.Cell == "2" {
			return "", temporal.NewNonRetryableApplicationError("it broke", "failed", nil)
		}
		if raw, _ := json.Marshal(in); len(raw) > 1000 {
			t.Errorf("a payload of %d bytes", len(raw))
		}
		return "key", nil
	})
	e.ExecuteWorkflow(GridWorkflow, Input{Plan: store.Key(strings.Repeat("a", 64))})
	if err := e.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), "2: it broke") {
		t.Errorf("a cell that failed: %v", err)
	}
	if len(asked) != 5 {
		t.Fatalf("asked for %v", asked)
	}
	early := slices.Sorted(slices.Values(asked[:3]))
	late := slices.Sorted(slices.Values(asked[3:]))
	if !slices.Equal(early, []string{"1", "2", "3"}) || !slices.Equal(late, []string{"4", "5"}) {
		t.Errorf("asked for %v, then %v", early, late)
	}
}

func TestAGridThatIsCancelledIsCancelled(t *testing.T) {
	e := environment(t)
	e.OnActivity(partsActivity, mock.Anything, mock.Anything).Return([][]store.Key{{"a"}}, nil)
	e.OnActivity(cellsActivity, mock.Anything, mock.Anything).Return([]string{"1", "2"}, nil)
	e.OnActivity(cellActivity, mock.Anything, mock.Anything).Return(func(ctx context.Context, in Input) (store.Key, error) {
		if in.Cell == "1" {
			e.CancelWorkflow()
		}
		<-ctx.Done()
		return "", ctx.Err()
	})
	e.ExecuteWorkflow(GridWorkflow, Input{Plan: "p"})
	if err := e.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("a cancelled grid ends with %v", err)
	}
}

// A grid is cancelled when all its parts have saved, and not with the first of them.
func TestACancelledGridWaitsForAllParts(t *testing.T) {
	e := environment(t)
	e.OnActivity(partsActivity, mock.Anything, mock.Anything).Return([][]store.Key{{"a", "b"}}, nil)
	saved := 0
	e.OnWorkflow(partWorkflow, mock.Anything, mock.Anything).Return(func(ctx workflow.Context, in Input) error {
		_ = workflow.Sleep(ctx, time.Hour)
		if in.Part == "b" {
			slow, _ := workflow.NewDisconnectedContext(ctx)
			_ = workflow.Sleep(slow, time.Minute)
		}
		saved++
		return temporal.NewCanceledError()
	})
	e.RegisterDelayedCallback(e.CancelWorkflow, time.Second)
	e.ExecuteWorkflow(GridWorkflow, Input{Plan: "p"})
	if saved != 2 {
		t.Errorf("the grid ended when %d parts of 2 had saved", saved)
	}
	if err := e.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("a cancelled grid ends with %v", err)
	}
}

// A plan makes no worker read files of its machine, and its key depends on the grid and the data alone.
func TestPlansNameNoFiles(t *testing.T) {
	ctx := context.Background()
	s, err := store.Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "grid.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := "name: g\ndata: signs\nattacks: [none]\ndefenses: [none]\n"
	k, err := NewPlan(ctx, s, write(good))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := NewPlan(ctx, s, write(good)); err != nil || again != k {
		t.Errorf("one grid has the plans %s and %s (%v)", k, again, err)
	}
	if _, g, err := ReadPlan(ctx, s, k); err != nil || len(g.Cells()) != 1 {
		t.Errorf("read %v, %v", g, err)
	}
	for _, bad := range []string{
		"name: g\ndata: signs\npretrain: /etc/x.safetensors\nattacks: [none]\ndefenses: [none]\n",
		"name: g\ndata: signs\nattacks: [\"refool:pictures=/tmp\"]\ndefenses: [none]\n",
		"name: g\ndata: signs\nattacks: [\"blend: image=/etc/x.png\"]\ndefenses: [none]\n",
		"name: g\ndata: signs\nattacks: [\"custom:image=/etc/x.png\"]\ndefenses: [none]\n",
		"name: g\ndata: signs\nattacks: [\"badnets+blend:alpha=0.1,image=x.png\"]\ndefenses: [none]\n",
		"name: g\ndata: /no/such/folder\nattacks: [none]\ndefenses: [none]\n",
	} {
		if _, err := NewPlan(ctx, s, write(bad)); err == nil {
			t.Errorf("a plan was made of\n%s", bad)
		}
	}
	for _, p := range []Plan{
		{Grid: "name: g\ndata: /etc\nattacks: [none]\ndefenses: [none]\n"},
		{Grid: "name: g\ndata: x\nattacks: [none]\ndefenses: [none]\n", Data: k, File: "../x"},
		{Grid: "name: g\ndata: x\nattacks: [none]\ndefenses: [none]\n", Data: k, Layout: "folder:/etc"},
		{Grid: "name: g\ndata: signs\nattacks: [\"custom:image=/etc/x.png\"]\ndefenses: [none]\n"},
		{},
	} {
		raw, _ := json.Marshal(p)
		k, err := s.Put(ctx, raw)
		if err != nil {
			t.Fatal(err)
		}
		var wrong *wrongError
		if _, _, err := ReadPlan(ctx, s, k); !errors.As(err, &wrong) {
			t.Errorf("the plan %+v: %v", p, err)
		}
	}
}
