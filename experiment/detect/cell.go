package detect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	published "github.com/unpoison/unpoison/detect"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// quickImages is how many training images the quick scale has at most.
const quickImages = 600

// assumedRate is what detectors are told that ask for the rate where nothing is planted.
const assumedRate = 0.01

// recipe is how the network of a set is trained, and isolation for it.
func (r *Runner) recipe(m *made) abl.Options {
	o := abl.Default()
	o.Network = cmp.Or(r.Network, o.Network)
	if r.Quick {
		o.Network, o.TuneEpochs, o.IsolateEpochs, o.IsolateMost = cmp.Or(r.Network, "small-cnn"), 3, 2, 0
		o.Recipe = o.Recipe.Fit(m.train.Len())
	} else {
		o = o.FitTo(m.train.Len(), func(string) bool { return false })
	}
	o.Seed, o.Flip, o.Unlearn = 0, m.flips, "none"
	return o
}

// look is how the audit looks for poison; at the quick scale by pixels alone, since its other networks take as long on few images.
func (r *Runner) look() audit.Options {
	a := audit.Default()
	if r.Quick {
		a.Content, a.InspectEpochs = false, 0
	}
	return a
}

// cell is the work on one set. Its folder is named by what is in it: the same images, labels and recipe are the same work.
type cell struct {
	r      *Runner
	set    *Set
	m      *made
	folder string
	digest string
	net    *model.Network
	state  model.State
	does   Without          // the network
	in     *published.Input // nil until a detector wants it
	close  func()           // gives the folder free

	triggered *dataset.Set // the test images with the trigger, once they are needed
}

// open makes the set, finds its folder and takes it for this caller alone.
func (r *Runner) open(ctx context.Context, s *Set) (*cell, error) {
	m, err := r.make(ctx, s)
	if err != nil {
		return nil, err
	}
	digest, err := m.train.DigestUntil(ctx)
	if err != nil {
		return nil, err
	}
	clean, err := m.clean.DigestUntil(ctx)
	if err != nil {
		return nil, err
	}
	c := &cell{r: r, set: s, m: m, digest: digest}
	own, err := json.Marshal([]any{c.digest, clean, m.count(Planted), r.recipe(m), r.look(), audit.Revision, version.String(), version.Current().Modified})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(own)
	c.folder = filepath.Join(r.Folder, "made", hex.EncodeToString(sum[:12]))
	if err := os.MkdirAll(c.folder, 0o777); err != nil {
		return nil, err
	}
	if c.close, err = atomicfile.Lock(c.folder); err != nil {
		return nil, fmt.Errorf("%s: %w; it is measured by another program, or as a set of the same images", c.folder, err)
	}
	return c, nil
}

// network trains the network of somebody who suspects nothing, or reads it.
func (c *cell) network(ctx context.Context) error {
	if c.net != nil {
		return nil
	}
	path := filepath.Join(c.folder, "network.safetensors")
	if _, err := os.Stat(path); err != nil {
		o := c.r.recipe(c.m)
		o.IsolateEpochs = 0
		res, err := c.train(ctx, "network", c.m.train, o)
		if err != nil {
			return err
		}
		info := checkpoint.Info{Arch: res.Network.Arch, Classes: c.m.train.Classes, Height: c.m.train.Height, Width: c.m.train.Width, Version: version.Number}
		if err := checkpoint.Save(path, res.Model, info); err != nil {
			return err
		}
	}
	net, state, _, err := checkpoint.Load(path)
	if err != nil {
		return err
	}
	does, err := c.measure(ctx, net, state)
	if err != nil {
		return err
	}
	c.net, c.state, c.does = net, state, *does
	return nil
}

// train trains in a folder of its own, which goes on after a kill.
func (c *cell) train(ctx context.Context, name string, set *dataset.Set, o abl.Options) (*abl.Result, error) {
	folder := filepath.Join(c.folder, name)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	return abl.Train(ctx, set, o, train.Settings{Folder: folder, Resume: true, Backend: c.r.Backend, Watch: c.tell})
}

func (c *cell) tell(e train.Event) {
	if c.r.Watch != nil {
		runs.Watcher(c.r.Watch)(e)
	}
}

