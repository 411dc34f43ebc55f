package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/unpoison/unpoison/distributed/internal/store"
)

// maps runs the workflows of maps, with steps that only pretend.
func maps(t *testing.T) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	e := suite.NewTestWorkflowEnvironment()
	e.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: deadlockTime})
	(&Worker{}).registerParts(e)
	return e
}

// Every part is asked for once, and what comes out is in the order of the parts; nothing large passes through Temporal.
func TestMapsKeepTheOrder(t *testing.T) {
	e := maps(t)
	var mu sync.Mutex
	asked := map[string]int{}
	e.OnActivity(stepActivity, mock.Anything, mock.Anything).Return(func(_ context.Context, in StepInput) (store.Key, error) {
		mu.Lock()
		defer mu.Unlock()
		name := fmt.Sprintf("%s %d", in.List, in.At)
		asked[name]++
		return store.Key(name), nil
	})
	e.ExecuteWorkflow(mapWorkflow, MapInput{Task: "t", Lists: []store.Key{"a", "b"}, Parts: PartSize + 3})
	if err := e.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	var out [][]store.Key
	if err := e.GetWorkflowResult(&out); err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || len(out[0]) != PartSize || len(out[1]) != 3 || len(asked) != PartSize+3 {
		t.Fatalf("%d lists, %d parts were asked for", len(out), len(asked))
	}
	for l, list := range out {
		for at, k := range list {
			if want := fmt.Sprintf("%c %d", 'a'+l, at); string(k) != want || asked[want] != 1 {
				t.Errorf("part %d of list %d gave %s, asked for %d times", at, l, k, asked[want])
			}
		}
	}
}

// A part that can't be done fails the map, which names the reason; a map that is cancelled ends as such.
func TestMapsThatDoNotEnd(t *testing.T) {
	e := maps(t)
	e.OnActivity(stepActivity, mock.Anything, mock.Anything).Return(func(_ context.Context, in StepInput) (store.Key, error) {
		if in.At == 1 {
			return "", temporal.NewNonRetryableApplicationError("a/17.png is damaged", "wrong", nil)
		}
		return "k", nil
	})
	e.ExecuteWorkflow(mapWorkflow, MapInput{Task: "t", Lists: []store.Key{"a"}, Parts: 3})
	if err := e.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), "a/17.png is damaged") {
		t.Errorf("a damaged part: %v", err)
	}
	e = maps(t)
	e.OnActivity(stepActivity, mock.Anything, mock.Anything).Return(func(ctx context.Context, _ StepInput) (store.Key, error) {
		e.CancelWorkflow()
		<-ctx.Done()
		return "", ctx.Err()
	})
	e.ExecuteWorkflow(mapWorkflow, MapInput{Task: "t", Lists: []store.Key{"a"}, Parts: 1})
	var cancelled *temporal.CanceledError
	if err := e.GetWorkflowError(); !errors.As(err, &cancelled) {
		t.Errorf("a cancelled map ends with %v", err)
	}
}

// raw is a value as Temporal carries it.
func raw(t *testing.T, v any) int {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}
