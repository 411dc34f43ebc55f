package gridapp

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// askTime is how long to wait for how far something is.
const askTime = 10 * time.Second

// ask asks a workflow how far it is.
func (j *job) ask(ctx context.Context, id string) (p work.Progress, err error) {
	v, err := j.client.QueryWorkflow(ctx, id, "", work.ProgressQuery)
	if err == nil {
		err = v.Get(&p)
	}
	return p, err
}

// progress asks the workflows how far they are, and why cells are tried again.
func (j *job) progress(ctx context.Context) string {
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	all, err := j.ask(ctx, j.id())
	for _, id := range all.Parts {
		var p work.Progress
		if p, err = j.ask(ctx, id); err != nil {
			break
		}
		all.Cells, all.Done, all.Failed = all.Cells+p.Cells, all.Done+p.Done, all.Failed+p.Failed
	}
	failing := j.failing(ctx, append([]string{j.id()}, all.Parts...))
	if err != nil {
		return "no worker answers; unpoison-worker runs cells" + failing
	}
	text := fmt.Sprintf("%d of %d cells handed out so far are finished", all.Done, all.Cells)
	if all.Failed > 0 {
		text += fmt.Sprintf(", %d failed", all.Failed)
	}
	return text + failing
}

// progress says what the worker does that leads, how many parts are done where it waits for them, and why something is tried again.
func (j *auditJob) progress(ctx context.Context) string {
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	d, err := j.client.DescribeWorkflowExecution(ctx, j.id(), "")
	if err != nil {
		return "nobody answers"
	}
	text, workflows := "no worker has taken it; unpoison-worker does", []string{j.id()}
	for _, a := range d.GetPendingActivities() {
		if a.GetAttempt() > 1 || a.GetState() == enums.PENDING_ACTIVITY_STATE_STARTED {
			text = "a worker has taken it"
		}
		var now work.Doing
		if a.GetHeartbeatDetails() == nil || converter.GetDefaultDataConverter().FromPayloads(a.GetHeartbeatDetails(), &now) != nil {
			continue
		}
		text = cmp.Or(now.Doing, text)
		if now.Map != "" {
			p := j.parts(ctx, now.Map)
			text += fmt.Sprintf("; %d of %d parts are done", p.Done, p.Cells)
			workflows = append(workflows, p.Parts...)
		}
	}
	return text + j.failing(ctx, workflows)
}

// parts asks a map how far it is.
func (j *auditJob) parts(ctx context.Context, id string) work.Progress {
	all, _ := j.ask(ctx, id)
	all.Done = 0
	for _, part := range all.Parts {
		p, _ := j.ask(ctx, part)
		all.Done += p.Done
	}
	return all
}

// failing says what failed last of what some workflows have tried most often; empty: nothing did.
func (j *job) failing(ctx context.Context, workflows []string) string {
	var most *workflow.PendingActivityInfo
	for _, id := range workflows {
		d, err := j.client.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			continue
		}
		for _, a := range d.GetPendingActivities() {
			if a.GetLastFailure() != nil && a.GetAttempt() > most.GetAttempt() {
				most = a
			}
		}
	}
	if most == nil {
		return ""
	}
	const longest = 400
	text := most.GetLastFailure().GetMessage()
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return fmt.Sprintf("; attempt %d after: %s", most.GetAttempt(), printable.Text(text))
}
