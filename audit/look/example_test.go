package look_test

import (
	"context"
	"fmt"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

// corner looks for a white pixel in the upper left corner of a label's images.
type corner struct{}

// cornerFacts is what a report shows of it.
type cornerFacts struct {
	look.Counts
	White int `json:"white"`
}

func (corner) Name() look.Name { return "white corner" }

func (corner) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	var all []look.Evidence
	for label, class := range c.Data.Classes {
		var f cornerFacts
		carriers := c.Unasked()
		for _, i := range c.Of(nil)[label] {
			f.Images++
			carriers[i] = 0
			if c.Data.Image(i)[0] == 255 {
				f.White, carriers[i] = f.White+1, 1
			}
		}
		if f.White == 0 {
			continue
		}
		f.Flagged = f.White
		c.Note("%s: %d white corners", class, f.White)
		all = append(all, look.Evidence{Look: "white corner", Label: label, Score: float64(f.White), Says: look.Poisoned, Carriers: carriers, Facts: f})
	}
	return all, ctx.Err()
}

// A look is a type of two methods. Given as one of audit.Setup's More it is asked after the others, and its evidence is
// part of the verdict.
func ExampleLook() {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"cat", "dog"}, Labels: []int32{0, 1, 1}, Pixels: []uint8{0, 0, 0, 255, 0, 0, 9, 9, 9}}
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence, err := corner{}.Ask(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Add(context.Background(), evidence...); err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range c.Evidence() {
		f, _ := look.FactsOf[cornerFacts](e)
		fmt.Printf("%s: %s, %d of %d images\n", set.Classes[e.Label], e.Says, f.White, f.Images)
	}
	// Output: dog: poisoned, 1 of 2 images
}
