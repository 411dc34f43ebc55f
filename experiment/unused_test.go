package experiment

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
)

// Settings that a defence would pass over are refused before anything is trained; a folder of an earlier version that has some can be
// read.
func TestSettingsThatNobodyTakesAreRefused(t *testing.T) {
	for _, c := range []struct{ plain, defense, want string }{
		{"", "auto:gamma=1", "gamma is a setting of abl, and auto would pass it over"},
		{"", "auto:tune_epochs=2,isolation=0.05", "isolation is a setting of abl"},
		{"", "auto:content=false,content-epochs=1", "content_epochs is of networks that content=false leaves out"},
		{"unlearn_steps=9", "none", "unlearn_steps is a setting of abl"},
		{"", "abl:loss=ce,gamma=1", "gamma is a setting of loss=lga or flooding, and this would be ce"},
		{"", "abl:loss=flooding,sign=sample", "sign is a setting of loss=lga"},
		{"", "abl:rank=final,rank-epochs=3", "rank_epochs is a setting of rank=mean or worst"},
		{"", "abl:unlearn=none,tolerance=0.1", "tolerance is a setting of unlearn=joint or split"},
		{"", "abl:unlearn=split,refine=true", "refine is a setting of unlearn=joint"},
		{"", "abl:unlearn_steps=5,unlearn_epochs=1", "give one of the two"},
		{"", "mcr:tolerance=0.1", "tolerance is a setting of fp, and mcr would pass it over"},
		{"", "fp:beta=5", "beta is a setting of nad, and fp would pass it over"},
	} {
		g := small()
		g.Plain, g.Defenses, g.Plots = c.plain, []string{c.defense}, nil
		if err := g.Check(); err != nil {
			t.Errorf("%s can't be read: %v", c.defense, err)
		}
		if err := runner(t, g, t.TempDir()).Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q", c.defense, err, c.want)
		}
	}
	for _, d := range []string{"auto:tune_epochs=2,content_epochs=1", "abl:gamma=1,sign=sample,rank_epochs=2,refine=false", "fp:tolerance=0.1", "nad:beta=5"} {
		if err := small().checkUnused(d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
}

// Plots are of one set of data, and name the seed where a grid has several.
func TestPlotsSayWhatTheyAreOf(t *testing.T) {
	g := small()
	if got := g.plotted("badnets", "abl"); got != "badnets, abl, seed 0" {
		t.Errorf("a plot is called %q", got)
	}
	g.Seeds = []uint64{3}
	if got := g.plotted("badnets", "abl"); got != "badnets, abl" {
		t.Errorf("a plot is called %q", got)
	}
	for _, vary := range [][]string{nil, {"noise=0.1"}, {"", "noise=0.1"}} {
		if g.Vary = vary; (g.checkRun() == nil) != (len(vary) < 2) {
			t.Errorf("%q: %v", vary, g.checkRun())
		}
	}
}

// So are those of attacks.
func TestSettingsOfAttacksThatNothingTakesAreRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"trojan:alpha=0.5": "alpha means nothing", "badnets+trojan:mask=watermark,patch-size=8": "patch_size means nothing", "wanet:cover=0,noise=1": "noise means nothing",
		"trojan:mask=watermark,alpha=0.5+wanet:noise=1": "", "none": "",
	} {
		g := small()
		g.Attacks = []string{spec}
		if err := g.Check(); err != nil {
			t.Errorf("%s can't be read: %v", spec, err)
		}
		if err := g.checkRun(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", spec, err, want)
		}
	}
}

// The program's own experiments have no such settings.
func TestExperimentsTakeTheirSettings(t *testing.T) {
	data := Data{CIFAR10: "cifar10:DIR", GTSRB: "gtsrb:DIR", Photos: "DIR", Limit: 10000}
	var all []*Grid
	for _, quick := range []bool{false, true} {
		for _, n := range PaperNames() {
			g, err := Paper(n, data, quick, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
		}
		for _, n := range AutoNames() {
			g, err := Auto(n, data, quick, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
		}
		some, err := VerdictGrids(data, "", quick, []uint64{1})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	for _, g := range all {
		if err := g.checkRun(); err != nil {
			t.Errorf("%s: %v", g.Name, err)
		}
	}
}

// Steps of unlearning stand instead of the epochs that the published recipe, or a list before theirs, has.
func TestStepsOfUnlearningHold(t *testing.T) {
	for _, c := range []struct {
		recipe, settings, defense string
		steps                     int
		epochs                    float64
	}{
		{"paper", "", "abl", 0, 20},
		{"paper", "unlearn_steps=20", "abl", 20, 0},
		{"paper", "", "abl:unlearn-steps=7", 7, 0},
		{"", "unlearn_epochs=2", "abl:unlearn_steps=7", 7, 0},
		{"", "unlearn_steps=7", "abl:unlearn_epochs=2", 7, 2},
	} {
		g := &Grid{Name: "x", Data: "signs", Recipe: c.recipe, Settings: c.settings, Attacks: []string{"badnets"}, Defenses: []string{c.defense}}
		o, err := g.options("badnets", c.defense, 0, 10000)
		if err != nil || o.UnlearnEpochs != c.epochs || c.epochs == 0 && o.UnlearnSteps != c.steps {
			t.Errorf("%+v: %d steps, %g epochs, %v", c, o.UnlearnSteps, o.UnlearnEpochs, err)
		}
	}
}

// Networks that are compared with those of before have their recipe.
func TestBeforeIsOfOneRecipe(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Attacks: []string{"badnets"}, Defenses: []string{"before", "auto:tune_epochs=30"}}
	if err := runner(t, g, t.TempDir()).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "auto:tune_epochs=30 trains in another way") {
		t.Error(err)
	}
	g.Defenses = []string{"before", "auto:correct=false", "abl:gamma=1"}
	if err := g.checkRun(); err != nil {
		t.Error(err)
	}
}

// The recipe as published is the same for few images, as it is on the command line; the default one is fitted to them.
func TestThePublishedRecipeIsNotFitted(t *testing.T) {
	for recipe, fitted := range map[string]bool{paperRecipe: false, "default": true} {
		g := &Grid{Name: "x", Data: "signs", Model: abl.Paper().Network, Recipe: recipe, Attacks: []string{"badnets"}, Defenses: []string{"abl"}}
		few, err := g.options("badnets", "abl", 0, 400)
		if err != nil {
			t.Fatal(err)
		}
		many, err := g.options("badnets", "abl", 0, 50000)
		if err != nil || reflect.DeepEqual(few, many) == fitted || !fitted && !reflect.DeepEqual(few, abl.Paper()) {
			t.Errorf("%s: %+v, %+v, %v", recipe, few, many, err)
		}
	}
}
