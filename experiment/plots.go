package experiment

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/report"
)

// drawn is a figure with the name of its files.
type drawn struct {
	name string
	report.Figure
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

// curves plots the losses of clean and poisoned images over the epochs, a figure for each cell of the
// first seed.
func (r *Runner) curves() ([]drawn, error) {
	var made []drawn
	for _, a := range r.Grid.Attacks {
		for _, d := range r.Grid.Defenses {
			c := Cell{a, d, r.Grid.Seeds[0], r.Grid.sets()[0]}
			name, title, caption := "curve-"+c.Name(), a+", "+d, "Mean training loss of each epoch."
			clean, poisoned, err := epochLosses(filepath.Join(r.folder(c), runs.LogFile))
			if errors.Is(err, os.ErrNotExist) {
				kept, err := r.keptFigure(name, title, caption)
				if err != nil {
					return nil, err
				}
				made = append(made, kept...)
				continue
			}
			if err != nil {
				return nil, err
			}
			if len(clean) == 0 {
				continue
			}
			f, err := report.LineFigure(title, caption, report.Axes{X: "epoch", Y: "loss"},
				report.Line{Name: "clean images", Y: clean}, report.Line{Name: "poisoned images", Y: poisoned})
			if err != nil {
				return nil, err
			}
			made = append(made, drawn{name, f})
			if !r.Done(c) {
				continue // its curve is not whole yet
			}
			if err := r.keepFigure(made[len(made)-1]); err != nil {
				return nil, err
			}
		}
	}
	return made, nil
}

// epochLosses reads a run's log.
func epochLosses(path string) (clean, poisoned []float64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var e runs.Event
		if json.Unmarshal(s.Bytes(), &e) == nil && e.Event == "epoch" && e.Clean != nil && e.Poisoned != nil {
			clean, poisoned = append(clean, *e.Clean), append(poisoned, *e.Poisoned)
		}
	}
	return clean, poisoned, nil
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
			_, setting, _ := strings.Cut(d, ":")
			name, value, _ := strings.Cut(setting, "=")
			x, err := strconv.ParseFloat(value, 64)
			if err != nil || row.CA == nil || row.ASR == nil {
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
	var made []drawn
	for _, a := range r.Grid.Attacks {
		configs, err := r.Grid.attack(a, r.Grid.Seeds[0])
		if err != nil || len(configs) == 0 {
			continue
		}
		var truth *attack.Truth
		for _, d := range r.Grid.Defenses {
			c := Cell{a, d, r.Grid.Seeds[0], r.Grid.sets()[0]}
			name, title, caption := "separation-"+c.Name(), a+", "+d, "Isolation's scores; the highest twentieth is counted at the right edge."
			path := filepath.Join(r.folder(c), runs.SuspectsFile)
			if _, err := os.Stat(path); err != nil {
				kept, err := r.keptFigure(name, title, caption)
				if err != nil {
					return nil, err
				}
				made = append(made, kept...)
				continue
			}
			if truth == nil { // only now: it may take a while
				if err := r.load(context.Background()); err != nil {
					return nil, err
				}
				at, err := attack.New(context.Background(), configs[0], r.data.Train, attack.Env{Backend: r.Backend, Cache: r.Cache})
				if err != nil {
					return nil, err
				}
				if _, truth, err = at.Poison(context.Background(), r.data.Train); err != nil {
					return nil, err
				}
			}
			losses, err := runs.ReadLosses(path, r.data.Train.Len())
			if err != nil {
				return nil, err
			}
			var groups [2][]float32
			for i, l := range losses {
				k := 0
				if truth.Poisoned[i] {
					k = 1
				}
				groups[k] = append(groups[k], l)
			}
			sorted := slices.Sorted(slices.Values(losses))
			top := max(1e-3, float64(sorted[len(sorted)*95/100]))
			f, err := report.HistogramFigure(title, caption,
				report.Axes{X: "score (loss)", Y: "share of the group"}, top, [2]string{"clean images", "poisoned images"}, groups)
			if err != nil {
				return nil, err
			}
			made = append(made, drawn{name, f})
			if err := r.keepFigure(made[len(made)-1]); err != nil {
				return nil, err
			}
		}
	}
	return made, nil
}
