package work

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/rng"
)

// An audit of many images may be silent for longer; a run that something moves in does not hang.
func TestRunsThatHang(t *testing.T) {
	r := &run{}
	ago := func(d time.Duration) { r.event.Store(time.Now().Add(-d).UnixNano()) }
	if ago(mostSilence + time.Minute); !r.hangs() {
		t.Error("a run that is silent for long does not hang")
	}
	r.images.Store(1_000_000)
	if r.hangs() {
		t.Error("a look through a million images is taken for one that hangs")
	}
	if ago(10 * mostSilence); !r.hangs() {
		t.Error("an audit that is silent for very long does not hang")
	}
	if r.moved(); r.hangs() {
		t.Error("a run in which something moves hangs")
	}
}

// visits are passes that visit some images.
type visits int

func (v visits) Pass(_ context.Context, _ evaluate.Pass, _ []int, visit func(i int, row []float32)) error {
	for i := range int(v) {
		visit(i, nil)
	}
	return nil
}

// Who makes passes depends on the packs; those that the leader makes by itself tell of every image.
func TestWhoMakesPasses(t *testing.T) {
	w, p, d := smallPacks(t)
	l := &leader{run: run{Worker: w}, plan: w.planIs}
	two := *d // classes, so that sums are smaller than images
	two.Train = d.Train.Subset(rng.Iota(d.Train.Len()))
	two.Train.Classes = d.Train.Classes[:2]
	if by, ok := l.passes(p, &two).(sums); !ok {
		t.Errorf("%T sums", by)
	}
	few := *d
	few.Train = d.Train.Subset([]int{0, 1})
	if by := l.passes(p, &few); by != evaluate.Passes(p) {
		t.Errorf("of few images %T sums", by)
	}
	l.plan.Data.Train.Held = []int{70, 70, 70, 20}
	if by := l.passes(p, &two); by != evaluate.Passes(p) {
		t.Errorf("of uneven packs %T sums", by)
	}
	few.Skipped = []error{errors.New("damaged")}
	here, ok := l.passes(p, &few).(watched)
	if !ok {
		t.Fatal("other workers make passes over packs that lack images")
	}
	here.by = visits(5)
	n, seen := 0, 0
	here.moved = func() { n++ }
	if err := here.Pass(t.Context(), evaluate.Pass{}, nil, func(int, []float32) { seen++ }); err != nil || n != 5 || seen != 5 {
		t.Errorf("5 images were told of %d times, and visited %d times (%v)", n, seen, err)
	}
}

// What the store has lost of a part, or of a finished run, is made again and gets the name.
func TestLostResultsAreMadeAgain(t *testing.T) {
	ctx := context.Background()
	w, p, _ := smallPacks(t)
	lose := func(k store.Key) {
		if err := os.Remove(filepath.Join(w.Store.String(), "objects", string(k[:2]), string(k))); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := p.of(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := put(ctx, p.store, task{Kind: sumsKind, Plan: p.plan})
	if err != nil {
		t.Fatal(err)
	}
	l := &leader{run: run{Worker: w}, plan: w.planIs}
	p.again = l.again
	k, err := l.again(ctx, sum, parts[1])
	if err != nil {
		t.Fatal(err)
	}
	lose(k)
	if _, err := p.result(ctx, sum, parts[1], k); err != nil {
		t.Errorf("a part's result that was lost: %v", err)
	}

	l.folder, l.result = t.TempDir(), "audits/"+string(p.plan)
	finish := func(text string) store.Key {
		if err := os.WriteFile(filepath.Join(l.folder, "a"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := l.keep(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := finish("first")
	if k := finish("later"); k != first {
		t.Error("the first that finished does not count")
	}
	if k, lost, err := w.found(ctx, l.result, w.Store.HasFolder); err != nil || lost || k != first {
		t.Errorf("a finished run: %s, %v, %v", k, lost, err)
	}
	lose(first)
	if _, l.lost, err = w.found(ctx, l.result, w.Store.HasFolder); !errors.Is(err, store.ErrNone) || !l.lost {
		t.Errorf("a finished run whose files are gone is found (%v)", err)
	}
	again := finish("again")
	if k, _, err := w.found(ctx, l.result, w.Store.HasFolder); err != nil || k != again {
		t.Errorf("what was made again is not found: %v", err)
	}
}

// ending is why a run ends, and whether it is this worker's still and what it waits for is no longer wanted.
type ending struct {
	why             error
	keeps, unwanted bool
}

func endings() map[string]ending {
	return map[string]ending{
		"cancelled":   {temporal.NewCanceledError(), true, true},
		"stopping":    {errStopping, true, false},
		"replaced":    {serviceerror.NewNotFound("activity task not found"), false, false},
		"unreachable": {serviceerror.NewUnavailable("no connection"), false, false},
	}
}

// A worker that was replaced names no checkpoint: the one that went on has a later one.
func TestWhoWasReplacedNamesNoCheckpoint(t *testing.T) {
	for name, c := range endings() {
		s, err := store.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		id := strings.Repeat("0", 64)
		later, err := s.Put(t.Context(), []byte("later"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Name(t.Context(), "checkpoints/"+id, later, false); err != nil {
			t.Fatal(err)
		}
		r := &run{Worker: &Worker{Store: s}, id: id, folder: t.TempDir()}
		r.last.Store(&beat{})
		var suite testsuite.WorkflowTestSuite
		e := suite.NewTestActivityEnvironment()
		e.RegisterActivityWithOptions(func(ctx context.Context) error {
			ctx, end := context.WithCancelCause(ctx)
			_, err := r.do(ctx, func(context.Context) error {
				if err := os.WriteFile(r.checkpoint(), []byte("earlier"), 0o600); err != nil {
					return err
				}
				end(c.why)
				return ctx.Err()
			})
			return err
		}, activity.RegisterOptions{Name: "do"})
		if _, err := e.ExecuteActivity("do"); err == nil {
			t.Errorf("%s: no error", name)
		}
		if k, err := s.Find(t.Context(), "checkpoints/"+id); err != nil || (k != later) != c.keeps {
			t.Errorf("%s: the checkpoint is %s, that of another worker %s (%v)", name, k, later, err)
		}
	}
}

// A map is cancelled only where the audit is: otherwise another leader waits for it.
func TestWhoWasReplacedCancelsNoMap(t *testing.T) {
	for name, c := range endings() {
		s, err := store.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, end := context.WithCancelCause(t.Context())
		to := &mocks.Client{}
		to.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil, context.Canceled).Run(func(mock.Arguments) { end(c.why) })
		to.On("CancelWorkflow", mock.Anything, mock.Anything, mock.Anything).Return(nil)
		l := &leader{run: run{Worker: &Worker{Store: s, client: to}}}
		l.last.Store(&beat{})
		if _, err := l.mapped(ctx, "task", []mapPart{{}}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if cancelled := !to.AssertNotCalled(&testing.T{}, "CancelWorkflow", mock.Anything, mock.Anything, mock.Anything); cancelled != c.unwanted {
			t.Errorf("%s: the map is cancelled: %v", name, cancelled)
		}
	}
}
