package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	words "github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/model"
)

// recipes are the names that --recipe takes.
var recipes = []string{"default", "paper", "demo"}

const noFlipHelp = "never mirror images in training, for example of road signs or text (the default for GTSRB)"

// recipeFlags are the flags of train and audit that shape ABL.
type recipeFlags struct {
	features, featuresColumn, featuresImage string
	recipe                                  string
	auto                                    audit.Options
	o                                       abl.Options
	noFlip                                  bool
	learn                                   int // images that an audit's networks learn from; 0: all
}

// add declares the flags with the default recipe's values.
func (f *recipeFlags) add(c *cobra.Command, tune bool) {
	f.o = abl.Default()
	fl := c.Flags()
	fl.StringVar(&f.recipe, "recipe", "default", "settings to start from: default, paper (100 epochs as published) or demo (for about 3,000 images and a small network)")
	fl.StringVar(&f.o.Network, "model", f.o.Network, "network: "+strings.Join(model.Names(), ", "))
	fl.Uint64Var(&f.o.Seed, "seed", 0, "random seed")
	fl.IntVar(&f.o.Batch, "batch", f.o.Batch, "images per training step; fewer for a small data set")
	f.auto = audit.Default()
	fl.StringVar(&f.features, "features", "", "`FILE` with features of the training images from a network of your own, .npy (N×D, in the order of the data) or .parquet; they replace the networks that can't see triggers")
	fl.StringVar(&f.featuresImage, "features-image", "", "`COLUMN` of the image names in a Parquet file (default the one with a usual name)")
	fl.StringVar(&f.featuresColumn, "features-column", "", "`COLUMN` of the features in a Parquet file (default the one with a usual name)")
	fl.BoolVar(&f.auto.Content, "content", f.auto.Content, "auto: compare labels with the predictions of networks that can't see triggers")
	fl.IntVar(&f.auto.ContentEpochs, "epochs-content", 0, "epochs of the networks that can't see triggers (default 8; more for a small data set)")
	fl.BoolVar(&f.auto.Pixels, "pixels", f.auto.Pixels, "auto: search for patterns that are the same in many images")
	fl.IntVar(&f.auto.InspectEpochs, "epochs-inspect", f.auto.InspectEpochs, "auto: epochs of the ordinary network, which tests what a pattern does to other images; 0: no such test; more for a small data set")
	fl.BoolVar(&f.noFlip, "no-flip", false, noFlipHelp)
	if !tune {
		fl.IntVar(&f.learn, "learn", 0, "train the search's networks on only about `N` images, sampled by label; for millions of images (default all)")
		return
	}
	fl.IntVar(&f.o.IsolateEpochs, "epochs-isolate", f.o.IsolateEpochs, "abl: epochs of isolation (the turning epoch); more for a small data set")
	fl.Float64Var(&f.o.IsolateRate, "rate-isolate", f.o.IsolateRate, "abl: learning rate of isolation")
	fl.StringVar(&f.o.Loss, "loss", f.o.Loss, "abl: isolation loss: lga (local gradient ascent), flooding or ce (cross-entropy)")
	fl.Float64Var(&f.o.Gamma, "gamma", f.o.Gamma, "abl: threshold γ of lga, or the flooding level")
	fl.StringVar(&f.o.Sign, "lga-sign", f.o.Sign, "abl: lga's sign is that of each image's loss (sample) or of the batch's mean (batch)")
	fl.StringVar(&f.o.Rank, "rank-by", f.o.Rank, "abl: rank images by their final, mean or worst loss over the epochs")
	fl.IntVar(&f.o.RankEpochs, "rank-epochs", 0, "abl: number of last epochs that mean and worst use; 0: all (worst: all but the first)")
	fl.Float64Var(&f.o.Isolation, "isolation", f.o.Isolation, "abl: share of images that is isolated; more for a small data set")
	fl.BoolVar(&f.auto.Stamp, "stamp", f.auto.Stamp, "auto: stamp the pattern of a shortcut or a trigger on images of all labels")
	fl.BoolVar(&f.auto.Correct, "correct", f.auto.Correct, "auto: train on suspects under the class that they clearly show")
	fl.IntVar(&f.o.TuneEpochs, "epochs-tune", f.o.TuneEpochs, "epochs of training on the kept images")
	fl.Float64Var(&f.o.TuneRate, "rate-tune", f.o.TuneRate, "highest learning rate of training on the kept images")
	fl.StringVar(&f.o.Schedule, "schedule", f.o.Schedule, "learning rate schedule: constant, step, cosine or one-cycle")
	fl.BoolVar(&f.o.Augment, "augment", f.o.Augment, "augment images by crop, flip and cutout")
	fl.StringVar(&f.o.Unlearn, "unlearn", f.o.Unlearn, "abl: joint (the paper's formula), split (its published code) or none")
	fl.IntVar(&f.o.UnlearnSteps, "unlearn-steps", f.o.UnlearnSteps, "abl: steps of a round of unlearning, at most")
	fl.Float64Var(&f.o.UnlearnEpochs, "epochs-unlearn", 0, "abl: length of a round of unlearning in epochs over the kept images (split: the isolated images), instead of steps")
	fl.Float64Var(&f.o.UnlearnRate, "rate-unlearn", f.o.UnlearnRate, "abl: learning rate of unlearning")
	fl.Float64Var(&f.o.UnlearnLimit, "unlearn-limit", f.o.UnlearnLimit, "abl: cap on the loss of isolated images; 0: ln(classes), negative: none")
	fl.BoolVar(&f.o.Refine, "refine", f.o.Refine, "abl: unlearn in a second round, without kept images that lost their label in the first")
	fl.Float64Var(&f.o.Tolerance, "tolerance", f.o.Tolerance, "abl: accuracy on held-out images that unlearning may cost")
}

