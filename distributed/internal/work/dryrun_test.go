package work

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// load is a large audit.
type load struct {
	Images, Side, Classes int
	Encoded               int // bytes of an image's file
	Workers               int
	Learn, Epochs         int     // images that networks learn from, and how many epochs all trainings take together
	Passes                []pass  // over all images
	Own                   int     // times that the leader goes through all pixels by itself
	Speed, Train, Pixels  float64 // images a second that a worker decodes, asks about or sums, learns, and goes through
	Bandwidth             float64 // bytes a second that a worker gets from the store, or the client sends
	Heartbeat             time.Duration
}

// pass is one over all images.
type pass struct {
	what   string
	floats int     // of an image that is asked about
	share  float64 // of the images that are; where not all are, a byte for each image says so
	times  int
}

// Ten million images at 64 pixels on 50 workers of 8 cores, with every look; networks learn from 200,000 images.
func tenMillion() load {
	return load{
		Images: 10_000_000, Side: 64, Classes: 10, Encoded: 3000, Workers: 50, Learn: 200_000,
		Epochs: 2*8 + 8, // two folds of content, and the network that is asked what a pattern does
		Passes: []pass{{"content, two blurs", 20, 0.5, 2}, {"the other network", 10, 1, 1}},
		Own:    6, Speed: 2000, Train: 2000, Pixels: 10_000, Bandwidth: 100e6, Heartbeat: DefaultHeartbeat,
	}
}

// Temporal's limits: https://docs.temporal.io/cloud/limits, https://docs.temporal.io/self-hosted-guide/defaults.
const (
	limitPayload      = 2 << 20 // bytes
	limitHistory      = 51_200  // events
	limitHistoryBytes = 50 << 20
	limitPending      = 2000 // activities of a workflow that have not ended, and children
)

// Events of a history, by what makes them.
const (
	eventsOfActivity = 6 // scheduled, started, completed; and a workflow task: scheduled, started, completed
	eventsOfChild    = 7 // initiated, started, completed, and two workflow tasks' worth at most
	eventsOfWorkflow = 10
	bytesOfEvent     = 400 // beside its payload
)

// requests is what a part costs the store, those of the leader and the client for it too.
type requests struct{ pack, decode, pass, some, sums, join float64 }

// demand is what a load asks of Temporal and of the store.
type demand struct {
	Parts, Children, Maps int
	Payload               int // bytes of the largest
	History               int // events of the longest
	HistoryBytes          int
	Pending               int     // of the widest workflow
	Beats                 float64 // heartbeats a second, all workers together
	Requests              float64
	Read, Written         float64 // bytes
	Hours                 struct{ Pack, Maps, Join, Train, Own float64 }
}

// count counts what a load asks for. Payloads are those that workflows and workers really send.
func (l load) count(t *testing.T, r requests) demand {
	key := store.Key(strings.Repeat("f", 64))
	d := demand{Parts: (l.Images + stat.PartSize - 1) / stat.PartSize, Maps: 2} // decoding and sums
	d.Children = (d.Parts + PartSize - 1) / PartSize
	some := min(PartSize, d.Parts)
	in := MapInput{Task: key, Lists: slices.Repeat([]store.Key{key}, d.Children), Parts: d.Parts}
	out := slices.Repeat([][]store.Key{slices.Repeat([]store.Key{key}, some)}, d.Children)
	d.Payload = max(raw(t, in), raw(t, out), raw(t, beat{Checkpoint: key, Doing: Doing{Map: string(key)}}))
	d.History = eventsOfWorkflow + max(eventsOfActivity*some, eventsOfChild*d.Children)
	steps := some * (raw(t, StepInput{key, key, some}) + raw(t, key))
	d.HistoryBytes = d.History*bytesOfEvent + max(steps+raw(t, out[0]), 2*raw(t, out))
	d.Pending = max(some, d.Children)
	d.Beats = float64(l.Workers) * (1/stepHeartbeat.Seconds() + 1/l.Heartbeat.Seconds()) * 4

	parts, images := float64(d.Parts), float64(l.Images)
	pixels, encoded := images*float64(3*l.Side*l.Side), images*float64(l.Encoded)
	worker, all := l.Bandwidth, l.Bandwidth*float64(l.Workers)
	hours := func(seconds float64) float64 { return seconds / 3600 }
	d.Hours.Pack = hours(encoded / worker)
	d.Hours.Join = hours(pixels / worker)
	d.Hours.Train = hours(float64(l.Learn*l.Epochs) / l.Train)
	d.Hours.Own = hours(float64(l.Own) * images / l.Pixels)
	d.Requests = parts * (r.pack + r.decode + r.join + r.sums)
	sums := parts * float64(3*8*l.Classes*3*l.Side*l.Side)
	d.Read, d.Written = encoded+2*pixels+pixels+2*sums, encoded+pixels+sums // decoding, joining, sums
	d.Hours.Maps = hours((encoded+2*pixels+sums)/all + sums/worker + 2*images/l.Speed/float64(l.Workers))
	for _, p := range l.Passes {
		d.Maps += p.times
		n := float64(p.times)
		result, per := images*p.share*float64(4*p.floats), r.pass
		if p.share < 1 {
			per = r.some
		}
		d.Requests += n * parts * per
		d.Read, d.Written = d.Read+n*(pixels+2*result), d.Written+n*result
		d.Hours.Maps += n * hours(pixels/all+result/all+result/worker+images*p.share/l.Speed/float64(l.Workers))
	}
	return d
}

