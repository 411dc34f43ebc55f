package work

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/unpoison/unpoison/distributed/internal/store"
)

// The names by which Temporal knows what a worker does. It does nothing else.
const (
	GridWorkflow  = "unpoison.grid"
	partWorkflow  = "unpoison.part"
	partsActivity = "unpoison.parts"
	cellsActivity = "unpoison.cells"
	cellActivity  = "unpoison.cell"

	ProgressQuery = "progress"
	Queue         = "unpoison"
)

// PartSize is how many cells one child workflow hands out at most. A cell makes some six events of its history, and
// Temporal ends histories of 51,200.
const PartSize = 500

// DefaultHeartbeat is the time after which a worker that says nothing is replaced.
const DefaultHeartbeat = 30 * time.Second

// Input is what the workflows and activities take: keys, the name of a cell, and a time.
type Input struct {
	Plan      store.Key     `json:"plan"`
	Part      store.Key     `json:"part,omitempty"` // of an object that lists cells' names
	Cell      string        `json:"cell,omitempty"`
	Heartbeat time.Duration `json:"heartbeat,omitempty"`
}

// Progress answers ProgressQuery. A grid's workflow names its parts, which count their cells.
type Progress struct {
	Parts  []string `json:"parts,omitempty"` // IDs of workflows
	Cells  int      `json:"cells"`
	Done   int      `json:"done"`
	Failed int      `json:"failed"`
}

// grid hands out the parts of a grid, stage by stage: first the cells that need no others.
func grid(ctx workflow.Context, in Input) error {
	var state Progress
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (Progress, error) { return state, nil }); err != nil {
		return err
	}
	var stages [][]store.Key
	if err := workflow.ExecuteActivity(short(ctx), partsActivity, in).Get(ctx, &stages); err != nil {
		return err
	}
	var failed []string
	for _, stage := range stages {
		var parts []workflow.ChildWorkflowFuture
		for _, k := range stage {
			id := fmt.Sprintf("%s.%d", workflow.GetInfo(ctx).WorkflowExecution.ID, len(state.Parts)+1)
			state.Parts = append(state.Parts, id)
			child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
				WorkflowID: id, WaitForCancellation: true, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
				WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			})
			own := in
			own.Part = k
			parts = append(parts, workflow.ExecuteChildWorkflow(child, partWorkflow, own))
		}
		var cancelled error
		for _, p := range parts { // all of them: a cancelled one saves before it ends
			err := p.Get(ctx, nil)
			switch {
			case temporal.IsCanceledError(err):
				cancelled = err
			case err != nil:
				failed = append(failed, reason(err))
			}
		}
		if cancelled != nil {
			return cancelled
		}
	}
	return failures(failed)
}

// part runs the cells of one part.
func part(ctx workflow.Context, in Input) error {
	var state Progress
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (Progress, error) { return state, nil }); err != nil {
		return err
	}
	var cells []string
	if err := workflow.ExecuteActivity(short(ctx), cellsActivity, in).Get(ctx, &cells); err != nil {
		return err
	}
	state.Cells = len(cells)
	if in.Heartbeat <= 0 {
		in.Heartbeat = DefaultHeartbeat
	}
	runs := long(ctx, in.Heartbeat)
	var failed []string
	cancelled := false
	all := workflow.NewWaitGroup(ctx)
	for _, name := range cells {
		own := in
		own.Part, own.Cell = "", name
		all.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			err := workflow.ExecuteActivity(runs, cellActivity, own).Get(ctx, nil)
			switch {
			case err == nil:
				state.Done++
			case temporal.IsCanceledError(err):
				cancelled = true
			default:
				state.Failed++
				failed = append(failed, fmt.Sprintf("%s: %s", name, reason(err)))
			}
		})
	}
	wait, _ := workflow.NewDisconnectedContext(ctx) // a cancelled cell saves before it ends
	all.Wait(wait)
	if cancelled {
		return temporal.NewCanceledError()
	}
	return failures(failed)
}

// long are the options of activities that train.
func long(ctx workflow.Context, heartbeat time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 90 * 24 * time.Hour, HeartbeatTimeout: heartbeat, WaitForCancellation: true,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	})
}

// short are the options of activities that list something.
func short(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	})
}

// mostReasons bounds an error's text: Temporal keeps it in a history.
const mostReasons = 5

// failures is the error of cells that failed, or nil.
func failures(of []string) error {
	if len(of) == 0 {
		return nil
	}
	shown := of[:min(len(of), mostReasons)]
	text := strings.Join(shown, "; ")
	if n := len(of) - len(shown); n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return temporal.NewNonRetryableApplicationError(text, "failed", nil)
}

// reason is what an activity or a child said, without what Temporal wraps around it.
func reason(err error) string {
	var app *temporal.ApplicationError
	text := err.Error()
	if errors.As(err, &app) {
		text = app.Message()
	}
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + "…"
	}
	return text
}