// check reports settings that can't be, before the data are read. Audits look for poison as auto does.
func (f *recipeFlags) check(c *cobra.Command, defense runs.Defense) error {
	o, err := f.given(c)
	if err == nil {
		err = o.Check()
	}
	if err == nil && defense == runs.NoDefense && o.TuneEpochs == 0 {
		err = errors.New("--epochs-tune 0: no epochs of training: nothing to do")
	}
	if err == nil && f.features != "" && (defense != runs.Auto || !f.auto.Content) {
		err = errors.New("--features is for the look at content of --defense auto, which is not asked")
	}
	for _, of := range []string{"features-column", "features-image"} {
		if err == nil && f.features == "" && c.Flags().Changed(of) {
			err = fmt.Errorf("--%s is of the file that --features names, and there is none", of)
		}
		if ext := filepath.Ext(f.features); err == nil && c.Flags().Changed(of) && !strings.EqualFold(ext, ".parquet") {
			err = fmt.Errorf("--%s is a column of a .parquet file, and --features names a file with the ending %q", of, ext)
		}
	}
	if err == nil && c.Flags().Changed("epochs-content") && (!f.auto.Content || f.features != "") {
		err = errors.New("--epochs-content is of networks that --content=false and --features leave out")
	}
	if err == nil && f.learn < 0 {
		err = fmt.Errorf("--learn %d, expected a number of images, or 0 for all", f.learn)
	}
	if err == nil && f.learn > 0 && (!f.auto.Content || f.features != "") && f.auto.InspectEpochs == 0 {
		err = errors.New("--learn is of networks, and --epochs-inspect 0 with --content=false or --features leaves all of them out")
	}
	if err == nil && defense == runs.Auto {
		err = f.auto.Check()
	}
	if err == nil && defense == runs.ABL {
		err = f.unusedByLoss(c)
	}
	if err != nil {
		return &usageError{err}
	}
	return nil
}

// given applies the recipe under the flags that were given.
func (f *recipeFlags) given(c *cobra.Command) (abl.Options, error) {
	switch recipe := map[string]func() abl.Options{"paper": abl.Paper, "demo": abl.Demo}[f.recipe]; {
	case f.recipe == "default":
	case recipe != nil: // its settings, and over them once more what was given
		given := map[*pflag.Flag]string{}
		c.Flags().Visit(func(fl *pflag.Flag) {
			if _, list := fl.Value.(pflag.SliceValue); !list { // no setting of a recipe is one
				given[fl] = fl.Value.String()
			}
		})
		f.o = recipe()
		for fl, v := range given {
			if err := fl.Value.Set(v); err != nil {
				return f.o, err
			}
		}
		if c.Flags().Changed("unlearn-steps") {
			f.o.UnlearnEpochs = 0
		}
	default:
		return f.o, fmt.Errorf("no recipe %q; there are %s", f.recipe, strings.Join(recipes, ", "))
	}
	return f.o, nil
}