// table is the demand beside Temporal's limits, as Markdown.
func (d demand) table() string {
	var b strings.Builder
	b.WriteString("| | asked for | Temporal's limit |\n|---|---|---|\n")
	h := d.Hours
	for _, r := range [][3]string{
		{"parts, in child workflows", fmt.Sprintf("%d in %d", d.Parts, d.Children), "–"},
		{"maps over all parts", fmt.Sprint(d.Maps), "–"},
		{"largest payload", fmt.Sprintf("%.0f kB", float64(d.Payload)/1e3), "2 MB"},
		{"longest history", fmt.Sprintf("%d events, %.1f MB", d.History, float64(d.HistoryBytes)/1e6), "51,200 events, 50 MB"},
		{"pending activities or children of a workflow", fmt.Sprint(d.Pending), "2,000"},
		{"heartbeats", fmt.Sprintf("%.1f a second", d.Beats), "–"},
		{"requests to the store", fmt.Sprintf("%.0f thousand", d.Requests/1e3), "–"},
		{"read from the store", fmt.Sprintf("%.1f TB", d.Read/1e12), "–"},
		{"written to it", fmt.Sprintf("%.2f TB", d.Written/1e12), "–"},
		{"hours: packing, joining", fmt.Sprintf("%.1f, %.1f", h.Pack, h.Join), "–"},
		{"hours: maps by all workers", fmt.Sprintf("%.1f", h.Maps), "–"},
		{"hours: trainings, and pixels, by the leader", fmt.Sprintf("%.1f, %.1f", h.Train, h.Own), "–"},
	} {
		b.WriteString("| " + strings.Join(r[:], " | ") + " |\n")
	}
	return b.String()
}

// counted counts the requests for a part by making maps of small packs with a real store.
func counted(t *testing.T) (r requests) {
	t.Helper()
	ctx := context.Background()
	w, p, d := smallPacks(t)
	packs := float64(len(p.packs))
	per := func(do func() error) float64 {
		before, _, _ := w.Store.Requests()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		after, _, _ := w.Store.Requests()
		return float64(after-before) / packs
	}
	n, err := model.New("small-cnn", len(d.Train.Classes), d.Train.Height, d.Train.Width)
	if err != nil {
		t.Fatal(err)
	}
	of := evaluate.Pass{Network: n, State: n.Init(5)}
	r.pass = per(func() error { return p.Pass(ctx, of, nil, func(int, []float32) {}) })
	r.some = per(func() error { return p.Pass(ctx, of, []int{1, 80, 150, 220}, func(int, []float32) {}) })
	fold := make([]uint8, d.Train.Len())
	fold[0], fold[100], fold[150], fold[229] = 1, 1, 1, 1
	r.sums = per(func() error { return sums{p}.Sums(ctx, fold, func([]stat.LabelSums) error { return nil }) })
	r.pack, r.join = 2, 1 // Put asks whether it is there; Get
	r.decode = r.pass - 1 // as a pass, whose rows are got by the leader
	return r
}

// Ten million images on fifty workers stay far from Temporal's limits, and docs/clusters.md says what they ask for.
func TestTenMillionImages(t *testing.T) {
	r := counted(t)
	for name, n := range map[string]float64{"a pass": r.pass, "a pass over some": r.some, "sums": r.sums} {
		if n < 5 || n > 12 {
			t.Errorf("%s costs %g requests a part", name, n)
		}
	}
	r.pass, r.some, r.sums, r.decode = math.Ceil(r.pass), math.Ceil(r.some), math.Ceil(r.sums), math.Ceil(r.decode)
	d := tenMillion().count(t, r)
	const far = 4 // times below a limit
	if far*d.Payload > limitPayload || far*d.History > limitHistory || far*d.HistoryBytes > limitHistoryBytes || 2*d.Pending > limitPending {
		t.Errorf("near a limit: %+v", d)
	}
	text, err := os.ReadFile("../../../docs/clusters.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), d.table()) {
		t.Errorf("docs/clusters.md has another table than\n%s", d.table())
	}
}
