package cli

import (
	"os"
	"path/filepath"
	"strings"

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
	fl.IntVar(&f.target, "target", 0, "target class, as a number from 0")
	fl.BoolVar(&f.allToAll, "all-to-all", false, "relabel every class as the next one, instead of one target class")
	fl.StringVar(&f.cache, "cache", "", "`DIR` where attacks keep the networks they train, or none (default: the user's cache folder)")
}

// plants tells whether a text names an attack.
func plants(spec string) bool { return spec != "" && spec != "none" }

// configure reads the attacks; flags that were given stand over the attacks' defaults, and have to mean something to one of them.
func (f *attackFlags) configure(c *cobra.Command, seed uint64, noFlip bool) ([]attack.Config, error) {
	var all []attack.Config
	used := map[string]bool{}
	for _, spec := range f.specs {
		if !plants(spec) {
			continue
		}
		conf, err := attack.Parse(spec)
		if err == nil {
			err = conf.Unused(spec)
		}
		if err != nil {
			return nil, &usageError{err}
		}
		if !attack.Gives(spec, "seed") {
			conf.Seed = seed
		}
		given := func(flag, key string) bool {
			is := c.Flags().Changed(flag) && !attack.Gives(spec, key)
			used[flag] = used[flag] || is
			return is
		}
		if given("rate", "rate") {
			conf.Rate = f.rate
			if !attack.Gives(spec, "cover") {
				conf.Follow()
			}
		}
		if given("all-to-all", "all_to_all") {
			if conf.AllToAll = f.allToAll; f.allToAll && attack.Gives(spec, "target") {
				return nil, usagef("--all-to-all has no target, and %s says one", spec)
			}
		}
		if !conf.AllToAll && !conf.RandomLabels && given("target", "target") {
			conf.Target = f.target
		}
		if own := conf.Surrogate(); own != nil {
			own.NoFlip = own.NoFlip || noFlip
		}
		if err := conf.Check(); err != nil {
			return nil, &usageError{err}
		}
		all = append(all, conf)
	}
	if err := attack.Apart(all); err != nil {
		return nil, &usageError{err}
	}
	return all, f.unused(c, used, len(all))
}

// unused refuses flags that no attack takes: its own text says the setting, or another setting leaves it without a meaning.
func (f *attackFlags) unused(c *cobra.Command, used map[string]bool, attacks int) error {
	for _, name := range []string{"rate", "all-to-all", "target"} {
		switch {
		case attacks == 0 || !c.Flags().Changed(name) || used[name]:
		case name == "target":
			return usagef("--target: no attack takes it, as %s says its own, or sends images to all classes", strings.Join(f.specs, " "))
		default:
			return usagef("--%s: no attack takes it, as %s says its own; give one of the two", name, strings.Join(f.specs, " "))
		}
	}
	return nil
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