// losses returns isolation's score of each image.
func (c *cell) losses(ctx context.Context) ([]float32, error) {
	path := filepath.Join(c.folder, "losses.safetensors")
	if arrays, _, err := checkpoint.ReadArrays(path); err == nil {
		return arrays["losses"].Data, nil
	}
	o := c.r.recipe(c.m)
	o.TuneEpochs = 0
	res, err := c.train(ctx, "isolation", c.m.train, o)
	if err != nil {
		return nil, err
	}
	losses := make([]float32, c.m.train.Len())
	for _, s := range res.Suspects {
		losses[s.Index] = s.Score
	}
	return losses, checkpoint.WriteArrays(path, map[string]checkpoint.Array{"losses": {Dims: []int{len(losses)}, Data: losses}}, nil)
}

// input is what detectors are given.
func (c *cell) input(ctx context.Context) (*published.Input, error) {
	if c.in != nil {
		return c.in, nil
	}
	if err := c.network(ctx); err != nil {
		return nil, err
	}
	losses, err := c.losses(ctx)
	if err != nil {
		return nil, err
	}
	rate := float64(c.m.count(Planted)) / float64(c.m.train.Len())
	if rate == 0 {
		rate = assumedRate
	}
	in := &published.Input{
		Backend: c.r.Backend, Network: c.net, State: c.state, Data: c.m.train, Clean: c.m.clean, Rate: rate, Losses: losses, Seed: c.set.Seed,
	}
	if err := in.Prepare(ctx); err != nil {
		return nil, err
	}
	c.in = in
	return in, nil
}

// fileName begins the names of what is kept of a detector; each revision has its own.
func fileName(d published.Detector) string {
	if n := published.Revision(d); n > 0 {
		return fmt.Sprintf("%s.%d", d.Name(), n)
	}
	return d.Name()
}

// detect has a published detector score the set, or reads what it said: its score, and the images that it flags.
func (c *cell) detect(ctx context.Context, d published.Detector) (*Score, []bool, error) {
	in, err := c.input(ctx)
	if err != nil {
		return nil, nil, err
	}
	name := fileName(d)
	path, took := filepath.Join(c.folder, name+".safetensors"), filepath.Join(c.folder, name+".seconds")
	arrays, _, err := checkpoint.ReadArrays(path)
	if err != nil {
		if err := in.Check(d); err != nil {
			return nil, nil, err
		}
		start := time.Now()
		out, err := d.Detect(ctx, in)
		if err != nil {
			return nil, nil, err
		}
		if err := out.Check(c.m.train.Len()); err != nil {
			return nil, nil, err
		}
		seconds := time.Since(start).Seconds()
		n := len(out.Scores)
		scores, flags := make([]float32, n), make([]float32, n)
		for i := range n {
			scores[i] = float32(out.Scores[i])
			if out.Flagged[i] {
				flags[i] = 1
			}
		}
		arrays = map[string]checkpoint.Array{"scores": {Dims: []int{n}, Data: scores}, "flagged": {Dims: []int{n}, Data: flags}}
		// Beside the scores, which are the same whoever computes them.
		if err := atomicfile.WriteBytes(took, []byte(strconv.FormatFloat(seconds, 'f', 2, 64))); err != nil {
			return nil, nil, err
		}
		if err := checkpoint.WriteArrays(path, arrays, nil); err != nil {
			return nil, nil, err
		}
	}
	scores, flagged := arrays["scores"].Data, make([]bool, c.m.train.Len())
	if len(scores) != len(flagged) || len(arrays["flagged"].Data) != len(flagged) {
		return nil, nil, fmt.Errorf("%s: expected scores of %d images, found %d; delete the file", path, len(flagged), len(scores))
	}
	for i, f := range arrays["flagged"].Data {
		flagged[i] = f != 0
	}
	v := c.score(d.Name(), d.Needs().String(), scores, flagged)
	v.Network, v.CA, v.ASR, v.Revision = c.net.Arch, c.does.CA, c.does.ASR, published.Revision(d)
	text, err := os.ReadFile(took)
	if err != nil {
		return nil, nil, err
	}
	if v.Seconds, err = strconv.ParseFloat(string(text), 64); err != nil {
		return nil, nil, fmt.Errorf("%s: expected seconds, found %q; delete the scores beside it", took, text)
	}
	v.Verdict = look.NoEvidence.String()
	if v.Flagged > 0 {
		v.Verdict = look.Poisoned.String()
	}
	return v, flagged, nil
}

