// Package runs trains, audits or repairs a network in a folder, and writes there what came out: the model, the result,
// the list of suspects, the report, the log, and a checkpoint from which an interrupted run goes on.
package runs

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/limited"
	"github.com/unpoison/unpoison/spike"
)

// The files of a run's folder.
const (
	ModelFile    = "model.safetensors"
	ResultFile   = "result.json"
	LogFile      = "log.jsonl"
	SuspectsFile = "suspects.csv"
	OddFile      = "odd-labels.csv"
	ReportFile   = "report.html"
)

// Result is result.json. Shares are given in percent for CA and ASR, as the field does, and from 0
// to 1 for rankings; what is unknown is null.
type Result struct {
	Version   string     `json:"version"`
	Date      string     `json:"date"`
	Command   string     `json:"command"`
	Seed      uint64     `json:"seed"`
	Data      DataInfo   `json:"data"`
	Model     string     `json:"model"`
	Engine    string     `json:"engine"`
	Attack    *Attack    `json:"attack"` // the first
	Defense   Defense    `json:"defense"`
	Epochs    Epochs     `json:"epochs"`
	CA        *float64   `json:"ca"`
	CAOf      []*float64 `json:"ca_of,omitempty"` // the same of each class; null where it has no test image
	ASR       *float64   `json:"asr"`             // of several attacks the highest
	Isolation *Isolation `json:"isolation"`
	// Correction is null without a search, without --correct, where nothing was to be corrected, where the truth is unknown and under CBA.
	Correction *Correction `json:"correction,omitempty"`

	Attacks    []*Attack          `json:"attacks,omitempty"`
	Verdict    *audit.Verdict     `json:"verdict,omitempty"`
	Revision   int                `json:"revision,omitempty"` // of the search: audit.Revision; 0 without one, and before it was noted
	Spikes     []spike.Limit      `json:"spikes,omitempty"`   // from which rate on known attacks would have been found
	Baseline   *Comparison        `json:"baseline,omitempty"` // with an earlier audit
	Unlearning *abl.Outcome       `json:"unlearning"`
	Repair     *Repair            `json:"repair,omitempty"`
	Seconds    map[string]float64 `json:"seconds"`

	ImagesPerSecond float64     `json:"images_per_second"`
	PeakMemory      int64       `json:"peak_memory_bytes"`
	Options         abl.Options `json:"options"`
}

// DataInfo names the data.
type DataInfo struct {
	Path   string `json:"path"`
	Layout string `json:"layout"`
	Digest string `json:"digest"`
	// ReadWith are the flags that the data were read with, --name=value each; see Spec.
	ReadWith []string `json:"read_with,omitempty"`

	Origin  string   `json:"origin,omitempty"` // digest of what an experiment read, before it changed anything
	Classes []string `json:"classes"`
	Train   int      `json:"train"`
	Test    int      `json:"test"`
	Skipped int      `json:"skipped"`
	// Duplicates counts training images that equal an earlier one byte for byte, Conflicting those of them
	// under another label, as the data came.
	Duplicates  int      `json:"duplicates"`
	Conflicting int      `json:"conflicting_duplicates"`
	Shared      int      `json:"test_images_trained_on,omitempty"` // test images that equal a training image
	Single      []string `json:"single_image_classes,omitempty"`   // classes with one training image
	Empty       []string `json:"empty_classes,omitempty"`          // and with none
	Untaught    []string `json:"untaught_classes,omitempty"`       // and with none that the model was trained on
}

// Whole are the flags that all of the data are read with: those that were given, but for a part of them.
func (d *DataInfo) Whole() []string {
	return slices.DeleteFunc(slices.Clone(d.ReadWith), func(flag string) bool { return strings.HasPrefix(flag, "--limit=") })
}

// Spec is the data as --data takes it.
func (d *DataInfo) Spec() string {
	if d.Layout == d.Path || d.Path == "" || d.Layout == "signs" {
		return d.Layout
	}
	return d.Layout + ":" + d.Path
}

