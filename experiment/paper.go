package experiment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/repair"
)

// figures are a paper's ASR and CA in percent.
type pairOf struct{ asr, ca float64 }

// paperDefenses are the defences in the order of the paper's tables.
func paperDefenses() []string { return []string{"none", "fp", "mcr", "nad", "abl"} }

// published are the figures of Li et al. 2021, by data, attack and defence in paperDefenses' order.
var published = map[string]map[string][5]pairOf{
	"cifar10": {
		"none":    {{0, 89.12}, {0, 85.14}, {0, 87.49}, {0, 88.18}, {0, 88.41}},
		"badnets": {{100, 85.43}, {99.98, 82.14}, {3.32, 78.49}, {3.56, 82.18}, {3.04, 86.11}},
		"trojan":  {{100, 82.14}, {66.93, 80.17}, {23.88, 76.47}, {18.16, 80.23}, {3.81, 87.46}},
		"blend":   {{100, 84.51}, {85.62, 81.33}, {31.85, 76.53}, {4.56, 82.04}, {16.23, 84.06}},
		"dynamic": {{100, 83.88}, {87.18, 80.37}, {26.86, 70.36}, {22.50, 74.95}, {18.46, 85.34}},
		"sig":     {{99.46, 84.16}, {76.32, 81.12}, {0.14, 78.65}, {1.92, 82.01}, {0.09, 88.27}},
		"cl":      {{99.83, 83.43}, {54.95, 81.53}, {19.86, 77.36}, {16.11, 80.73}, {0, 89.03}},
		"fc":      {{88.52, 83.32}, {69.89, 80.51}, {44.43, 77.57}, {58.68, 81.23}, {0.08, 82.36}},
		"dfst":    {{99.76, 82.50}, {78.11, 80.23}, {39.22, 75.34}, {35.21, 78.40}, {5.33, 79.78}},
		"lba":     {{99.13, 81.37}, {54.43, 79.67}, {15.52, 78.51}, {10.16, 79.52}, {0.06, 80.52}},
		"cba":     {{90.63, 84.72}, {77.33, 79.15}, {38.76, 76.36}, {33.11, 82.40}, {29.81, 84.66}},
	},
	"gtsrb": {
		"none":    {{0, 97.87}, {0, 90.14}, {0, 95.49}, {0, 95.18}, {0, 96.41}},
		"badnets": {{100, 97.38}, {99.57, 88.61}, {1.00, 93.45}, {0.19, 89.52}, {0.03, 96.01}},
		"trojan":  {{99.80, 96.27}, {93.54, 84.22}, {2.76, 92.98}, {0.37, 90.02}, {0.36, 94.95}},
		"blend":   {{100, 95.97}, {99.50, 86.67}, {6.83, 92.91}, {8.10, 89.37}, {24.59, 93.14}},
		"dynamic": {{100, 97.27}, {99.84, 88.38}, {64.82, 43.91}, {68.71, 76.93}, {6.24, 95.80}},
		"sig":     {{97.13, 97.13}, {79.28, 90.50}, {33.98, 91.83}, {4.64, 89.36}, {5.13, 96.33}},
	},
	"photos": {
		"none":    {{0, 89.93}, {0, 83.14}, {0, 85.49}, {0, 88.18}, {0, 88.31}},
		"badnets": {{100, 84.41}, {97.70, 82.81}, {28.59, 78.52}, {6.32, 81.26}, {0.94, 87.76}},
		"trojan":  {{100, 85.56}, {96.39, 80.34}, {6.67, 76.87}, {15.48, 80.52}, {1.47, 88.19}},
		"blend":   {{99.93, 86.15}, {99.34, 81.33}, {19.23, 75.83}, {26.47, 82.39}, {21.42, 85.12}},
		"sig":     {{98.60, 86.02}, {78.82, 85.72}, {25.14, 78.87}, {5.15, 83.01}, {0.18, 86.42}},
	},
}

// publishedUnlearning are the figures of the unlearning methods on BadNets, CIFAR-10.
var publishedUnlearning = map[string]pairOf{
	"pixel-noise": {57.54, 82.33}, "grad-noise": {47.65, 82.62}, "label-shuffle": {30.23, 83.76}, "label-uniform": {75.12, 83.47},
	"label-smooth": {99.80, 83.17}, "self-learning": {21.26, 84.38}, "ft-all": {99.12, 83.64}, "ft-last": {22.33, 77.65},
	"ft-pretrained": {12.18, 75.10}, "retrain": {11.21, 86.02}, "abl": {3.04, 86.11},
}

