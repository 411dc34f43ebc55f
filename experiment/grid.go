// Package experiment runs grids: every attack with every defence and every seed on one data set. One run of a
// grid is a cell. What cells have in common is made once. A grid that was interrupted goes on where it stopped. Results
// can be kept without the runs, and tables and plots are made from them.
package experiment

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/limited"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/train"
)

// Grid is attacks × defences × seeds on one data set. As a file it is YAML with these keys.
type Grid struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title,omitempty"`
	Data  string `yaml:"data"` // DIR or layout:DIR; "signs" renders road signs
	Limit int    `yaml:"limit,omitempty"`
	Size  int    `yaml:"size,omitempty"`
	Test  int    `yaml:"test,omitempty"` // at most so many test images; 0: all
	// Vary makes several data sets of it, each by the settings of a dataset.Variation and the seed; "" is the
	// data as they are, and all there is by default.
	Vary  []string `yaml:"vary,omitempty"`
	Model string   `yaml:"model,omitempty"`
	// Attacks as --attack takes them, NAME:key=value,…, several joined by +; "none" is the data as they are.
	Attacks []string `yaml:"attacks"`
	// Defenses are none, before (plain training on the images before the attack), abl:key=value,… and auto:key=value,… with the recipe's settings, auto's, fp's, mcr's and nad's
	// with settings of their own (nad:beta=500), and unlearn:METHOD.
	Defenses []string `yaml:"defenses"`
	Seeds    []uint64 `yaml:"seeds"`
	// SeedsFor are more seeds of the defences of these names.
	SeedsFor map[string][]uint64 `yaml:"seeds_for,omitempty"`
	// Recipe is what all trainings start from: default, the default, or paper, as published.
	Recipe string `yaml:"recipe,omitempty"`
	// Settings change the recipe of all trainings, Plain that of the networks without defence, PlainFor that
	// of those under the attack of this name as well.
	Settings string            `yaml:"settings,omitempty"`
	Plain    string            `yaml:"plain,omitempty"`
	PlainFor map[string]string `yaml:"plain_for,omitempty"`
	// Clean is the share of clean images that fp, mcr and nad are given.
	Clean float64 `yaml:"clean,omitempty"`
	// Pretrain is the other data that unlearn:ft-pretrained starts from: a model file (.safetensors),
	// DIR or layout:DIR, or "signs", the default.
	Pretrain string `yaml:"pretrain,omitempty"`
	// Quick says that the grid is cut down; tables then say so too.
	Quick bool `yaml:"quick,omitempty"`
	// Plots names what is drawn beside the table: "curves", "separation", "sweep".
	Plots []string `yaml:"plots,omitempty"`
}