// options returns the recipe for the data.
func (f *recipeFlags) options(c *cobra.Command, d *dataset.Data) (abl.Options, error) {
	o, err := f.given(c)
	if err != nil {
		return o, err
	}
	if h, w := d.Train.Height, d.Train.Width; min(h, w) < model.LeastSide {
		return o, fmt.Errorf("data %s: images of %d×%d pixels are too small to learn from, expected at least %d×%[4]d; --size N resizes all to N×N pixels", d.Path, w, h, model.LeastSide)
	}
	if f.recipe == "default" {
		flags := map[string]string{"batch": "batch", "isolate_epochs": "epochs-isolate", "isolation": "isolation", "gamma": "gamma"}
		o = o.FitTo(d.Train.Len(), func(setting string) bool { return c.Flags().Changed(flags[setting]) })
	}
	f.auto.Learn = f.learn
	if f.noFlip || !dataset.Flips(d.Layout) {
		o.Flip = false
	}
	return o, nil
}

func (a *app) train() *cobra.Command {
	var data dataFlags
	var rec recipeFlags
	var att attackFlags
	defense := runs.Auto
	var out string
	init := modelFlags{tensors: true}
	var resume bool
	c := &cobra.Command{
		Use:   "train",
		Short: "Train a clean model on data that may be poisoned",
		Long: `Trains with one of these defences:

  auto   searches for planted images as audit does, leaves them out and trains
         on the rest
  abl    Anti-Backdoor Learning: isolates the 1 % most suspicious images, trains
         on the rest and makes the network unlearn the isolated images
  none   plain training

It writes model.safetensors, suspects.csv, report.html, result.json and
log.jsonl to --out. For experiments, --attack plants a backdoor first; the
defence gets no information about it.`,
		Example: `  unpoison train --data DIR --out run
  unpoison train --data DIR --defense abl --out unlearnt
  unpoison train --data cifar10:DIR --attack blend --rate 0.1 --out run
  unpoison train --data DIR --attack badnets --attack sig:target=2 --out run
  unpoison train --data DIR --out run --resume`,
		RunE: func(c *cobra.Command, _ []string) error {
			f := trainFlags{&data, &rec, &att, defense, out, init, resume}
			if err := f.check(c); err != nil {
				return err
			}
			spec, err := f.spec(c, a)
			if err != nil {
				return err
			}
			done, err := runs.Train(c.Context(), *spec)
			a.done()
			if err != nil {
				return err
			}
			return a.report(out, done.Result)
		},
	}
	data.add(c)
	rec.add(c, true)
	c.Flags().StringArrayVar(&att.specs, "attack", nil, "first plant the backdoor of `NAME[:key=value,…]`; may be repeated; see unpoison attack list")
	att.add(c)
	c.Flags().StringVar((*string)(&defense), "defense", string(defense), "auto, abl or none; --recipe paper: abl")
	c.Flags().StringVar(&out, "out", "", "`DIR` of the run")
	c.Flags().BoolVar(&resume, "resume", false, "continue where an earlier run of the same command stopped")
	c.Flags().StringVar(&init.file, "init", "", "start from this model `FILE`; its last layer is used only if its classes are the same")
	c.Flags().StringVar(&init.weights, "weights", "", "`KEY` of the weights, such as ema, in a PyTorch file --init with several sets")
	return c
}

// trainFlags are the flags of train.
type trainFlags struct {
	data    *dataFlags
	rec     *recipeFlags
	att     *attackFlags
	defense runs.Defense
	out     string
	init    modelFlags
	resume  bool
}

// check reports what can't be, before the data are read.
func (f *trainFlags) check(c *cobra.Command) error {
	if f.out == "" {
		return f.data.noOut("a folder for the run")
	}
	if f.rec.recipe == "paper" && !c.Flags().Changed("defense") {
		f.defense = runs.ABL
	}
	if err := checkDefense(c, f.defense); err != nil {
		return err
	}
	if f.init.weights != "" && f.init.file == "" {
		return usagef("--weights is of the file that --init names, and there is none")
	}
	if err := f.att.unusedWithoutAttack(c); err != nil {
		return err
	}
	if _, err := f.att.configure(c, f.rec.o.Seed, false); err != nil {
		return err
	}
	return f.rec.check(c, f.defense)
}

// smaller is the side that a search needs larger images at too; 0: it needs none.
func (f *recipeFlags) smaller() int {
	if !f.auto.Content || f.features != "" {
		return 0
	}
	return look.ContentSide
}