// Attack names what an experiment planted.
type Attack struct {
	Name   string  `json:"name"`
	Rate   float64 `json:"rate"`
	Target int     `json:"target"`

	// ASR is the attack success rate; see attack.Common.Success for random labels.
	ASR *float64 `json:"asr"`
	// RA, the robust accuracy, is that on the triggered test images that the attack aims at, under their own labels; RATarget
	// that on the triggered images of the target class itself, of which SIG's kind of poison and training against a trigger
	// leave little. Null where a triggered image is of several classes.
	RA       *float64 `json:"ra,omitempty"`
	RATarget *float64 `json:"ra_target,omitempty"`
	// CATarget is the accuracy on the target class's test images without a trigger. Null where the attack has several targets.
	CATarget *float64 `json:"ca_target,omitempty"`
	// Covered is the accuracy on test images that show a part of the attack and keep their labels;
	// for Dynamic the cross-trigger accuracy.
	Covered  *float64      `json:"covered_accuracy,omitempty"`
	Settings attack.Config `json:"settings"`
	Pictures string        `json:"pictures,omitempty"` // digest of those that the settings name
	Seconds  float64       `json:"seconds"`            // of preparing and planting
}

// Repair says what a defence did to a model that was trained before.
type Repair struct {
	Base    string             `json:"base"`                 // the run whose model it was
	Clean   int                `json:"clean_images"`         // that the defence was given
	Isolate string             `json:"suspects,omitempty"`   // the run whose isolated images were unlearnt
	From    string             `json:"pretrained,omitempty"` // digest of the network of other data that unlearning started from
	Options any                `json:"options"`
	Chose   map[string]float64 `json:"chose,omitempty"`
}

// Epochs of each stage.
type Epochs struct {
	Isolate int     `json:"isolate"`
	Tune    int     `json:"tune"`
	Unlearn float64 `json:"unlearn"` // share of an epoch: unlearning counts steps
}

// Isolation says what was set aside, and scores the ranking where the truth is known; null where nothing was.
type Isolation struct {
	Rate             float64  `json:"rate"`
	Precision        *float64 `json:"precision"`
	Recall           *float64 `json:"recall"`            // of a filter: TPR
	FPR              *float64 `json:"fpr"`               // share of the clean images that are among the isolated ones; covering images are no clean ones
	Covered          int      `json:"covered,omitempty"` // covering images among the isolated ones
	AUROC            *float64 `json:"auroc"`
	AveragePrecision *float64 `json:"average_precision"`
	// TopClass is the label that most isolated images carry, TopShare their share.
	TopClass string  `json:"top_class"`
	TopShare float64 `json:"top_share"`
	// Suspicious is whether that share is far above what clean data shows; see suspicious.
	Suspicious bool `json:"suspicious"`
}

// Correction counts removed images whose labels were corrected, where the truth is known.
type Correction struct {
	Wrong     int `json:"wrong"`     // removed images whose label the attack had changed
	Corrected int `json:"corrected"` // removed images that got another label
	OfWrong   int `json:"of_wrong"`  // of those of Wrong
	Right     int `json:"right"`     // whose new label is the one before the attack
}

// ReadResult reads a result.json.
func ReadResult(path string) (*Result, error) {
	raw, err := limited.ReadFile(path, 64<<20)
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}

// ReadFinished reads the result of the run in a folder. A run without one is not finished: os.ErrNotExist. One that is cut short or
// says nothing was damaged, and the run has to be made again.
func ReadFinished(folder string) (*Result, error) {
	path := filepath.Join(folder, ResultFile)
	r, err := ReadResult(path)
	if err == nil && r.Version == "" {
		return nil, fmt.Errorf("%s: expected a run's result, which names the version that made it", path)
	}
	return r, err
}

// Earlier reports whether the run searched in another way than this program does, which may have found other images.
func (r *Result) Earlier() bool { return r.Verdict != nil && r.Revision != audit.Revision }

// inTurn joins the names of engines that computed one after the other.
const inTurn = ", then "

// SeveralEngines reports whether more than one engine had a part in the run, so that its seconds don't compare.
func (r *Result) SeveralEngines() bool { return strings.Contains(r.Engine, inTurn) }

func (r *Result) write(folder string) error {
	return atomicfile.Write(filepath.Join(folder, ResultFile), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	})
}
