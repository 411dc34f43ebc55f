package gridapp

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/distributed/internal/work"
)

// asked is as much of Temporal as progress asks.
type asked struct {
	client.Client
	pending map[string][]*workflow.PendingActivityInfo
	far     map[string]work.Progress
}

func (a asked) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: a.pending[id]}, nil
}

func (a asked) QueryWorkflow(_ context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	p, ok := a.far[id]
	if !ok {
		return nil, errors.New("nobody")
	}
	return answer(p), nil
}

type answer work.Progress

func (answer) HasValue() bool { return true }

func (a answer) Get(to any) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

func tried(n int32, message string) *workflow.PendingActivityInfo {
	return &workflow.PendingActivityInfo{Attempt: n, LastFailure: &failure.Failure{Message: message}}
}

// What is tried again and again is said, with why.
func TestProgressSaysWhatFails(t *testing.T) {
	a := asked{pending: map[string][]*workflow.PendingActivityInfo{}, far: map[string]work.Progress{}}
	j := &job{client: a, plan: store.Key(strings.Repeat("a", 64))}
	says := func(want string, progress func(context.Context) string) {
		t.Helper()
		if got := progress(t.Context()); got != want {
			t.Errorf("said: %s\nexpected: %s", got, want)
		}
	}
	says("no worker answers; unpoison-worker runs cells", j.progress)
	a.pending[j.id()] = []*workflow.PendingActivityInfo{tried(4, "the plan is of another version")}
	says("no worker answers; unpoison-worker runs cells; attempt 4 after: the plan is of another version", j.progress)
	a.far[j.id()] = work.Progress{Parts: []string{"part"}}
	a.far["part"] = work.Progress{Cells: 3, Done: 1}
	a.pending["part"] = []*workflow.PendingActivityInfo{{Attempt: 1}, tried(2, "killed"), tried(7, "no space left\x1b[2J"), {Attempt: 9}}
	says(`1 of 3 cells handed out so far are finished; attempt 7 after: no space left\x1b[2J`, j.progress)

	audit := &auditJob{*j}
	says("no worker has taken it; unpoison-worker does", audit.progress)
	a.pending[audit.id()] = []*workflow.PendingActivityInfo{{Attempt: 1, State: enums.PENDING_ACTIVITY_STATE_STARTED}}
	says("a worker has taken it", audit.progress)
	a.pending[audit.id()] = []*workflow.PendingActivityInfo{tried(2, strings.Repeat("é", 300))}
	says("a worker has taken it; attempt 2 after: "+strings.Repeat("é", 200)+"…", audit.progress)
	beat, err := converter.GetDefaultDataConverter().ToPayloads(work.Doing{Doing: "decoding", Map: "map"})
	if err != nil {
		t.Fatal(err)
	}
	a.far["map"] = work.Progress{Parts: []string{"part"}, Cells: 5}
	a.pending[audit.id()] = []*workflow.PendingActivityInfo{{Attempt: 1, HeartbeatDetails: beat}}
	says(`decoding; 1 of 5 parts are done; attempt 7 after: no space left\x1b[2J`, audit.progress)
}

// A cell that is there is not fetched again, and one that is damaged leaves nothing that could be joined.
func TestCellsAreFetchedOnce(t *testing.T) {
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	have, to := t.TempDir(), filepath.Join(t.TempDir(), "cell")
	for _, name := range []string{"model", "result.json"} {
		if err := os.WriteFile(filepath.Join(have, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err := s.PutFolder(ctx, have)
	if err != nil {
		t.Fatal(err)
	}
	j := &job{store: s}
	if err := j.fetchCell(ctx, k, have, to); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("a cell that is there was fetched")
	}
	if err := j.fetchCell(ctx, k, t.TempDir(), to); err != nil {
		t.Fatal(err)
	}
	if same, err := s.Same(ctx, k, to); err != nil || !same {
		t.Errorf("another cell was fetched (%v)", err)
	}
	objects, _ := filepath.Glob(filepath.Join(s.String(), "objects", "*", "*"))
	for _, o := range objects {
		if raw, err := os.ReadFile(o); err == nil && string(raw) == "result.json" {
			if err := os.Remove(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.fetchCell(ctx, k, t.TempDir(), to); !errors.Is(err, store.ErrNone) {
		t.Errorf("a cell without its result: %v", err)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("half a cell was left")
	}
}
