package runs

import (
	"fmt"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/report"
)

// Demo are the runs of the demo: on clean data, and on poisoned data without defence, with the search and with Anti-Backdoor
// Learning.
type Demo struct{ Clean, Plain, Auto, ABL *Outcome }

// DemoRun is one of them, with its name and its folder.
type DemoRun struct {
	Name, Folder string
	*Outcome
}

// Runs lists them.
func (d *Demo) Runs() []DemoRun {
	return []DemoRun{
		{"clean data", "clean", d.Clean},
		{"poisoned, no defence", "undefended", d.Plain},
		{"poisoned, auto (the default)", "auto", d.Auto},
		{"poisoned, ABL", "abl", d.ABL},
	}
}

// WritePage writes the demo's page.
func (d *Demo) WritePage(path string, data *dataset.Data) error {
	plain := d.Plain
	target := data.Train.Classes[plain.Result.Attack.Target]
	p := &report.Page{
		Title: "unpoison demo: a sticker that turns every sign into a " + target + " sign",
		Summary: []string{
			fmt.Sprintf("%d rendered road signs were the training data. In %.0f\u00a0%% of them a small checkerboard was planted in the corner and the label changed to %s.",
				data.Train.Len(), 100*plain.Result.Attack.Rate, target),
			fmt.Sprintf("The network trained on this data without defence looks fine, with %s accuracy, but takes %s of other signs for a %s sign once they carry the sticker.",
				Percent(plain.Result.CA), Percent(plain.Result.ASR), target),
			fmt.Sprintf("The default, auto, is not told of the sticker. It says %q, finds %s images, and trains without them: %s with %s accuracy.",
				d.Auto.Verdict.Says, report.Count(d.Auto.Verdict.Removed), Percent(d.Auto.Result.ASR), Percent(d.Auto.Result.CA)),
			fmt.Sprintf("Anti-Backdoor Learning (ABL), which always takes some images for planted, comes to %s with %s accuracy.",
				Percent(d.ABL.Result.ASR), Percent(d.ABL.Result.CA)),
			"Open auto/report.html next: it is what you get for your own data.",
		},
		Columns: []string{"trained on", "clean accuracy", "attack success rate", "suspects really poisoned", "folder"},
		Facts:   facts(d.Auto.Result),
	}
	for _, r := range d.Runs() {
		p.Rows = append(p.Rows, []string{r.Name, Percent(r.Result.CA), Percent(r.Result.ASR), Precision(r.Result.Isolation), r.Folder})
	}
	p.Evidence = []report.Evidence{{
		Title: "What auto found", Strip: stripOf(d.Auto, plain.Result.Attack.Target),
		Text: "The pattern is the difference of the means of the suspects and of the other " + target + " signs.",
	}}
	for _, c := range []struct {
		title, caption string
		o              *Outcome
	}{
		{"Without defence", "The poisoned images are learnt at once: their loss falls first.", plain},
		{"With ABL", "Isolation, then training on what was kept; the poisoned images that isolation missed are unlearnt at the end.", d.ABL},
	} {
		f, err := curves(c.title, c.caption, c.o)
		if err != nil {
			return err
		}
		p.Figures = append(p.Figures, f)
	}
	samples := report.Gallery{Title: "What the network saw", Note: "Each pair: the original, and the poisoned image with its new label."}
	shown := 0
	for i, poisoned := range plain.Truth {
		if !poisoned || shown == 8 {
			continue
		}
		shown++
		h, w := data.Train.Height, data.Train.Width
		samples.Items = append(samples.Items,
			report.Item{Image: report.ImageURL(data.Train.Image(i), h, w), Caption: data.Train.Classes[data.Train.Labels[i]]},
			report.Item{Image: report.ImageURL(plain.Train.Image(i), h, w), Caption: "labelled " + target, Mark: true})
	}
	p.Galleries = append(p.Galleries, samples, suspectGallery(d.Auto, 30))
	return p.Write(path)
}
