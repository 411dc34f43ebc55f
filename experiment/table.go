package experiment

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/repair"
	"github.com/unpoison/unpoison/report"
)

// Row is a line of a table: an attack under a defence, over all seeds.
type Row struct {
	Vary      string   `json:"vary,omitempty"` // of the data
	Attack    string   `json:"attack"`
	Defense   string   `json:"defense"`
	Seeds     int      `json:"seeds"` // that are finished
	ASR       *float64 `json:"asr"`
	ASRDev    *float64 `json:"asr_deviation"` // of the sample; null with one seed
	CA        *float64 `json:"ca"`
	CADev     *float64 `json:"ca_deviation"`
	RA        *float64 `json:"ra"` // of triggered images, under their own labels
	RADev     *float64 `json:"ra_deviation"`
	Precision *float64 `json:"isolation_precision"`
	PaperASR  *float64 `json:"paper_asr"`
	PaperCA   *float64 `json:"paper_ca"`
}

// spread returns mean and deviation of the values that are there.
func spread(values []*float64) (mean, dev *float64) {
	sum, n := 0.0, 0
	for _, v := range values {
		if v != nil {
			sum += *v
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	m := sum / float64(n)
	if n > 1 {
		d := 0.0
		for _, v := range values {
			if v != nil {
				d += (*v - m) * (*v - m)
			}
		}
		d = math.Sqrt(d / float64(n-1))
		dev = &d
	}
	return &m, dev
}

// Rows collects what is finished.
func (r *Runner) Rows() []Row {
	var rows []Row
	for _, v := range r.Grid.sets() {
		for _, a := range r.Grid.Attacks {
			for _, d := range r.Grid.Defenses {
				rows = append(rows, r.row(v, a, d))
			}
		}
	}
	return rows
}

func (r *Runner) row(vary, attack, defense string) Row {
	return r.rowOf(vary, attack, defense, r.Grid.seeds(defense))
}

// rowOf is a row of these seeds alone.
func (r *Runner) rowOf(vary, attack, defense string, seeds []uint64) Row {
	row := Row{Vary: vary, Attack: attack, Defense: defense}
	var asr, ca, ra, precision []*float64
	for _, s := range seeds {
		res := r.result(Cell{attack, defense, s, vary})
		if res == nil {
			continue
		}
		row.Seeds++
		asr, ca = append(asr, res.ASR), append(ca, res.CA)
		ra = append(ra, least(res, func(p *runs.Attack) *float64 { return p.RA }))
		if res.Isolation != nil {
			precision = append(precision, res.Isolation.Precision)
		}
	}
	row.ASR, row.ASRDev = spread(asr)
	row.CA, row.CADev = spread(ca)
	row.RA, row.RADev = spread(ra)
	row.Precision, _ = spread(precision)
	if f, ok := r.Grid.paper(Cell{Attack: attack, Defense: defense}); ok && vary == "" {
		row.PaperCA = &f.ca
		if attack != "none" {
			row.PaperASR = &f.asr
		}
	}
	return row
}

// number formats a figure with its deviation, or a dash.
func number(v, dev *float64) string {
	switch {
	case v == nil:
		return "–"
	case dev != nil:
		return fmt.Sprintf("%.2f ± %.2f", *v, *dev)
	}
	return fmt.Sprintf("%.2f", *v)
}

// pair is "ASR / CA" with the paper's in brackets.
func (row *Row) pair() string {
	if row.Seeds == 0 {
		return "–"
	}
	s := number(row.ASR, row.ASRDev) + " / " + number(row.CA, row.CADev)
	if row.PaperCA != nil {
		s += " (" + number(row.PaperASR, nil) + " / " + number(row.PaperCA, nil) + ")"
	}
	return s
}

func (g *Grid) title() string {
	title := cmp.Or(g.Title, g.Name)
	switch {
	case g.Quick:
		title += " (quick)"
	case g.Data == rendered && g.Title != "":
		title += " (on rendered road signs)"
	case g.Limit > 0:
		title += fmt.Sprintf(" (%d training images)", g.Limit)
	}
	return title
}

// Table lays the rows out: attacks by defences where they are few, else a line each.
func (r *Runner) Table() report.Table {
	g, rows := r.Grid, r.Rows()
	brackets := ""
	if slices.ContainsFunc(rows, func(r Row) bool { return r.PaperCA != nil }) {
		brackets = ", the paper's in brackets"
	}
	t := report.Table{Title: g.title(), Note: "ASR / CA in percent" + brackets + "; several seeds: mean ± standard deviation."}
	if g.Quick {
		t.Note = fmt.Sprintf("Cut down to %d images, a small network and few epochs: this shows that the path works, the figures mean nothing. ", g.Limit) + t.Note
	}
	if versions := r.versions(); len(versions) > 1 {
		t.Note += " The runs are of the versions " + strings.Join(versions, ", ") + "."
	}
	if !g.byDefense() {
		t.Columns = []string{"attack", "defence", "ASR", "CA"}
		if robust(rows) {
			t.Columns = append(t.Columns, "RA")
		}
		t.Columns = append(t.Columns, "isolation precision", "paper's ASR", "paper's CA")
		for _, row := range rows {
			line := []string{strings.TrimSpace(row.Vary + " " + row.Attack), row.Defense, number(row.ASR, row.ASRDev), number(row.CA, row.CADev)}
			if robust(rows) {
				line = append(line, number(row.RA, row.RADev))
			}
			precision := "–"
			if row.Precision != nil {
				precision = fmt.Sprintf("%.3f", *row.Precision)
			}
			t.Rows = append(t.Rows, append(line, precision, number(row.PaperASR, nil), number(row.PaperCA, nil)))
		}
		return t
	}
	t.Columns, t.Rows = g.lay(rows, (*Row).pair, average)
	return t
}

// versions lists those of the program that finished runs are of.
func (r *Runner) versions() (all []string) {
	for _, c := range r.Grid.Cells() {
		if res := r.result(c); res != nil && res.Version != "" && !slices.Contains(all, res.Version) {
			all = append(all, res.Version)
		}
	}
	slices.Sort(all)
	return all
}

// byDefense reports whether a table has a line for each attack, and a column for each defence; else it has a line for both.
func (g *Grid) byDefense() bool {
	return len(g.Defenses) <= 6 && len(g.Attacks) > 1 && len(g.Vary) == 0
}

// lay lays rows out, attacks by defences, with averages over the attacks of defence k of n.
func (g *Grid) lay(rows []Row, cell func(*Row) string, average func(rows []Row, k, n int) string) (columns []string, lines [][]string) {
	n := len(g.Defenses)
	for i, a := range g.Attacks {
		line := []string{a}
		for k := range n {
			line = append(line, cell(&rows[i*n+k]))
		}
		lines = append(lines, line)
	}
	if len(g.Attacks) > 2 {
		line := []string{"average of the attacks"}
		for k := range n {
			line = append(line, average(rows, k, n))
		}
		lines = append(lines, line)
	}
	return append([]string{"attack"}, g.Defenses...), lines
}

// average is the pair of means over the attacks of defence k of n of which both were measured, and says of how many if some are missing.
func average(rows []Row, k, n int) string {
	var asr, ca, pASR, pCA []*float64
	all := 0
	for i := k; i < len(rows); i += n {
		row := rows[i]
		if row.Attack == "none" {
			continue
		}
		if all++; row.ASR != nil && row.CA != nil {
			asr, ca, pASR, pCA = append(asr, row.ASR), append(ca, row.CA), append(pASR, row.PaperASR), append(pCA, row.PaperCA)
		}
	}
	mean := Row{Seeds: len(asr)}
	mean.ASR, _ = spread(asr)
	mean.CA, _ = spread(ca)
	mean.PaperASR, _ = spread(pASR)
	mean.PaperCA, _ = spread(pCA)
	return mean.pair() + ofSome(len(asr), all)
}

// spentTable says what each defence was given and used: not all of them train alike.
func (r *Runner) spentTable() report.Table {
	t := report.Table{
		Title: r.Grid.title() + ": what each defence used", Note: "Of the finished runs. fp, mcr and nad start from the network without defence, whose training comes on top; on auto's comes its search.",
		Columns: []string{"defence", "epochs over all images", "clean images given", "epochs over those"},
	}
	for _, d := range r.Grid.Defenses {
		method, _ := repair.MethodNamed(string(runs.Kind(d))) // of no name for other defences
		var epochs, clean, own []int
		for _, c := range r.Grid.Cells() {
			res := r.result(c)
			if c.Defense != d || res == nil {
				continue
			}
			if res.Repair == nil {
				epochs = append(epochs, res.Epochs.Isolate+res.Epochs.Tune+int(math.Round(res.Epochs.Unlearn)))
				continue
			}
			if res.Repair.Clean == 0 { // unlearning, which is given none
				continue
			}
			clean = append(clean, res.Repair.Clean)
			if o, ok := res.Repair.Options.(map[string]any); ok {
				if n, ok := o["epochs"].(float64); ok {
					own = append(own, int(n)*max(1, method.Trainings))
				}
			}
		}
		t.Rows = append(t.Rows, []string{d, span(epochs), span(clean), span(own)})
	}
	return t
}

// span writes the range of some numbers.
func span(all []int) string {
	switch {
	case len(all) == 0:
		return "–"
	case slices.Min(all) == slices.Max(all):
		return strconv.Itoa(all[0])
	}
	return fmt.Sprintf("%d to %d", slices.Min(all), slices.Max(all))
}

// Tables are what a grid's results fill: Table, if networks were trained, and the verdicts, if there are any.
func (r *Runner) Tables() []report.Table {
	var all []report.Table
	verdicts := r.Verdicts()
	trained := slices.ContainsFunc(r.Rows(), func(row Row) bool { return row.CA != nil })
	if trained || len(verdicts) == 0 {
		all = append(all, r.Table())
		if t := r.robustTable(); t != nil {
			all = append(all, *t)
		}
	}
	if trained && slices.ContainsFunc(r.Grid.Defenses, func(d string) bool { return slices.Contains(repair.Names(), string(runs.Kind(d))) }) {
		all = append(all, r.spentTable())
	}
	if t := r.gapTable(); t != nil {
		all = append(all, *t)
	}
	if len(verdicts) > 0 {
		title := r.Grid.title()
		if trained {
			title += ": verdicts"
		}
		all = append(all, verdictTable(title, verdicts))
	}
	for i := range all {
		all[i].Note = strings.TrimSpace(all[i].Note + r.earlier())
	}
	return all
}

// Markdown writes a table with its title and note, where it has them.
func Markdown(t report.Table) string {
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	line := func(cells []string) string {
		var b strings.Builder
		for _, c := range cells {
			b.WriteString("| " + cell.Replace(c) + " ")
		}
		return b.String() + "|\n"
	}
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "## %s\n\n", t.Title)
	}
	if t.Note != "" {
		fmt.Fprintf(&b, "%s\n\n", t.Note)
	}
	b.WriteString(line(t.Columns))
	b.WriteString(strings.Repeat("|---", len(t.Columns)) + "|\n")
	for _, r := range t.Rows {
		b.WriteString(line(r))
	}
	return b.String()
}

