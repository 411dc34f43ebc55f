package work

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// The names by which Temporal knows an audit, and the work on it of one worker, who leads it.
const (
	AuditWorkflow = "unpoison.audit"
	leadActivity  = "unpoison.lead"
)

// auditAll has an audit led.
func auditAll(ctx workflow.Context, in Input) (store.Key, error) {
	if in.Heartbeat <= 0 {
		in.Heartbeat = DefaultHeartbeat
	}
	var k store.Key
	err := workflow.ExecuteActivity(long(ctx, in.Heartbeat), leadActivity, in).Get(ctx, &k)
	return k, err
}

// lead audits: it has the images decoded in parts, trains the networks, has all images looked at in parts, and judges.
func (w *Worker) lead(ctx context.Context, in Input) (store.Key, error) {
	p, err := w.auditPlan(ctx, in.Plan)
	if err != nil {
		return "", final(err)
	}
	name := auditName(in.Plan)
	k, lost, err := w.found(ctx, name, w.Store.HasFolder)
	if !errors.Is(err, store.ErrNone) {
		return k, err
	}
	last, dir, err := w.begin(ctx, "audit-*")
	if err != nil {
		return "", err
	}
	l := &leader{run{Worker: w, id: strings.TrimPrefix(name, "audits/"), result: name, name: "audit", folder: filepath.Join(dir, "audit"), lost: lost}, p, in.Plan, dir}
	ctx, stop := l.beating(ctx, last)
	defer stop()
	defer os.RemoveAll(dir)
	if err := l.restore(ctx); err != nil {
		return "", final(err)
	}
	return l.do(ctx, l.work)
}

// leader is an audit that is being led.
type leader struct {
	run
	plan *AuditPlan
	key  store.Key
	dir  string
}

func (l *leader) work(ctx context.Context) error {
	parts := make([]mapPart, len(l.plan.Packs))
	for k, pack := range l.plan.Packs {
		parts[k] = mapPart{Pack: k, Data: pack}
	}
	p := &passes{store: l.Store, scratch: l.dir, plan: l.key, do: l.mapped, again: l.again}
	t, err := put(ctx, l.Store, task{Kind: decodeKind, Plan: l.key})
	if err != nil {
		return err
	}
	l.doing("decoding")
	if p.packs, err = l.mapped(ctx, t, parts); err != nil {
		return err
	}
	l.doing("joining the images")
	d, err := l.join(ctx, p, t, parts)
	if err != nil {
		return err
	}
	l.images.Store(int64(d.Train.Len()))
	o, search, err := l.plan.Settings.options(d.Train.Len(), d.Layout)
	if err != nil {
		return &wrongError{err}
	}
	_, err = runs.Train(ctx, runs.Spec{
		Backend: l.Backend, Command: "unpoison-grid audit", Data: d, ReadWith: l.plan.ReadWith, Called: findings.Elsewhere, Defense: runs.AuditOnly, Audit: true, Options: o, Auto: search,
		Folder: l.folder, Resume: true, Replace: true, Passes: l.passes(p, d), Watch: func(e runs.Event) {
			l.happened()
			if e.Event == "progress" && e.Loss != nil {
				l.doing(fmt.Sprintf("training, %s, epoch %d of %d", e.Stage, e.Epoch, e.Epochs))
			}
		},
	})
	return err
}

// join reads the decoded packs into one mapped set.
func (l *leader) join(ctx context.Context, p *passes, decode store.Key, parts []mapPart) (*dataset.Data, error) {
	images := filepath.Join(l.dir, "images")
	if err := os.MkdirAll(images, 0o777); err != nil {
		return nil, err
	}
	train, _ := l.plan.Data.Packs()
	packs := p.packs
	p.packs, p.first = packs[:train], l.plan.Data.Starts()
	d, err := l.plan.Data.Read(ctx, dataset.Options{Store: images, Watch: func(string, int, int) { l.happened() }}, func(k int) ([]byte, error) {
		return p.result(ctx, decode, parts[k], packs[k])
	})
	if err != nil {
		return nil, err
	}
	for k := range p.first {
		p.first[k] = min(p.first[k], d.Train.Len())
	}
	return d, nil
}

// passes are those over data that were joined. This machine makes them where records were passed over and packs hold fewer images
// than they have records. It makes sums that would be larger than the images, and those of packs that are no parts as one
// machine has them.
func (l *leader) passes(p *passes, d *dataset.Data) evaluate.Passes {
	const sumsBytes = 3 * 8 // of a coefficient of each label, beside a byte of an image
	switch {
	case len(d.Skipped) > 0:
		return watched{evaluate.Here{Backend: l.Backend, Set: d.Train}, l.moved}
	case l.plan.Data.Train.Held != nil, sumsBytes*len(d.Train.Classes)*len(p.packs) > d.Train.Len():
		return p
	}
	return sums{p}
}

// again does a task to a part here, and returns the key of what came out.
func (l *leader) again(ctx context.Context, t store.Key, part mapPart) (store.Key, error) {
	list, err := put(ctx, l.Store, []mapPart{part})
	if err != nil {
		return "", err
	}
	return l.doStep(ctx, StepInput{Task: t, List: list})
}

func (l *leader) doing(what string) { l.change(func(b *beat) { b.Doing.Doing = what }) }

// mapped has a task done to parts by a workflow, or joins the one that does it already.
func (l *leader) mapped(ctx context.Context, t store.Key, parts []mapPart) ([]store.Key, error) {
	in := MapInput{Task: t, Parts: len(parts)}
	for some := range slices.Chunk(parts, PartSize) {
		k, err := put(ctx, l.Store, some)
		if err != nil {
			return nil, err
		}
		in.Lists = append(in.Lists, k)
	}
	whole, err := put(ctx, l.Store, in)
	if err != nil {
		return nil, err
	}
	id := "unpoison-map-" + string(whole[:32])
	l.change(func(b *beat) { b.Map = id })
	defer l.change(func(b *beat) { b.Map = "" })
	for {
		keys, err := l.follow(ctx, id, in)
		l.happened()
		switch {
		case err == nil && len(keys) == len(parts):
			return keys, nil
		case err == nil:
			return nil, fmt.Errorf("%d parts came out of %d", len(keys), len(parts))
		case ctx.Err() != nil:
			if temporal.IsCanceledError(context.Cause(ctx)) { // otherwise another worker joins it, or has
				l.cancel(ctx, id)
			}
			return nil, ctx.Err()
		case !Away(err):
			var app *temporal.ApplicationError
			if errors.As(err, &app) && app.NonRetryable() {
				return nil, &wrongError{errors.New(reason(err))}
			}
			return nil, err
		}
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
		}
	}
}

// follow waits for a map for a while, so that the leader does not seem to hang.
func (l *leader) follow(ctx context.Context, id string, in MapInput) ([]store.Key, error) {
	started, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: PartsQueue, WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
	}, mapWorkflow, in)
	if err != nil {
		return nil, err
	}
	some, stop := context.WithTimeout(ctx, mostSilence/2)
	defer stop()
	var lists [][]store.Key
	if err := started.Get(some, &lists); err != nil {
		return nil, err
	}
	return slices.Concat(lists...), nil
}

func (l *leader) cancel(ctx context.Context, id string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	if err := l.client.CancelWorkflow(ctx, id, ""); err != nil {
		activity.GetLogger(ctx).Warn("the parts could not be cancelled", "workflow", id, "error", err)
	}
}