// load reads the features of the training images, if there are any.
func (f *recipeFlags) load(a *app, d *dataset.Data) (*dataset.Features, error) {
	if f.features == "" {
		return nil, nil
	}
	if _, err := os.Stat(f.features); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--features %s: there is no such file", f.features)
	}
	features, err := dataset.LoadFeatures(f.features, d.Train, dataset.FeatureOptions{Features: f.featuresColumn, Image: f.featuresImage})
	if err != nil {
		return nil, err
	}
	a.say("features: %d numbers an image, from %s\n", features.Width, f.features)
	if features.Note != "" {
		fmt.Fprintln(a.err, printable.Text("note: "+features.Note))
	}
	return features, nil
}

// spec reads the data and returns the run.
func (f *trainFlags) spec(c *cobra.Command, a *app) (*runs.Spec, error) {
	if f.defense == runs.Auto {
		f.data.opts.Smaller = f.rec.smaller()
	}
	d, err := f.data.load(c.Context(), a, f.rec.o.Seed)
	if err != nil {
		return nil, err
	}
	o, err := f.rec.options(c, d)
	if err != nil {
		return nil, err
	}
	features, err := f.rec.load(a, d)
	if err != nil {
		return nil, err
	}
	attacks, err := f.att.configure(c, o.Seed, !o.Flip)
	if err == nil && features != nil && len(attacks) > 0 {
		err = usagef("--features are of the images as they are, and --attack changes them: write the images with unpoison attack first")
	}
	if err != nil {
		return nil, err
	}
	b, err := a.backend()
	if err != nil {
		return nil, err
	}
	spec := &runs.Spec{
		Backend: b,
		Command: a.command(), Data: d, ReadWith: f.data.given(c), Attacks: attacks, Cache: f.att.cacheDir(), InPlace: true, Defense: f.defense, Options: o, Auto: f.rec.auto, Folder: f.out, Resume: f.resume, Watch: a.watcher(), Features: features,
	}
	if f.init.file != "" {
		spec.Init, err = f.start(a, d, o)
	}
	return spec, err
}

// start reads the model that the training starts from.
func (f *trainFlags) start(a *app, d *dataset.Data, o abl.Options) (model.State, error) {
	n, s, info, err := f.init.load(a)
	if err != nil {
		return nil, err
	}
	if n.Arch != o.Network {
		return nil, fmt.Errorf("%s holds a %s, the run trains a %s; give --model %s", f.init.file, n.Arch, o.Network, n.Arch)
	}
	if info.Normalize != nil {
		fmt.Fprintf(a.err, "note: %s learnt from normalised images: the run gives it RGB from 0 to 1\n", printable.Text(f.init.file))
	}
	of, err := model.NewStem(n.Arch, len(d.Train.Classes), d.Train.Height, d.Train.Width, n.Stem)
	if err != nil && n.Stem > 1 {
		err = fmt.Errorf("%s takes images in patches of %d×%[2]d pixels: %w", f.init.file, n.Stem, err)
	}
	if err != nil {
		return nil, err
	}
	return a.headFor(d, o.Seed, f.init.file, info, of, s), nil
}

// headFor brings the last layer of a network to start from into the order of the data's classes. Where it knows other ones the layer
// begins afresh, as n's. One without names and for as many is taken as it is; numbers for names are indices into the other's.
func (a *app) headFor(d *dataset.Data, seed uint64, file string, info *checkpoint.Info, n *model.Network, s model.State) model.State {
	_, bias := s.Classifier()
	s, same := s.ForClasses(info.Classes, d.Train.Classes)
	if !same && len(info.Classes) == 0 && len(bias.Data) == n.Classes {
		a.noteUnnamed(d, d.Train.Classes)
		same = true
	}
	if same {
		return s
	}
	if own := names.ByIndex(d.Train.Classes, info.Classes); own != nil {
		a.noteMatched(d.Path, own, info.Classes)
		s, _ = s.ForClasses(own, d.Train.Classes)
		return s
	}
	fmt.Fprintf(a.err, "note: %s knows other classes than %s: its last layer begins afresh\n", printable.Text(file), printable.Text(d.Path))
	return s.WithClassifier(n.Init(seed))
}

// command returns the command line as the user typed it, so that it can be pasted.
func (a *app) command() string {
	return words.Words(append([]string{"unpoison"}, a.args...))
}