// publishedRate are no defence's and ABL's at high poisoning rates, CIFAR-10.
var publishedRate = map[string]map[string]pairOf{
	"0.5": {
		"badnets": {4.98, 70.52}, "trojan": {16.11, 68.56}, "blend": {27.28, 64.19}, "dynamic": {25.74, 61.32},
	},
	"0.7": {
		"badnets": {5.02, 70.11}, "trojan": {29.29, 68.79}, "blend": {62.28, 64.43}, "dynamic": {69.36, 62.09},
	},
}

// publishedTurning are ABL's by turning epoch of 100, CIFAR-10.
var publishedTurning = map[int]map[string]pairOf{
	10: {"badnets": {1.12, 85.30}, "trojan": {5.04, 85.12}, "blend": {16.34, 84.22}, "dynamic": {25.33, 84.12}},
	20: {"badnets": {3.04, 86.11}, "trojan": {3.66, 87.46}, "blend": {16.23, 84.06}, "dynamic": {18.46, 85.34}},
	30: {"badnets": {3.22, 85.60}, "trojan": {3.81, 87.25}, "blend": {19.87, 83.83}, "dynamic": {20.56, 85.23}},
	40: {"badnets": {4.05, 84.28}, "trojan": {4.96, 85.14}, "blend": {18.78, 81.53}, "dynamic": {19.15, 83.44}},
}

// turningEpochs are the paper's turning epochs of 100.
func turningEpochs() []int { return []int{10, 20, 30, 40} }

// turningDefense scales one of the paper's turning epochs to the default recipe's 24, and to twice
// as many where there are fewer images, which take more epochs until a trigger is learnt.
func (g *Grid) turningDefense(paper int) string {
	epochs := paper / 5
	if g.Limit > 0 {
		epochs *= 2
	}
	return fmt.Sprintf("abl:isolate_epochs=%d", epochs)
}

// paper returns the published figures that belong to a cell, if there are any.
func (g *Grid) paper(c Cell) (pairOf, bool) {
	if g.Data == rendered || !slices.Contains(PaperNames(), g.Name) {
		return pairOf{}, false
	}
	name, list, _ := strings.Cut(c.Attack, ":")
	if method, ok := runs.Defense(c.Defense).Unlearns(); ok {
		f, ok := publishedUnlearning[method]
		return f, ok && name == "badnets" && list == ""
	}
	if rate, ok := strings.CutPrefix(list, "rate="); ok {
		f, ok := publishedRate[rate][name]
		return f, ok && c.Defense == string(runs.ABL)
	}
	if list != "" && g.Name != "gtsrb" {
		return pairOf{}, false
	}
	for _, paper := range turningEpochs() {
		if c.Defense == g.turningDefense(paper) {
			f, ok := publishedTurning[paper][name]
			return f, ok
		}
	}
	data := g.Name
	if data == "recipe" {
		data = "cifar10"
	}
	row, ok := published[data][name]
	i := slices.Index(paperDefenses(), c.Defense)
	if !ok || i < 0 {
		return pairOf{}, false
	}
	return row[i], true
}

// tenAttacks are the attacks in the order of the paper's tables.
func tenAttacks() []string {
	return []string{"badnets", "trojan", "blend", "dynamic", "sig", "cl", "fc", "dfst", "lba", "cba"}
}

// paperRecipe is the name of the recipe as published.
const paperRecipe = "paper"

// noContent is the setting of auto's with which nobody compares labels with what images show.
const noContent = "content=false"

// paperAndAuto are the paper's defences and auto beside them.
func paperAndAuto() []string { return append(paperDefenses(), string(runs.Auto)) }

// more are seeds beside the first, where one was given: so many for each of some defences.
func more(first uint64, seeds map[runs.Defense]int) map[string][]uint64 {
	out := map[string][]uint64{}
	for d, n := range seeds {
		for k := range n {
			out[string(d)] = append(out[string(d)], first+1+uint64(k))
		}
	}
	return out
}

// fourAttacks are those of its sweeps.
func fourAttacks() []string { return tenAttacks()[:4] }

// PaperNames lists the paper's experiments.
func PaperNames() []string {
	return []string{"curves", "cifar10", "gtsrb", "photos", "isolation-rate", "gamma", "turning-epoch", "poisoning-rate", "unlearning", "recipe"}
}

