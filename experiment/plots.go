package experiment

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/report"
)

// drawn is a figure with the name of its files.
type drawn struct {
	name string
	report.Figure
}

// plots lists what a grid can name.
func plots() []string { return []string{"curves", "separation", "sweep"} }

// checkPlots reports plots that there are not.
func (g *Grid) checkPlots() error {
	for _, p := range g.Plots {
		if !slices.Contains(plots(), p) {
			return fmt.Errorf("plots: no plot %q; there are %s", p, strings.Join(plots(), ", "))
		}
	}
	return nil
}

// checkSweep reports a sweep of several settings, which fit on no one axis. Grids of earlier versions that have one can be read.
func (g *Grid) checkSweep() error {
	if !slices.Contains(g.Plots, "sweep") {
		return nil
	}
	first, setting := "", ""
	for _, d := range g.Defenses {
		name, _, ok := swept(d)
		switch {
		case !ok:
		case first == "":
			first, setting = d, name
		case name != setting || runs.Kind(d) != runs.Kind(first):
			return fmt.Errorf("plots: sweep is over one setting of one defence, and %s and %s differ in two", first, d)
		}
	}
	return nil
}

// swept returns the one setting of a defence, which a sweep is over, if it is a number.
func swept(defense string) (name string, value float64, ok bool) {
	_, setting, _ := strings.Cut(defense, ":")
	name, text, _ := strings.Cut(setting, "=")
	value, err := strconv.ParseFloat(text, 64)
	return name, value, err == nil
}

// draw makes the grid's plots from what is finished and stores each as SVG and PNG in the folder, if there is one.
func (r *Runner) draw() error {
	_, noFolder := os.Stat(r.Folder)
	r.drawn = nil
	for _, name := range r.Grid.Plots {
		plot := map[string]func() ([]drawn, error){"curves": r.curves, "sweep": r.sweep, "separation": r.separation}[name]
		if plot == nil {
			continue
		}
		made, err := plot()
		if err != nil {
			return err
		}
		for _, f := range made {
			if noFolder == nil {
				if err := f.Save(filepath.Join(r.Folder, f.name)); err != nil {
					return err
				}
			}
			r.drawn = append(r.drawn, f)
		}
	}
	return nil
}

// figures lists what draw made, for a page.
func (r *Runner) figures() []report.Figure {
	var all []report.Figure
	for _, f := range r.drawn {
		all = append(all, f.Figure)
	}
	return all
}

// plotted names a plot of a cell, with the seed where there are others.
func (g *Grid) plotted(attack, defense string) string {
	name := attack + ", " + defense
	if len(g.Seeds) > 1 {
		name += fmt.Sprintf(", seed %d", g.Seeds[0])
	}
	return name
}

// curves plots the losses of clean and poisoned images over the epochs, a figure for each cell of the
// first seed.
func (r *Runner) curves() ([]drawn, error) {
	var made []drawn
	for _, a := range r.Grid.Attacks {
		for _, d := range r.Grid.Defenses {
			c := Cell{a, d, r.Grid.Seeds[0], r.Grid.sets()[0]}
			l, err := r.losses(c)
			if err != nil {
				return nil, err
			}
			if l == nil || len(l.Clean) == 0 {
				continue
			}
			f, err := report.LineFigure(r.Grid.plotted(a, d), "Mean training loss of each epoch.", report.Axes{X: "epoch", Y: "loss"},
				report.Line{Name: "clean images", Y: l.Clean}, report.Line{Name: "poisoned images", Y: l.Poisoned})
			if err != nil {
				return nil, err
			}
			made = append(made, drawn{"curve-" + c.Name(), f})
		}
	}
	return made, nil
}

// losses returns those of a finished cell, from its log or as they were kept; nil if there are none.
func (r *Runner) losses(c Cell) (*losses, error) {
	if r.has(c) { // else its log has begun at most
		l, err := epochLosses(filepath.Join(r.folder(c), runs.LogFile))
		if !errors.Is(err, os.ErrNotExist) {
			return l, err
		}
	}
	if kept := r.store.cell(c.Name()); kept != nil {
		return kept.Losses, nil
	}
	return nil, nil
}

// epochLosses reads a run's log.
func epochLosses(path string) (*losses, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := &losses{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var e runs.Event
		if json.Unmarshal(s.Bytes(), &e) == nil && e.Event == "epoch" && e.Clean != nil && e.Poisoned != nil {
			l.Clean, l.Poisoned = append(l.Clean, *e.Clean), append(l.Poisoned, *e.Poisoned)
		}
	}
	return l, nil
}