// Read reads a grid from a YAML file.
func Read(path string) (*Grid, error) {
	raw, err := limited.ReadFile(path, 1<<20)
	if err != nil {
		return nil, err
	}
	g, err := decode(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// decode reads a grid from YAML.
func decode(from io.Reader) (*Grid, error) {
	g := &Grid{}
	d := yaml.NewDecoder(from)
	d.KnownFields(true)
	if err := d.Decode(g); err != nil {
		return nil, keysListed(err)
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("expected one grid, found more behind it")
	}
	return g, g.Check()
}

// Check fills in defaults and reports what is wrong.
func (g *Grid) Check() error {
	if strings.Trim(g.Name, ".") == "" || strings.ContainsAny(g.Name, `/\ `) {
		return fmt.Errorf("name %q, expected a word for the folder", g.Name)
	}
	if len(g.PlainFor) == 0 {
		g.PlainFor = nil // as it is read from a file again; see extends
	}
	if len(g.SeedsFor) == 0 {
		g.SeedsFor = nil
	}
	if g.Data == "" || len(g.Attacks) == 0 || len(g.Defenses) == 0 {
		return errors.New("data, attacks and defenses are needed")
	}
	if len(g.Seeds) == 0 {
		g.Seeds = []uint64{0}
	}
	if err := g.checkNames(); err != nil {
		return err
	}
	for d := range g.SeedsFor {
		if !slices.ContainsFunc(g.Defenses, func(of string) bool { return string(runs.Kind(of)) == d }) {
			return fmt.Errorf("seeds_for: the grid has no defence %q; it has %s", d, strings.Join(g.Defenses, ", "))
		}
	}
	if err := g.checkPlots(); err != nil {
		return err
	}
	for _, list := range g.Vary {
		if _, err := variation(list); err != nil {
			return fmt.Errorf("vary: %w", err)
		}
	}
	if g.Model == "" {
		g.Model = abl.Default().Network
	}
	if !slices.Contains(model.Names(), g.Model) {
		return fmt.Errorf("no network %q; there are %s", g.Model, strings.Join(model.Names(), ", "))
	}
	if g.Clean == 0 {
		g.Clean = 0.05
	}
	if g.Limit < 0 || g.Size < 0 || g.Test < 0 {
		return fmt.Errorf("limit %d, size %d and test %d, expected 0 or more", g.Limit, g.Size, g.Test)
	}
	if !slices.Contains([]string{"", "default", paperRecipe}, g.Recipe) {
		return fmt.Errorf("no recipe %q; there are default and %s", g.Recipe, paperRecipe)
	}
	if !(g.Clean > 0 && g.Clean <= 1) {
		return fmt.Errorf("clean: %g, expected a share of the images", g.Clean)
	}
	for _, a := range g.Attacks {
		if _, err := g.attack(a, 0); err != nil {
			return err
		}
	}
	for a := range g.PlainFor {
		if !g.attacks(a) && !builtin(a) { // others may be left out for a while
			return fmt.Errorf("plain_for: the grid has no attack %q; it has %s", a, strings.Join(g.Attacks, ", "))
		}
		if err := g.checkOptions(a, "none"); err != nil {
			return fmt.Errorf("plain_for %s: %w", a, err)
		}
	}
	for _, d := range g.Defenses {
		if err := cmp.Or(checkDefense(d), g.checkOptions("none", d)); err != nil {
			return err
		}
	}
	return cmp.Or(g.checkSeeds(), g.checkBefore())
}

// checkOptions tries the settings of a defence: the recipe's and its own.
func (g *Grid) checkOptions(attack, defense string) error {
	s, _, err := search(defense)
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		return err
	}
	o, err := g.options(attack, defense, 0, 0)
	if err == nil {
		err = o.Check()
	}
	if err != nil {
		return err
	}
	name, r, err := repairOptions(defense, 0)
	if err == nil && slices.Contains(repair.Names(), string(name)) {
		err = r.CheckFor(string(name))
	}
	return err
}

// extends reports whether cells of the other grid are cells of this one where their names agree: attacks,
// defences, seeds and variations may be more or fewer, all else is the same.
func (g *Grid) extends(old *Grid) bool {
	a, b := *g, *old
	for _, x := range []*Grid{&a, &b} {
		x.Name, x.Title, x.Vary, x.Attacks, x.Defenses, x.Seeds, x.SeedsFor, x.Plots = "", "", nil, nil, nil, nil, nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// sets lists the variations of the data.
func (g *Grid) sets() []string {
	if len(g.Vary) == 0 {
		return []string{""}
	}
	return g.Vary
}

// seeds lists those of a defence.
func (g *Grid) seeds(defense string) []uint64 {
	all := slices.Clone(g.Seeds)
	for _, s := range g.SeedsFor[string(runs.Kind(defense))] {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// variation reads one of Vary's lists.
func variation(list string) (v dataset.Variation, err error) {
	if err = settings.Set(list, &v); err == nil {
		err = v.Check()
	}
	return v, err
}

func (g *Grid) attack(spec string, seed uint64) ([]attack.Config, error) {
	if spec == "none" {
		return nil, nil
	}
	var all []attack.Config
	for _, one := range strings.Split(spec, "+") {
		c, err := attack.Parse(one)
		if err != nil {
			return nil, err
		}
		if err := c.Check(); err != nil {
			return nil, err
		}
		if !attack.Gives(one, "seed") {
			c.Seed = seed
		}
		if own := c.Surrogate(); own != nil && !strings.Contains(one, "network=") {
			own.Network = g.Model
		}
		all = append(all, c)
	}
	return all, attack.Apart(all)
}

// search splits auto's list of settings into its own and those of the recipe.
func search(defense string) (o audit.Options, recipe string, err error) {
	o = audit.Default()
	name, list, _ := strings.Cut(defense, ":")
	if runs.Defense(name) != runs.Auto || list == "" {
		return o, list, nil
	}
	var rest []string
	for _, item := range strings.Split(list, ",") {
		if !slices.Contains(settings.Names(&o), settings.Key(item)) {
			rest = append(rest, item)
		}
	}
	return o, strings.Join(rest, ","), settings.Set(list, &o, new(abl.Options))
}

// recipe returns the settings that the grid gives to a cell's training, in order.
func (g *Grid) recipe(attack, defense string) []string {
	lists := []string{g.Settings}
	switch runs.Kind(defense) {
	case runs.NoDefense:
		lists = append(lists, g.Plain, g.PlainFor[nameOf(attack)])
	case runs.ABL, runs.Auto:
		_, list, _ := search(defense) // Check has tried it
		lists = append(lists, list)
	}
	return lists
}

// options returns the recipe of a cell for a number of training images.
func (g *Grid) options(attack, defense string, seed uint64, images int) (abl.Options, error) {
	o := abl.Default()
	if g.Recipe == paperRecipe {
		o = abl.Paper()
	}
	o.Network, o.Seed = g.Model, seed
	given := map[string]bool{}
	for _, list := range g.recipe(attack, defense) {
		if err := settings.Set(list, &o); err != nil {
			return o, err
		}
		own := keys(list)
		for _, key := range own {
			given[key] = true
		}
		if slices.Contains(own, "unlearn_steps") && !slices.Contains(own, "unlearn_epochs") {
			o.UnlearnEpochs = 0 // which would stand instead
		}
	}
	if g.Recipe == paperRecipe { // as published, for few images too
		return o, nil
	}
	return o.FitTo(images, func(key string) bool { return given[key] }), nil
}

// repairOptions splits a defence on a trained model into its name and its settings for a number of clean images.
func repairOptions(defense string, images int) (d runs.Defense, o repair.Options, err error) {
	name, list, _ := strings.Cut(defense, ":")
	if !slices.Contains(repair.Names(), name) {
		return runs.Defense(defense), o, nil
	}
	o = repair.Defaults(name, images)
	return runs.Defense(name), o, settings.Set(list, &o)
}

// repair returns a cell's repairOptions with its seed. Images are augmented and flipped where the recipe, the data and the defence let
// them.
func (c Cell) repair(images int, recipe train.Recipe) (runs.Defense, repair.Options, error) {
	d, o, err := repairOptions(c.Defense, images)
	o.Seed, o.Flip, o.NoAugment = c.Seed, o.Flip && recipe.Flip, o.NoAugment || !recipe.Augment
	return d, o, err
}

// Cell is one run of a grid.
type Cell struct {
	Attack, Defense string
	Seed            uint64
	Vary            string // of the data; empty: as they are
}

// Name is the cell's folder. Where a path stands in its settings, a digest tells it from others that read the same.
func (c Cell) Name() string {
	clean := strings.NewReplacer(":", "-", "=", "", ",", "-", "/", "-", "\\", "-")
	name := fmt.Sprintf("%s.%s.%d", clean.Replace(c.Attack), clean.Replace(c.Defense), c.Seed)
	if c.Vary != "" {
		name = clean.Replace(c.Vary) + "." + name
	}
	if strings.ContainsAny(c.Attack+c.Defense+c.Vary, "/\\") {
		sum := sha256.Sum256([]byte(c.Attack + "\n" + c.Defense + "\n" + c.Vary))
		name += "." + hex.EncodeToString(sum[:4])
	}
	return name
}

// Needs returns the cells of the same grid whose runs this one builds on. They need none themselves.
func (c Cell) Needs() []Cell {
	d := runs.Defense(c.Defense)
	if !d.Repairs() {
		return nil
	}
	if d == runs.Before {
		return []Cell{{"none", string(runs.NoDefense), c.Seed, c.Vary}}
	}
	n := []Cell{{c.Attack, string(runs.NoDefense), c.Seed, c.Vary}}
	if _, unlearns := d.Unlearns(); unlearns {
		n = append(n, Cell{c.Attack, string(runs.ABL), c.Seed, c.Vary})
	}
	return n
}

// Cells lists the grid's runs in an order in which what a cell needs comes before it.
func (g *Grid) Cells() []Cell {
	var all []Cell
	there := map[Cell]bool{}
	add := func(c Cell) {
		if !there[c] {
			there[c] = true
			all = append(all, c)
		}
	}
	every := slices.Clone(g.Seeds)
	for _, d := range g.Defenses {
		for _, s := range g.seeds(d) {
			if !slices.Contains(every, s) {
				every = append(every, s)
			}
		}
	}
	for _, s := range every {
		for _, v := range g.sets() {
			for _, a := range g.Attacks {
				for _, d := range g.Defenses {
					if _, unlearns := runs.Defense(d).Unlearns(); a == "none" && (unlearns || d == string(runs.Before)) || !slices.Contains(g.seeds(d), s) {
						continue // there is nothing to unlearn or to compare, or not with this seed
					}
					c := Cell{a, d, s, v}
					for _, n := range c.Needs() {
						add(n)
					}
					add(c)
				}
			}
		}
	}
	return all
}