// Data names where the paper's data lie; an empty one renders road signs instead.
type Data struct {
	CIFAR10, GTSRB, Photos string
	Limit                  int // at most so many training images; 0: all
}

// Paper returns one of the paper's experiments. quick cuts it down to what shows that it works.
func Paper(name string, data Data, quick bool, seeds []uint64) (*Grid, error) {
	g := &Grid{Name: name, Data: data.CIFAR10, Limit: data.Limit, Model: "wrn-16-1", Seeds: seeds}
	one := len(seeds) == 1 && !quick
	switch name {
	case "curves":
		g.Title, g.Attacks, g.Defenses, g.Plots = "Loss of clean and poisoned images under nine attacks, no defence", tenAttacks()[:9], []string{"none"}, []string{"curves"}
		// As images are in isolation: crops would cut triggers off, and what is left carries a wrong label.
		g.Settings, g.Plain = "augment=false", "tune_epochs=20"
	case "cifar10":
		g.Title, g.Attacks, g.Defenses = "Ten attacks and six defences on CIFAR-10", append([]string{"none"}, tenAttacks()...), paperAndAuto()
		if one {
			g.SeedsFor = more(seeds[0], map[runs.Defense]int{runs.NoDefense: 2, runs.ABL: 2, runs.Auto: 2, "fp": 1, "mcr": 1, "nad": 1})
		}
	case "gtsrb":
		g.Title, g.Data = "Five attacks and six defences on GTSRB", data.GTSRB
		// SIG needs a class with images enough; it and Dynamic are as strong as docs/attacks.md found necessary there.
		g.Attacks = []string{"none", "badnets", "trojan", "blend", "dynamic:epochs=40,cover=0.02,density=0.06", "sig:target=1,rate=0.045,delta=40,delta_test=50"}
		g.Defenses = paperAndAuto()
		if one {
			g.SeedsFor = more(seeds[0], map[runs.Defense]int{runs.ABL: 1, runs.Auto: 1})
		}
	case "photos":
		// Some thousand photographs do not train ResNet-34 from scratch; at 64 px they train this one.
		g.Title, g.Data, g.Size = "Four attacks and six defences on photographs at 64 px", data.Photos, 64
		g.Attacks, g.Defenses = []string{"none", "badnets", "trojan", "blend", "sig"}, paperAndAuto()
		g.Settings = "tune_epochs=60"
	case "isolation-rate", "gamma", "turning-epoch", "poisoning-rate":
		g.sweep(name)
	case "unlearning":
		g.Title, g.Attacks, g.Defenses = "Unlearning methods on BadNets", []string{"badnets"}, []string{"none"}
		for _, m := range repair.UnlearnMethods() {
			g.Defenses = append(g.Defenses, string(runs.Unlearning(m.Name)))
		}
		g.Defenses = append(g.Defenses, string(runs.Unlearning(runs.UnlearnABL)))
		g.Pretrain = data.GTSRB
		if one {
			g.Seeds = []uint64{seeds[0], seeds[0] + 1}
		}
	case "recipe":
		g.Title, g.Recipe = "ABL with the recipe as published, 100 epochs", paperRecipe
		g.Attacks, g.Defenses = []string{"badnets", "blend", "sig"}, []string{"abl"}
	default:
		return nil, fmt.Errorf("no experiment %q; there are %s", name, strings.Join(PaperNames(), ", "))
	}
	if quick {
		g.cutDown()
	}
	if g.Data == "" {
		g.Data = rendered
	}
	return g, g.Check()
}