// sweep plots ASR and CA over the one setting in which the defences differ.
func (r *Runner) sweep() ([]drawn, error) {
	rows := r.Rows()
	var lines [2][]report.Line
	key := ""
	for i, a := range r.Grid.Attacks {
		asr, ca := report.Line{Name: a}, report.Line{Name: a}
		for k, d := range r.Grid.Defenses {
			row := rows[i*len(r.Grid.Defenses)+k]
			name, x, ok := swept(d)
			if !ok || row.CA == nil || row.ASR == nil {
				continue
			}
			key = name
			asr.X, asr.Y = append(asr.X, x), append(asr.Y, *row.ASR)
			ca.X, ca.Y = append(ca.X, x), append(ca.Y, *row.CA)
		}
		if len(asr.X) > 0 {
			lines[0], lines[1] = append(lines[0], asr), append(lines[1], ca)
		}
	}
	var made []drawn
	for i, what := range []string{"ASR", "CA"} {
		if len(lines[i]) == 0 {
			continue
		}
		axes := report.Axes{X: strings.ReplaceAll(key, "_", " "), Y: what + " in percent", LogX: key == "isolation", PercentY: true}
		f, err := report.LineFigure(what+" by "+axes.X, "One point a setting, mean over the seeds.", axes, lines[i]...)
		if err != nil {
			return nil, err
		}
		made = append(made, drawn{"sweep-" + strings.ToLower(what), f})
	}
	return made, nil
}

// separation plots how far isolation's scores of clean and of poisoned images lie apart.
func (r *Runner) separation() ([]drawn, error) {
	ctx := r.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	var made []drawn
	for _, a := range r.Grid.Attacks {
		more, err := r.separationOf(ctx, a)
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	return made, nil
}

// separationOf plots it for the cells of an attack.
func (r *Runner) separationOf(ctx context.Context, a string) (made []drawn, err error) {
	var set *dataset.Set // as the cells have it, and what its images are
	var truth []group
	defer func() {
		if set != nil {
			set.Discard()
		}
	}()
	for _, d := range r.Grid.Defenses {
		if runs.Kind(d) != runs.ABL { // others rank images by no loss
			continue
		}
		c := Cell{a, d, r.Grid.Seeds[0], r.Grid.sets()[0]}
		kept := r.store.cell(c.Name())
		var scores *report.Histogram
		switch _, err := os.Stat(filepath.Join(r.folder(c), runs.SuspectsFile)); {
		case kept != nil && kept.Scores != nil:
			scores = kept.Scores
		case a == "none" || err != nil || !r.has(c):
			continue
		default:
			if set == nil { // only now: it may take a while
				set, truth, err = r.planted(ctx, a)
				if err != nil && ctx.Err() != nil {
					r.say("separation of %s is not drawn: interrupted", a)
					continue
				}
				if err != nil {
					return nil, err
				}
			}
			if scores, err = r.scores(c, set, truth); err != nil {
				return nil, err
			}
			if kept != nil {
				more := *kept
				more.Scores = scores
				if err := r.store.add(&more); err != nil {
					return nil, err
				}
			}
		}
		f, err := report.HistogramFigure(r.Grid.plotted(a, d), "Isolation's scores; the highest twentieth is counted at the right edge.",
			report.Axes{X: "score (loss)", Y: "share of the group"}, [2]string{"clean images", "poisoned images"}, *scores)
		if err != nil {
			return nil, err
		}
		made = append(made, drawn{"separation-" + c.Name(), f})
	}
	return made, nil
}

// group is what an image is. Covering ones are neither clean nor poisoned.
type group uint8

const (
	isClean group = iota
	isPoisoned
	isCover
)

// planted plants attacks once more, as in the cells, to know which images they change. Who is done with the set discards it.
func (r *Runner) planted(ctx context.Context, spec string) (set *dataset.Set, truth []group, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	seed := r.Grid.Seeds[0]
	if err := r.load(ctx); err != nil {
		return nil, nil, err
	}
	configs, err := r.attacks(spec, seed)
	if err != nil {
		return nil, nil, err
	}
	data, err := r.varied(r.Grid.sets()[0], seed)
	if err != nil {
		return nil, nil, err
	}
	set = data.Train
	if data == r.data { // varied images are a copy already
		set = set.Clone()
	}
	truth = make([]group, set.Len())
	env := attack.Env{Backend: r.Backend, Cache: r.Cache}
	err = attack.Plant(ctx, configs, set, nil, env, func(_ int, _ *attack.Attack, t *attack.Truth) {
		for i := range truth {
			switch {
			case t.Poisoned[i]:
				truth[i] = isPoisoned
			case t.Covered[i]:
				truth[i] = isCover
			}
		}
	})
	if err != nil {
		set.Discard()
		return nil, nil, err
	}
	return set, truth, nil
}

// scores counts isolation's scores of a cell, of clean and of poisoned images.
func (r *Runner) scores(c Cell, set *dataset.Set, truth []group) (*report.Histogram, error) {
	scores, err := runs.ReadLosses(runs.List{Path: filepath.Join(r.folder(c), runs.SuspectsFile), Set: set, ByIndex: true}) // of the set as the cell poisoned it
	if err != nil {
		return nil, err
	}
	var groups [2][]float32
	for i, l := range scores {
		if k := truth[i]; k != isCover {
			groups[k] = append(groups[k], l)
		}
	}
	sorted := slices.Sorted(slices.Values(slices.Concat(groups[:]...)))
	h := report.Spread(max(1e-3, float64(sorted[len(sorted)*95/100])), groups)
	return &h, nil
}