// audit has this program look for poison, in a run folder. Its order of suspicion stands for scores.
func (c *cell) audit(ctx context.Context) (*Score, []bool, error) {
	folder := filepath.Join(c.folder, "audit")
	o := c.r.recipe(c.m)
	if _, err := runs.ReadFinished(folder); err != nil { // damaged ones are made again
		o.TuneEpochs = 0
		_, err := runs.Train(ctx, runs.Spec{
			Command: c.command(Ours), Data: &dataset.Data{Train: c.m.train},
			Defense: runs.Auto, Audit: true, Auto: c.r.look(), Options: o, Folder: folder, Resume: true, Replace: true, Backend: c.r.Backend, Watch: c.r.Watch,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	res, err := runs.ReadResult(filepath.Join(folder, runs.ResultFile))
	if err != nil {
		return nil, nil, err
	}
	scores, flagged, err := readSuspects(filepath.Join(folder, runs.SuspectsFile), c.m.train)
	if err != nil {
		return nil, nil, err
	}
	v := c.score(Ours, "nothing", scores, flagged)
	v.Network, v.Seconds, v.Revision = o.Network, res.Seconds["total"], audit.Revision
	if res.Verdict == nil {
		return nil, nil, fmt.Errorf("%s: expected a verdict, found none", filepath.Join(folder, runs.ResultFile))
	}
	v.Verdict = res.Verdict.Says.String()
	v.Strength, v.Next, v.Confirmed = res.Verdict.Strength, res.Verdict.Next, res.Verdict.Confirmed
	for _, t := range res.Verdict.Targets {
		v.Said = append(v.Said, Said{t.Look, t.Label, t.Says, t.Score})
	}
	if c.set.Poisoned() {
		right, err := c.right(res.Verdict)
		if err != nil {
			return nil, nil, err
		}
		v.Right = &right
	}
	return v, flagged, nil
}

// right tells whether a verdict on a poisoned set has the right word, names a label that planted images carry, and no other. The
// labels of a clean-label attack are right: it is a shortcut.
func (c *cell) right(v *audit.Verdict) (bool, error) {
	config, err := c.set.Config()
	if err != nil {
		return false, err
	}
	word := look.Poisoned
	if config.Method.CleanLabel {
		word = look.Shortcut
	}
	return v.Right(word, c.m.labels), nil
}

// readSuspects returns for each image of a set how early it comes in a list of suspects, and whether it is isolated. Lists may be
// without any isolated image.
func readSuspects(path string, set *dataset.Set) (scores []float32, flagged []bool, err error) {
	n := set.Len()
	scores, flagged = make([]float32, n), make([]bool, n)
	return scores, flagged, runs.ReadRanks(runs.List{Path: path, Set: set, ByIndex: true}, func(i, rank int, isolated bool) {
		scores[i], flagged[i] = float32(n-rank), isolated
	})
}

// command is the line that measures a detector on the set again.
func (c *cell) command(detector string) string {
	text := "unpoison experiment detect"
	if c.set.Family != "signs" { // which are rendered
		text += " --family " + c.set.Family + "=DIR"
	}
	text += " --detectors " + detector + " --only " + c.set.Name
	if c.r.Network != "" {
		text += " --model " + c.r.Network
	}
	if c.r.retrained(c.set) {
		text += " --retrain"
	}
	if c.r.Quick {
		text += " --scale quick"
	}
	return text
}

func (c *cell) score(name, told string, scores []float32, flagged []bool) *Score {
	return &Score{
		Command: c.command(name),
		Date:    time.Now().UTC().Format(time.DateOnly),
		Set:     *c.set, Detector: name, Told: told, Digest: c.digest, Images: c.m.train.Len(), Classes: len(c.m.train.Classes), Planted: c.m.count(Planted),
		Covered: c.m.count(Covered), Rates: measure(scores, flagged, c.m.truth), Version: version.String(),
	}
}
