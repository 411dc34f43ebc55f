package detect

import (
	"context"
	"strings"
	"testing"

	published "github.com/unpoison/unpoison/detect"
)

// counts is a detector of somebody's own that flags so many images, and counts how often it is asked.
type counts struct {
	name                     string
	flags, revision, lacking int
	asked                    int
}

func (c *counts) Name() string        { return c.name }
func (*counts) Paper() string         { return "none" }
func (*counts) Needs() published.Need { return 0 }
func (c *counts) Revision() int       { return c.revision }

func (c *counts) Detect(_ context.Context, in *published.Input) (*published.Output, error) {
	c.asked++
	n := in.Data.Len()
	out := &published.Output{Scores: make([]float64, n), Flagged: make([]bool, n-c.lacking)}
	for i := range c.flags {
		out.Scores[i], out.Flagged[i] = 1, true
	}
	return out, nil
}

// A detector of another revision is asked again, and one of the same is not; what it flagged before is not trained without.
func TestAnotherRevisionIsAskedAgain(t *testing.T) {
	own := &counts{name: "counts", flags: 2}
	r := tiny(t, t.TempDir())
	r.Detectors, r.More, r.Retrain = []string{"counts"}, []published.Detector{own}, true
	for k, c := range []struct{ revision, flags, asked, flagged int }{{0, 2, 1, 2}, {0, 3, 1, 2}, {1, 3, 2, 3}, {1, 4, 2, 3}, {2, 5, 3, 5}} {
		own.revision, own.flags = c.revision, c.flags
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		res, err := Read(ResultsFile(r.Folder, "", true))
		if err != nil {
			t.Fatal(err)
		}
		v := res.Scores()[0]
		if own.asked != c.asked || v.Revision != c.revision || v.Flagged != c.flagged || v.Without == nil {
			t.Errorf("%d: asked %d times, revision %d, %d flagged, without them %v", k, own.asked, v.Revision, v.Flagged, v.Without)
		}
	}
}

// What is not of all images is an error, and leaves nothing that later runs would take for scores.
func TestOutputIsOfAllImages(t *testing.T) {
	own := &counts{name: "counts", lacking: 1}
	r := tiny(t, t.TempDir())
	r.Detectors, r.More = []string{"counts"}, []published.Detector{own}
	if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "flags for") {
		t.Fatal(err)
	}
	own.lacking = 0
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The kept results are of today's detectors.
func TestKeptScoresAreOfTodaysRevisions(t *testing.T) {
	res, err := Read(ResultsFile("../../results/detect", "", false))
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{}
	for _, v := range res.Scores() {
		if d := r.detector(v.Detector); d != nil && r.lacks(&v.Set, v) {
			t.Errorf("%s by %s is of the revision %d, today's is %d", v.Set.Name, v.Detector, v.Revision, published.Revision(d))
		}
	}
}
