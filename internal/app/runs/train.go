package runs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison"
	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/report"
	"github.com/unpoison/unpoison/spike"
	"github.com/unpoison/unpoison/train"
)

// Spec describes a run.
type Spec struct {
	Command string
	Data    *dataset.Data
	Attacks []attack.Config // planted one after the other, on different images; none: the data as they are
	Cache   string          // folder for what attacks learn; see attack.Env
	InPlace bool            // poison Data.Train itself instead of a copy
	Defense Defense
	Audit   bool          // looks for poison only: no model is trained
	Auto    audit.Options // how "auto" and audits look for it
	Options abl.Options
	Folder  string
	Called  string // what commands call the folder, if others will have the run in another place: findings.Elsewhere
	Origin  string // digest of what Data was made of, for the result
	// ReadWith are the flags that Data were read with, --name=value each, for commands that are to read the same.
	ReadWith []string
	Resume   bool
	Replace  bool // the folder is the caller's own: what it holds beside a checkpoint is written over
	Expect   bool // says before a long search how long it will take
	Init     model.State
	Backend  backends.Backend
	Watch    func(Event)
	// Features are of the training images, for a search; nil: it trains networks.
	Features *dataset.Features
	// Spike also asks how weak an attack on these data may be that an audit finds, by auditing copies with known ones.
	Spike bool
	// Passes makes passes over the images of an audit, perhaps on more machines; nil: this one does.
	Passes evaluate.Passes
	// Baseline is an earlier audit to compare with; may be nil.
	Baseline *Baseline
}

// Event is what a run tells while it works.
type Event = train.Line

// Outcome is a finished run with what a report shows beside the result.
type Outcome struct {
	Result  *Result
	Train   *dataset.Set // what the network was trained on
	Truth   []bool       // which images carry a backdoor; nil where nobody knows
	own     []int32      // the labels before; nil likewise
	covered []bool       // images that were changed, and kept their labels: neither clean nor poisoned; nil likewise
	Trained *abl.Result
	Verdict *audit.Verdict // of a search for poison; nil without one
	Odd     []look.Odd     // images whose labels it takes for wrong, and that are no suspects
	Epochs  []Event        // the epoch events, with the mean losses of clean and poisoned images
	Attacks []*attack.Attack
	called  string // what commands call the folder
}

// Train carries out a run. When ctx ends it leaves a checkpoint and returns the context's error. The images that an outcome holds
// are a copy where some were planted, unless the run works in place: see dataset.Set.Discard.
func Train(ctx context.Context, s Spec) (_ *Outcome, err error) {
	if s.Defense != ABL {
		s.Options.IsolateEpochs = 0
	}
	s.Audit = s.Audit || s.Defense == Auto && s.Options.TuneEpochs == 0 // there is no model to speak of
	unlock, err := s.open()
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := &Outcome{Train: s.Data.Train, called: s.Called}
	defer func() {
		if err != nil {
			s.Discard(out)
		}
	}()
	res, err := s.prepared(ctx, out)
	if err != nil {
		return nil, err
	}
	log, err := openLog(filepath.Join(s.Folder, LogFile), s.Resume)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	set := train.Settings{Digest: res.Data.Digest, Folder: s.Folder, Resume: s.Resume, Init: s.Init, Backend: s.Backend, Passes: s.Passes, Log: log.size, Rewind: log.rewind, Watch: func(e train.Event) { s.tell(log, out, e) }}
	switch {
	case s.Audit:
		err = out.searched(unpoison.Audit(ctx, s.searched(out.Train), s.search(set)))
	case s.Defense == Auto:
		err = out.searched(unpoison.Train(ctx, s.searched(out.Train), s.search(set)))
	default:
		out.Trained, err = abl.Train(ctx, out.Train, s.Options, set)
	}
	if err == nil && s.Features != nil {
		err = s.Features.Unchanged()
	}
	if err != nil {
		return nil, errors.Join(err, log.err)
	}
	if log.err != nil {
		return nil, log.err
	}
	out.Epochs = log.epochs
	if s.Spike {
		if err := s.spike(ctx, out, res); err != nil {
			return nil, err
		}
	}
	if err := s.measure(ctx, out, res); err != nil {
		return nil, err
	}
	res.Seconds, res.Epochs.Isolate = out.Trained.Seconds, out.Trained.Isolated
	if out.Verdict != nil {
		res.Epochs.Tune -= out.Verdict.Continued
	}
	res.Engine = strings.Join(out.Trained.Engines, inTurn)
	total := 0.0
	for _, v := range res.Seconds {
		total += v
	}
	res.Seconds["total"] = total
	if t := res.Seconds["isolate"] + res.Seconds["tune"]; t > 0 {
		res.ImagesPerSecond = float64((res.Epochs.Isolate+res.Epochs.Tune)*out.Train.Len()) / t
	}
	res.PeakMemory = sysinfo.PeakMemory()
	out.Result = res
	if err := log.finish(); err != nil {
		return nil, err
	}
	return out, s.store(out, res)
}