// sweep fills in one of the experiments that vary a setting.
func (g *Grid) sweep(name string) {
	switch name {
	case "isolation-rate":
		g.Title, g.Settings = "ABL by isolation rate, with 8 epochs of fine-tuning", "tune_epochs=8"
		g.Attacks, g.Plots = []string{"badnets", "blend"}, []string{"sweep"}
		for _, p := range []string{"0.001", "0.005", "0.01", "0.05", "0.1", "0.2"} {
			g.Defenses = append(g.Defenses, "abl:isolation="+p)
		}
	case "gamma":
		g.Title, g.Settings = "ABL by γ, with 8 epochs of fine-tuning", "tune_epochs=8"
		if g.Limit > 0 {
			g.Settings += ",isolate_most=8" // fewer images take more epochs until a trigger is learnt
		}
		g.Attacks, g.Plots = []string{"badnets"}, []string{"sweep", "curves", "separation"}
		for _, p := range []string{"0", "0.25", "0.5", "1", "1.5"} {
			g.Defenses = append(g.Defenses, "abl:gamma="+p)
		}
	case "turning-epoch":
		g.Title, g.Attacks, g.Plots = "ABL by turning epoch, the paper's 10, 20, 30 and 40 of 100 scaled to 24", fourAttacks(), []string{"sweep"}
		if g.Limit > 0 {
			g.Title, g.Settings = "ABL by turning epoch, the paper's 10, 20, 30 and 40 of 100 scaled to 48, ranked by the last 3, with 8 epochs of fine-tuning", "tune_epochs=8,rank_epochs=3"
		}
		for _, p := range turningEpochs() {
			g.Defenses = append(g.Defenses, g.turningDefense(p))
		}
	case "poisoning-rate":
		g.Title, g.Settings = "High poisoning rates, with 8 epochs of fine-tuning", "tune_epochs=8"
		g.Defenses = []string{"none", "abl", "auto"}
		for _, rate := range []string{"0.5", "0.7"} {
			for _, a := range fourAttacks() {
				g.Attacks = append(g.Attacks, a+":rate="+rate)
			}
		}
	}
}

// list joins seeds by commas.
func list(seeds []uint64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(seeds), " ", ","), "[]")
}

// PaperCommand returns the command line that repeats one of the paper's experiments.
func (g *Grid) PaperCommand() string { return g.namedCommand("paper") }

// namedCommand returns the command line that repeats an experiment of a set.
func (g *Grid) namedCommand(set string) string {
	command := "unpoison experiment " + set + " " + g.Name
	flag := map[string]string{"gtsrb": "--gtsrb", "photos": "--photos"}[g.Name]
	if g.Data != rendered {
		command += " " + cmp.Or(flag, "--data") + " " + g.Data
	}
	if g.Pretrain != "" {
		command += " --gtsrb " + g.Pretrain
	}
	if g.Quick {
		command += " --scale quick"
	} else if g.Limit > 0 {
		command += fmt.Sprintf(" --limit %d", g.Limit)
	}
	if !slices.Equal(g.Seeds, []uint64{0}) {
		command += " --seeds " + list(g.Seeds)
	}
	return command + " --out DIR"
}

// cutDown leaves every path of an experiment and little of its work.
func (g *Grid) cutDown() {
	g.Quick, g.Model = true, "small-cnn"
	if g.Data == "" || g.Data == rendered {
		g.Limit, g.Test = 300, 100
	} else {
		g.Limit, g.Test = 1000, 500
	}
	g.Clean = 0.3
	g.Settings = "batch=32,isolate_epochs=2,tune_epochs=2,unlearn_steps=20,isolation=0.03"
	for i, a := range g.Attacks {
		name, list, _ := strings.Cut(a, ":")
		short := map[string]string{
			"trojan": "epochs=1,steps=5", "lba": "epochs=1,steps=5", "cl": "epochs=1,steps=3", "fc": "epochs=1,steps=3",
			"dynamic": "epochs=1,steps=5", "dfst": "epochs=1,steps=8",
		}[name]
		kept := slices.DeleteFunc(strings.Split(list, ","), func(item string) bool { return attack.Gives(name+":"+short, settings.Key(item)) })
		if list = strings.Trim(strings.Join(append(kept, short), ","), ","); list != "" {
			g.Attacks[i] = name + ":" + list
		}
	}
	for i, d := range g.Defenses {
		switch name, list, _ := strings.Cut(d, ":"); {
		case strings.HasPrefix(d, "abl:isolate_epochs="): // the network above trains for fewer epochs than some would isolate
			g.Defenses[i] = fmt.Sprintf("abl:isolate_epochs=%d", 1+i%2)
		case name == "auto" && strings.Contains(list, "pixels=false"):
			g.Defenses[i] = "auto:" + list + ",content_epochs=1"
		case name == "auto" && !strings.Contains(list, noContent): // what looks at content trains as long on few images
			g.Defenses[i] = "auto:" + strings.Trim(list+","+noContent, ",")
		}
	}
	var once []string
	for _, d := range g.Defenses {
		if !slices.Contains(once, d) {
			once = append(once, d)
		}
	}
	g.Defenses = once
}
