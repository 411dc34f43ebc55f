package runs

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/train"
)

// RepairSpec describes a defence on a model that was trained before; Spec's Defense names it.
type RepairSpec struct {
	Spec
	Base     string  // folder of the run whose model it is
	Suspects string  // unlearning: folder of the run whose isolated images are unlearnt
	Share    float64 // repair: of the clean training images, drawn by seed
	Repair   repair.Options
	Tune     repair.UnlearnOptions
}

// UnlearnABL names gradient ascent among the unlearning methods.
const UnlearnABL = "abl"

// UnlearnNames lists the unlearning methods: ABL's own, and those that its paper compares it with.
func UnlearnNames() []string {
	n := []string{UnlearnABL}
	for _, m := range repair.UnlearnMethods() {
		n = append(n, m.Name)
	}
	return n
}

// RunRepair carries it out. The folder then holds model and result.
func RunRepair(ctx context.Context, s RepairSpec) (*Result, error) {
	s.Replace = true // what is there is overwritten: a repair has no stages
	unlock, err := s.open()
	if err != nil {
		return nil, err
	}
	defer unlock()
	start := time.Now()
	n, state, base, err := checkpoint.Load(filepath.Join(s.Base, ModelFile))
	if err != nil {
		return nil, err
	}
	// A neighbour is named from here, so that the whole can be moved.
	near := func(path string) string {
		if rel, err := filepath.Rel(s.Folder, path); err == nil && path != "" {
			return rel
		}
		return path
	}
	out := &Outcome{Train: s.Data.Train}
	res, err := s.newResult(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Discard(out)
	res.Epochs = Epochs{}
	res.Repair = &Repair{Base: near(s.Base), Isolate: near(s.Suspects)}
	if method, ok := s.Defense.Unlearns(); ok {
		state, err = s.unlearn(ctx, method, n, state, out, res)
	} else {
		state, err = s.repair(ctx, n, state, out, res)
	}
	if err != nil {
		return nil, err
	}
	if err := s.measureModel(ctx, n, state, out, res); err != nil {
		return nil, err
	}
	if out.Truth != nil { // images were planted
		if res.Data.Digest, err = out.Train.DigestUntil(ctx); err != nil {
			return nil, err
		}
	}
	res.Seconds = map[string]float64{"total": time.Since(start).Seconds()}
	res.PeakMemory = sysinfo.PeakMemory()
	info := checkpoint.Info{Arch: n.Arch, Classes: out.Train.Classes, Height: n.Height, Width: n.Width, Depth: cmp.Or(base.Depth, s.Data.Depth), Normalize: base.Normalize, Version: version.Number}
	if err := checkpoint.Save(filepath.Join(s.Folder, ModelFile), state, info); err != nil {
		return nil, err
	}
	return res, res.write(s.Folder)
}

// Progress passes on how far a training outside a run has come; watch may be nil.
func Progress(watch func(Event)) func(train.Progress) {
	return func(p train.Progress) {
		if watch != nil {
			watch(progress(p.Phase, p))
		}
	}
}

// repair gives a method its share of the clean images; Before takes the model as it is. Of the attack only the trigger is needed.
func (s *RepairSpec) repair(ctx context.Context, n *model.Network, state model.State, out *Outcome, res *Result) (model.State, error) {
	env := attack.Env{Backend: s.Backend, Cache: s.Cache, Watch: Watcher(s.Watch)}
	if len(s.Attacks) > 1 { // each learnt its trigger from what the ones before it left
		planted := s.Data.Train.Clone()
		defer planted.Discard()
		err := attack.Plant(ctx, s.Attacks, planted, nil, env, func(k int, a *attack.Attack, _ *attack.Truth) { note(out, res, s.Attacks[k], a, 0) })
		if err != nil {
			return nil, err
		}
	} else if len(s.Attacks) == 1 {
		a, err := attack.New(ctx, s.Attacks[0], s.Data.Train, env)
		if err != nil {
			return nil, err
		}
		note(out, res, s.Attacks[0], a, 0)
	}
	if s.Defense == Before {
		return state, nil
	}
	clean := repair.Draw(s.Data.Train, s.Share, s.Options.Seed)
	method, err := repair.MethodNamed(string(s.Defense))
	if err != nil {
		return nil, err
	}
	done, err := repair.Run(ctx, method, &repair.Job{Backend: s.Backend, Network: n, State: state, Clean: clean, Options: s.Repair, Watch: Progress(s.Watch)})
	if err != nil {
		return nil, err
	}
	res.Repair.Clean, res.Repair.Options, res.Repair.Chose = clean.Len(), s.Repair, done.Chose
	return done.State, nil
}

// unlearn gives a method the poisoned set and what isolation found in it.
func (s *RepairSpec) unlearn(ctx context.Context, method string, n *model.Network, state model.State, out *Outcome, res *Result) (model.State, error) {
	if err := s.plant(ctx, out, res); err != nil {
		return nil, err
	}
	parts, err := ReadParts(List{Path: filepath.Join(s.Suspects, SuspectsFile), Set: out.Train}, s.Options.HeldBackShare, s.Options.Seed)
	if err != nil {
		return nil, err
	}
	if method == UnlearnABL {
		res.Repair.Options = s.Options
		res.Unlearning, err = abl.Unlearn(ctx, s.Backend, n, state, out.Train, parts, s.Options, Progress(s.Watch))
		return state, err
	}
	j := &repair.UnlearnJob{Backend: s.Backend, Network: n, State: state, Data: out.Train, Options: s.Tune, Watch: Progress(s.Watch)}
	state, err = TuneOn(ctx, method, j, parts, s.Options.Recipe)
	if res.Repair.Options = j.Options; s.Tune.Pretrained != nil {
		res.Repair.From = s.Tune.Pretrained.Digest()
	}
	return state, err
}

// ReadParts splits images by a list of suspects.
func ReadParts(l List, heldBack float64, seed uint64) (*isolate.Parts, error) {
	scores, isolated, err := ReadSuspects(l)
	if err != nil {
		return nil, err
	}
	return isolate.Split(scores, float64(isolated)/float64(len(scores)), heldBack, seed), nil
}

// TuneOn unlearns by one of the methods that the paper compares. They watch nothing: images that were held back are kept ones. It completes
// the job, by which it went. Of the recipe the seed and the augmentation count.
func TuneOn(ctx context.Context, method string, j *repair.UnlearnJob, parts *isolate.Parts, o train.Recipe) (model.State, error) {
	m, err := repair.UnlearnMethodNamed(method)
	if err != nil {
		return nil, err
	}
	parts = parts.Unwatched()
	j.Kept, j.Isolated = parts.Kept, parts.Isolated
	j.Options.Batch = min(j.Options.Batch, repair.DefaultUnlearn(len(j.Kept)).Batch)
	if j.Options.Seed = o.Seed; o.Augment {
		j.Options.Augment = augment.Standard(min(j.Network.Height, j.Network.Width), o.Flip)
	}
	return repair.Unlearn(ctx, m, j)
}