// search returns the options of a search by the run's recipe.
func (s *Spec) search(set train.Settings) unpoison.Options {
	o := unpoison.Options{Recipe: &s.Options.Recipe, Search: &s.Auto, Settings: set}
	if s.Features != nil {
		o.Features = features{s.Features}
	}
	if s.Expect && s.Watch != nil {
		o.Expect = func(e look.Expected) { s.Watch(Event{Event: "note", Text: s.expected(e)}) }
	}
	return o
}

// expected says what a search will take. The log does not have it, since it is of this machine.
func (s *Spec) expected(e look.Expected) string {
	images := report.Count(s.Data.Train.Len()) + " images"
	if s.Spike {
		images += fmt.Sprintf(" and of %d copies with known attacks", spike.Copies)
		e.Clean, e.Found = e.Clean+spike.Copies*e.Found, (1+spike.Copies)*e.Found
	}
	all, label := s.disk()
	beside := ""
	if e.Disk > 0 {
		beside = fmt.Sprintf(", and %s beside the decoded images until it ends", sysinfo.Size(e.Disk))
	}
	return fmt.Sprintf("the search of %s will take about %s here, %s or more where something is found, and up to %s in %s, %s more for each label that is found%s; --learn N makes it shorter",
		images, long(e.Clean), long(e.Found), sysinfo.Size(all), s.Folder, sysinfo.Size(label), beside)
}

// disk is how many bytes the folder of a search takes at most where nothing is found, and for each label that is found.
func (s *Spec) disk() (all, label int64) {
	n, classes := int64(s.Data.Train.Len()), int64(len(s.Data.Train.Classes))
	checkpoint := 4 * n * (classes + 4)                          // what networks say of each image, and what is found
	all = 2*checkpoint + n*int64(len(s.Data.Train.Source(0))+70) // the old one stays until the new one is written; and suspects.csv
	if s.Spike {
		all += spike.Copies * checkpoint
	}
	return all, 2 * 4 * n * (classes + 1)
}

