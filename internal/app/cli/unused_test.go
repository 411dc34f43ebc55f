package cli

import (
	"strings"
	"testing"
)

// Flags that nothing would take are refused, before the data are read, and others are not.
func TestFlagsThatNothingTakes(t *testing.T) {
	for _, args := range [][]string{
		{"train", "--data", "x", "--out", "y", "--attack", "badnets:rate=0.1", "--attack", "sig:rate=0.05", "--rate", "0.2"},
		{"attack", "none", "--data", "x", "--out", "y"},
		{"attack", "badnets:rate=0.05", "--data", "x", "--out", "y", "--rate", "0.1"},
		{"attack", "badnets:target=1", "--data", "x", "--out", "y", "--target", "2"},
		{"attack", "badnets:seed=1", "--data", "x", "--out", "y", "--seed", "2"},
		{"attack", "badnets:all_to_all=false", "--data", "x", "--out", "y", "--all-to-all"},
		{"attack", "badnets:patch_size=2,patch_size=4", "--data", "x", "--out", "y"},
		{"attack", "badnets:patch-size=2,patch_size=4", "--data", "x", "--out", "y"},
		{"attack", "badnets", "--data", "x", "--out", "y", "--all-to-all", "--target", "3"},
		{"attack", "badnets:target=3", "--data", "x", "--out", "y", "--all-to-all"},
		{"attack", "badnets:random_labels=true", "--data", "x", "--out", "y", "--target", "3"},
		{"audit", "--data", "x", "--out", "y", "--features", "f.npy", "--features-column", "c"},
		{"audit", "--data", "x", "--out", "y", "--features", "f.npy", "--features-image", "c"},
		{"audit", "--data", "x", "--out", "y", "--learn", "10", "--content=false", "--epochs-inspect", "0"},
		{"audit", "--data", "x", "--out", "y", "--learn", "10", "--features", "f.npy", "--epochs-inspect", "0"},
		{"audit", "--data", "x", "--out", "y", "--spike", "--features", "f.npy"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--loss", "ce", "--gamma", "1"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--loss", "flooding", "--lga-sign", "sample"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--rank-by", "final", "--rank-epochs", "2"},
		{"train", "--data", "x", "--out", "y", "--recipe", "paper", "--rank-epochs", "2"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--unlearn", "none", "--tolerance", "0.1"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "ft-pretrained"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--unlearn", "split", "--refine"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--mode", "split", "--refine"},
		{"attack", "trojan:alpha=0.5", "--data", "x", "--out", "y"},
		{"attack", "trojan:mask=watermark,patch_size=8", "--data", "x", "--out", "y"},
		{"attack", "wanet:cover=0,noise=1", "--data", "x", "--out", "y"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--unlearn-steps", "5", "--epochs-unlearn", "1"},
		{"data", "--json"},
		{"experiment", "--json"},
		{"--json"},
	} {
		if code, _, errs := call(args...); code != exitUsage || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "unpoison: ") {
			t.Errorf("%v exits with %d: %s", args, code, errs)
		}
	}
	for _, args := range [][]string{ // what is taken: the data are missing
		{"train", "--data", "x", "--out", "y", "--attack", "none", "--rate", "0.2"}, // a control
		{"attack", "badnets", "--data", "x", "--out", "y", "--rate", "0.1", "--target", "3", "--seed", "2"},
		{"attack", "badnets:seed=1", "--data", "x", "--out", "y", "--seed", "2", "--limit", "20"},
		{"train", "--data", "x", "--out", "y", "--attack", "badnets:rate=0.1,target=1", "--attack", "blend", "--rate", "0.2", "--target", "3"},
		{"audit", "--data", "x", "--out", "y", "--features", "f.PARQUET", "--features-column", "c"},
		{"audit", "--data", "x", "--out", "y", "--learn", "10", "--content=false"},
		{"attack", "trojan:mask=watermark,alpha=0.5", "--data", "x", "--out", "y"},
		{"attack", "trojan:patch-size=8", "--data", "x", "--out", "y"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--rank-by", "mean", "--rank-epochs", "2"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--recipe", "paper", "--epochs-unlearn", "1", "--loss", "flooding", "--gamma", "1"},
	} {
		if code, _, errs := call(args...); code != exitFailed || !strings.Contains(errs, "there is no x.") {
			t.Errorf("%v exits with %d: %s", args, code, errs)
		}
	}
}
