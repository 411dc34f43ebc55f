package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/distributed/internal/store"
)

// load is a large audit, as a grid of parts: each part reads its images from the store, works on them, and keeps a result.
type load struct {
	Images, Side int
	Workers      int
	PerPart      int           // images
	Result       int           // bytes that a part keeps: the sums that looks need
	Speed        float64       // images that a worker reads and works on in a second
	Bandwidth    float64       // bytes a second that a worker gets from the store
	Heartbeat    time.Duration // after which a worker that says nothing is replaced
}

// Ten million images at 64 pixels on 50 workers.
func tenMillion() load {
	return load{
		Images: 10_000_000, Side: 64, Workers: 50, PerPart: 5000, Result: 1 << 20, Speed: 2000, Bandwidth: 100e6, Heartbeat: DefaultHeartbeat,
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
)

// demand is what a load asks of Temporal and of the store.
type demand struct {
	Parts, Children int
	Payload         int // bytes of the largest
	History         int // events of the longest
	HistoryBytes    int
	Pending         int     // of the widest workflow
	Beats           float64 // heartbeats a second, all workers together
	Requests        int64
	Read, Written   int64 // bytes
	Hours           float64
}

// count counts what a load asks for, with so many requests to the store for each part. Payloads are those that workflows and
// workers really send.
func (l load) count(perPart int64) (demand, error) {
	key := store.Key(strings.Repeat("f", 64))
	d := demand{Parts: (l.Images + l.PerPart - 1) / l.PerPart}
	d.Children = (d.Parts + PartSize - 1) / PartSize
	stages := [][]store.Key{make([]store.Key, d.Children)}
	names := make([]string, min(PartSize, d.Parts))
	for k := range stages[0] {
		stages[0][k] = key
	}
	for k := range names {
		names[k] = fmt.Sprintf("part.%07d.%064d", k, 0) // with room for a long name
	}
	in := Input{Plan: key, Part: key, Cell: names[0], Heartbeat: l.Heartbeat}
	event := 0
	for _, p := range []any{in, stages, names, key, beat{Checkpoint: key, Failures: mostFailures}, Progress{Parts: make([]string, d.Children)}} {
		raw, err := json.Marshal(p)
		if err != nil {
			return d, err
		}
		d.Payload = max(d.Payload, len(raw))
	}
	for _, p := range []any{in, key} { // what an activity puts into the history
		raw, err := json.Marshal(p)
		if err != nil {
			return d, err
		}
		event += len(raw)
	}
	const perEvent = 400 // bytes of an event beside its payload
	d.History = max(eventsOfWorkflow+eventsOfActivity*(1+len(names)), eventsOfWorkflow+eventsOfActivity+eventsOfChild*d.Children)
	d.HistoryBytes = d.History*perEvent + len(names)*event + d.Payload
	d.Pending = max(len(names), d.Children)
	d.Beats = 4 * float64(l.Workers) / l.Heartbeat.Seconds()
	image := int64(3 * l.Side * l.Side)
	d.Read = int64(l.Images)*image + int64(d.Parts)*int64(l.Result) // and the results once, where they are joined
	d.Written = int64(d.Parts) * int64(l.Result)
	d.Requests = int64(d.Parts)*perPart + int64(2*d.Children)
	part := float64(l.PerPart)*(1/l.Speed+float64(image)/l.Bandwidth) + float64(l.Result)/l.Bandwidth
	rounds := (d.Parts + l.Workers - 1) / l.Workers
	d.Hours = (float64(rounds)*part + float64(d.Parts)*float64(l.Result)/l.Bandwidth) / 3600
	return d, nil
}

// table is the demand beside Temporal's limits, as Markdown.
func (d demand) table() string {
	var b strings.Builder
	b.WriteString("| | asked for | Temporal's limit |\n|---|---|---|\n")
	for _, r := range [][3]string{
		{"parts, in child workflows", fmt.Sprintf("%d in %d", d.Parts, d.Children), "–"},
		{"largest payload", fmt.Sprintf("%.0f kB", float64(d.Payload)/1e3), "2 MB"},
		{"longest history", fmt.Sprintf("%d events, %.1f MB", d.History, float64(d.HistoryBytes)/1e6), "51,200 events, 50 MB"},
		{"pending activities or children of a workflow", fmt.Sprint(d.Pending), "2,000"},
		{"heartbeats", fmt.Sprintf("%.1f a second", d.Beats), "–"},
		{"requests to the store", fmt.Sprint(d.Requests), "–"},
		{"read from the store", fmt.Sprintf("%.0f GB", float64(d.Read)/1e9), "–"},
		{"written to it", fmt.Sprintf("%.1f GB", float64(d.Written)/1e9), "–"},
		{"time of the maps", fmt.Sprintf("%.0f minutes", 60*d.Hours), "–"},
	} {
		b.WriteString("| " + strings.Join(r[:], " | ") + " |\n")
	}
	return b.String()
}

// onePart does with a store what a worker does for one part, and what joining it does. It returns the requests, and the bytes
// that were read and written.
func onePart(t *testing.T, images, result int) (requests, read, written int64) {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	must := func(k store.Key, err error) store.Key {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	keep := func(size int) store.Key {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		return must(s.PutFile(ctx, path))
	}
	data := keep(images) // before the audit begins
	before, sentBefore, receivedBefore := s.Requests()
	id := strings.Repeat("1", 64)
	for _, name := range []string{"cells/" + id, "checkpoints/" + id} {
		if _, err := s.Find(ctx, name); !errors.Is(err, store.ErrNone) {
			t.Fatal(err)
		}
	}
	if err := s.GetFolder(ctx, data, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	must(s.Name(ctx, "cells/"+id, keep(result), true))
	if err := s.GetFolder(ctx, must(s.Find(ctx, "cells/"+id)), t.TempDir()); err != nil { // joined
		t.Fatal(err)
	}
	after, sent, received := s.Requests()
	return after - before, received - receivedBefore, sent - sentBefore
}

// Ten million images on fifty workers stay far from Temporal's limits, and docs/clusters.md says what they ask for.
func TestTenMillionImages(t *testing.T) {
	l := tenMillion()
	const smaller = 100 // than a part is, so that the test moves little
	images, result := l.PerPart*3*l.Side*l.Side/smaller, l.Result/smaller
	requests, read, written := onePart(t, images, result)
	d, err := l.count(requests)
	if err != nil {
		t.Fatal(err)
	}
	const lists = 1000 // bytes of folders' lists and names
	if read < int64(images+result) || read > int64(images+result+lists) || written < int64(result) || written > int64(result+lists) {
		t.Errorf("a part of %d bytes with a result of %d reads %d and writes %d", images, result, read, written)
	}
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