// long is a time in minutes or hours.
func long(d time.Duration) string {
	if d < 2*time.Hour {
		return fmt.Sprintf("%.0f min", max(1, d.Minutes()))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// features are those of a file, as a search takes them.
type features struct{ of *dataset.Features }

func (f features) Width() int          { return f.of.Width }
func (f features) Row(i int) []float32 { return f.of.At(i) }
func (f features) Unchanged() error    { return f.of.Unchanged() }

// Digest is of all numbers, and of what has none.
func (f features) Digest() string {
	h := sha256.New()
	for i := range f.of.Len() {
		row := f.of.At(i)
		line := binary.LittleEndian.AppendUint32(nil, uint32(len(row)))
		for _, v := range row {
			line = binary.LittleEndian.AppendUint32(line, math.Float32bits(v))
		}
		h.Write(line)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// searched returns the data with the training images that the search sees.
func (s *Spec) searched(images *dataset.Set) *dataset.Data {
	d := *s.Data
	d.Train = images
	return &d
}

// searched takes over what a search for poison, and a training after it, came to.
func (o *Outcome) searched(r *unpoison.Result, err error) error {
	if err == nil {
		o.Trained = &abl.Result{Network: r.Network, Model: r.Model, Suspects: r.Suspects, Untaught: r.Verdict.Untaught, Seconds: r.Seconds, Engines: r.Engines}
		o.Verdict, o.Odd = r.Verdict, r.Odd
	}
	return err
}

// prepared poisons the images, where that is asked for, and returns a result with what is known of them.
func (s *Spec) prepared(ctx context.Context, out *Outcome) (*Result, error) {
	res, err := s.newResult(ctx)
	if err != nil {
		return nil, err
	}
	if len(s.Attacks) > 0 {
		if err := s.plant(ctx, out, res); err != nil {
			return nil, err
		}
		if res.Data.Digest, err = out.Train.DigestUntil(ctx); err != nil {
			return nil, err
		}
	}
	if s.Spike {
		if err := spike.Check(out.Train, s.Options.Seed); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// plant poisons the training set.
func (s *Spec) plant(ctx context.Context, out *Outcome, res *Result) error {
	env := attack.Env{Backend: s.Backend, Cache: s.Cache, Watch: Watcher(s.Watch)}
	if !s.InPlace {
		out.Train = s.Data.Train.Clone()
	}
	out.Truth = make([]bool, out.Train.Len())
	out.own, out.covered = slices.Clone(out.Train.Labels), make([]bool, out.Train.Len())
	start := time.Now()
	return attack.Plant(ctx, s.Attacks, out.Train, nil, env, func(k int, a *attack.Attack, t *attack.Truth) {
		for i, planted := range t.Poisoned {
			out.Truth[i] = out.Truth[i] || planted
			out.covered[i] = out.covered[i] || t.Covered[i]
		}
		note(out, res, s.Attacks[k], a, time.Since(start))
		start = time.Now()
	})
}

// Discard gives the memory of planted images back, if they are a copy's.
func (s *Spec) Discard(out *Outcome) {
	if out.Train != s.Data.Train {
		out.Train.Discard()
	}
}

// note adds an attack to an outcome and its result.
func note(out *Outcome, res *Result, c attack.Config, a *attack.Attack, took time.Duration) {
	out.Attacks = append(out.Attacks, a)
	pictures, _ := c.Pictures() // what was learnt from some that are gone may be kept
	res.Attacks = append(res.Attacks, &Attack{Name: c.Method.Name, Rate: c.Rate, Target: c.Target, Settings: c, Pictures: pictures, Seconds: took.Seconds()})
	res.Attack = res.Attacks[0]
}

// Watcher passes on what is trained before a run begins.
func Watcher(watch func(Event)) func(train.Event) {
	s := &Spec{Watch: watch}
	return func(e train.Event) { s.tell(nil, &Outcome{}, e) }
}

// progress tells how far a stage has come.
func progress(stage string, p train.Progress) Event {
	loss := &p.Loss
	if p.Images {
		loss = nil
	}
	return Event{
		Event: "progress", Stage: stage, Epoch: p.Epoch, Epochs: p.Epochs, Step: p.Step, Steps: p.Steps, Loss: loss,
		Rate: p.Rate, ImagesPerSecond: p.ImagesPerSecond, SecondsLeft: p.Left.Seconds(),
	}
}

// tell turns a training's event into lines of the log, if there is one yet, and passes it on. Only here, behind the
// training's back, are the truth and its events put together.
func (s *Spec) tell(log *logFile, out *Outcome, e train.Event) {
	pass := func(ev Event) {
		if log != nil {
			log.write(ev)
		}
		if s.Watch != nil {
			s.Watch(ev)
		}
	}
	switch {
	case e.Progress != nil:
		if s.Watch != nil {
			s.Watch(progress(e.Stage, *e.Progress))
		}
	case e.Epoch > 0:
		ev := Event{Event: "epoch", Stage: e.Stage, Epoch: e.Epoch, Loss: &e.Loss}
		if out.Truth != nil && e.Losses != nil {
			var sum [2]float64
			var n [2]int
			for i, l := range e.Losses {
				if l >= 0 && !out.covered[i] {
					k := 0
					if out.Truth[i] {
						k = 1
					}
					sum[k] += float64(l)
					n[k]++
				}
			}
			if n[0] > 0 && n[1] > 0 {
				c, p := sum[0]/float64(n[0]), sum[1]/float64(n[1])
				ev.Clean, ev.Poisoned = &c, &p
			}
		}
		pass(ev)
	case e.Note != "":
		pass(Event{Event: "note", Stage: e.Stage, Text: e.Note})
	}
}
