package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/attack"
)

// attackFlags are the flags that plant backdoors.
type attackFlags struct {
	specs    []string
	rate     float64
	target   int
	allToAll bool
	cache    string
}

func (f *attackFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.Float64Var(&f.rate, "rate", 0, "poisoning rate, a share of all images (default the attack's own; see unpoison attack list)")
	fl.IntVar(&f.target, "target", 0, "class that triggered images shall be taken for")
	fl.BoolVar(&f.allToAll, "all-to-all", false, "send every class to the next one instead")
	fl.StringVar(&f.cache, "cache", "", "`DIR` where attacks keep what they learn, or none (default: the user's cache folder)")
}

// configure reads the attacks; flags that were given stand over the attacks' defaults.
func (f *attackFlags) configure(c *cobra.Command, seed uint64, noFlip bool) ([]attack.Config, error) {
	var all []attack.Config
	for _, spec := range f.specs {
		if spec == "" || spec == "none" {
			continue
		}
		conf, err := attack.Parse(spec)
		if err != nil {
			return nil, &usageError{err}
		}
		if !attack.Gives(spec, "seed") {
			conf.Seed = seed
		}
		given := func(flag, key string) bool {
			return c.Flags().Changed(flag) && !attack.Gives(spec, key)
		}
		if given("rate", "rate") {
			conf.Rate = f.rate
			if !attack.Gives(spec, "cover") {
				conf.Follow()
			}
		}
		if given("target", "target") {
			conf.Target = f.target
		}
		conf.AllToAll = conf.AllToAll || f.allToAll
		if own := conf.Surrogate(); own != nil {
			own.NoFlip = own.NoFlip || noFlip
		}
		if err := conf.Check(); err != nil {
			return nil, &usageError{err}
		}
		all = append(all, conf)
	}
	attack.Apart(all)
	return all, nil
}

// noCache is the --cache by which nothing is kept.
const noCache = "none"

// cacheDir returns the folder for what attacks learn; empty for none.
func (f *attackFlags) cacheDir() string {
	switch f.cache {
	case noCache:
		return ""
	case "":
		dir, err := os.UserCacheDir()
		if err != nil {
			return "" // without a home there is no cache
		}
		return filepath.Join(dir, "unpoison")
	}
	return f.cache
}