// Write makes the tables, the plots and the page of what is finished. The same results give the same
// bytes.
func (r *Runner) Write(command string) error {
	tables, rows, verdicts := r.Tables(), r.Rows(), r.Verdicts()
	var text strings.Builder
	for _, t := range tables {
		text.WriteString(Markdown(t) + "\n")
	}
	fmt.Fprintf(&text, "    %s\n", command)
	if err := atomicfile.WriteBytes(filepath.Join(r.Folder, "table.md"), []byte(text.String())); err != nil {
		return err
	}
	if len(verdicts) > 0 {
		raw, err := json.MarshalIndent(verdicts, "", "  ")
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(filepath.Join(r.Folder, "verdicts.json"), append(raw, '\n')); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(filepath.Join(r.Folder, "table.json"), append(raw, '\n')); err != nil {
		return err
	}
	err = atomicfile.Write(filepath.Join(r.Folder, "table.csv"), func(w io.Writer) error {
		c := csv.NewWriter(w)
		lines := [][]string{{"vary", "attack", "defense", "seeds", "asr", "asr_deviation", "ca", "ca_deviation", "ra", "ra_deviation", "isolation_precision", "paper_asr", "paper_ca"}}
		text := func(v *float64) string {
			if v == nil {
				return ""
			}
			return strconv.FormatFloat(*v, 'f', 4, 64)
		}
		for _, r := range rows {
			lines = append(lines, []string{
				r.Vary, r.Attack, r.Defense, strconv.Itoa(r.Seeds), text(r.ASR), text(r.ASRDev), text(r.CA), text(r.CADev), text(r.RA), text(r.RADev), text(r.Precision), text(r.PaperASR), text(r.PaperCA),
			})
		}
		return c.WriteAll(lines)
	})
	if err != nil {
		return err
	}
	if err := r.draw(); err != nil {
		return err
	}
	p := &report.Page{Title: "unpoison: " + r.Grid.Name, Tables: tables, Figures: r.figures(), Facts: [][2]string{{"command", command}}}
	return p.Write(filepath.Join(r.Folder, "index.html"))
}
