package work

import (
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/unpoison/unpoison/distributed/internal/store"
)

// The names by which Temporal knows what is done to all parts of a data set. Parts have a queue of their own: who waits for them
// holds a place in the other one.
const (
	mapWorkflow   = "unpoison.map"
	someWorkflow  = "unpoison.some"
	stepActivity  = "unpoison.step"
	PartsQueue    = "unpoison.parts"
	stepTime      = time.Hour // that a part may take
	stepHeartbeat = time.Minute
	mostTries     = 100 // of a part, lost workers included
)

// MapInput is what the workflows of maps take.
type MapInput struct {
	Task  store.Key   `json:"task"`
	Lists []store.Key `json:"lists"` // each an object that lists at most PartSize parts
	Parts int         `json:"parts"` // in all
}

// StepInput is what one step of a map takes: a part is named by its list and its place there.
type StepInput struct {
	Task store.Key `json:"task"`
	List store.Key `json:"list"`
	At   int       `json:"at"`
}

// mapAll has every part of every list done, and returns the keys of what came out, list by list.
func mapAll(ctx workflow.Context, in MapInput) ([][]store.Key, error) {
	state := Progress{Cells: in.Parts}
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (Progress, error) { return state, nil }); err != nil {
		return nil, err
	}
	var children []workflow.ChildWorkflowFuture
	for k, list := range in.Lists {
		id := fmt.Sprintf("%s.%d", workflow.GetInfo(ctx).WorkflowExecution.ID, k+1)
		state.Parts = append(state.Parts, id)
		child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: id, WaitForCancellation: true,
			ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		})
		own := MapInput{Task: in.Task, Lists: []store.Key{list}, Parts: min(PartSize, in.Parts-k*PartSize)}
		children = append(children, workflow.ExecuteChildWorkflow(child, someWorkflow, own))
	}
	out := make([][]store.Key, len(children))
	var failed []string
	var cancelled error
	for k, c := range children {
		err := c.Get(ctx, &out[k])
		switch {
		case temporal.IsCanceledError(err):
			cancelled = err
		case err != nil:
			failed = append(failed, reason(err))
		}
	}
	if cancelled != nil {
		return nil, cancelled
	}
	return out, failures(failed)
}

// mapSome has the parts of one list done.
func mapSome(ctx workflow.Context, in MapInput) ([]store.Key, error) {
	state := Progress{Cells: in.Parts}
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (Progress, error) { return state, nil }); err != nil {
		return nil, err
	}
	step := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTime, HeartbeatTimeout: stepHeartbeat,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute, MaximumAttempts: mostTries},
	})
	out := make([]store.Key, in.Parts)
	var failed []string
	var cancelled error
	all := workflow.NewWaitGroup(ctx)
	for at := range out {
		all.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			err := workflow.ExecuteActivity(step, stepActivity, StepInput{in.Task, in.Lists[0], at}).Get(ctx, &out[at])
			switch {
			case err == nil:
				state.Done++
			case temporal.IsCanceledError(err):
				cancelled = err
			default:
				state.Failed++
				failed = append(failed, reason(err))
			}
		})
	}
	wait, _ := workflow.NewDisconnectedContext(ctx)
	all.Wait(wait)
	if cancelled != nil {
		return nil, cancelled
	}
	return out, failures(failed)
}
