// Package cli is the command line. Each command is a file, which turns flags into typed options and nothing else.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/gomlx/gomlx/backends"
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	words "github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFindings    = 3
	exitInterrupted = 130
)

// findingsError makes audit exit with 3.
type findingsError struct{ text string }

func (e *findingsError) Error() string { return e.text }

// usageError is a wrong flag or argument.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// mostThreads bounds --threads: more than any machine has, and each takes memory.
const mostThreads = 1024

// app is what commands share.
type app struct {
	out, err io.Writer
	file     io.Writer // standard output for files, whose bytes stay as they are; nil: out
	args     []string
	json     bool
	threads  int
	engine   string
}

func (a *app) backend() (backends.Backend, error) { return engines.New(a.engine, 0) }

// Main runs the command line and returns the exit code.
func Main(args []string) int {
	debug.SetGCPercent(leanPercent)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // what reads the output may end: writing to it fails then, and the state is saved
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\n"+stopping(args)+"; press again to stop at once")
		cancel()
		for s := range signals {
			if s != syscall.SIGHUP { // a terminal that is closed may send several
				os.Exit(exitInterrupted)
			}
		}
	}()
	a := &app{out: printable.Writer(os.Stdout), err: printable.Writer(os.Stderr), args: args}
	if st, err := os.Stdout.Stat(); err == nil && st.Mode()&os.ModeCharDevice == 0 { // no terminal
		a.file = os.Stdout
	}
	return a.run(ctx)
}

func (a *app) run(ctx context.Context) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &checkedWriter{Writer: a.out, gone: cancel}
	a.out = out
	code := a.execute(ctx)
	if errors.Is(out.err, syscall.EPIPE) && code == exitDone {
		return exitInterrupted
	}
	if out.err != nil && code == exitDone {
		fmt.Fprintf(a.err, "unpoison: writing the results: %v\n", out.err)
		return exitFailed
	}
	return code
}

// checkedWriter remembers the first error of what is printed without looking.
type checkedWriter struct {
	io.Writer
	gone func() // is called when what reads it has ended: nobody wants the rest
	err  error
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil && w.err == nil {
		w.err = err
	}
	if errors.Is(err, syscall.EPIPE) {
		w.gone()
	}
	return n, err
}

func (a *app) execute(ctx context.Context) int {
	root := a.root()
	root.SetArgs(a.args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	c, err := executed(ctx, root)
	var usage *usageError
	var findings *findingsError
	var classes *attack.ClassesError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &findings):
		fmt.Fprintln(a.err, findings.text)
		return exitFindings
	case errors.Is(err, syscall.EPIPE): // nobody reads the result, which is the last that is done
		return exitInterrupted
	case ctx.Err() != nil:
		fmt.Fprintln(a.err, interrupted(c, err))
		return exitInterrupted
	case errors.As(err, &usage) || errors.As(err, &classes) || strings.HasPrefix(err.Error(), "unknown ") || strings.HasPrefix(err.Error(), "required flag"):
		fmt.Fprintf(a.err, "unpoison: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(a.err, "unpoison: %v\n", err)
	return exitFailed
}

// executed runs a command. A mapped file that is lost ends it with an error.
func executed(ctx context.Context, root *cobra.Command) (c *cobra.Command, err error) {
	defer dataset.Lost(&err)
	c = root
	return root.ExecuteContextC(ctx)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "unpoison",
		Short: "Train clean image classifiers on data that may be poisoned",
		Long: `unpoison trains image classifiers on data that you can't trust. A few planted
images with a trigger are enough to control a model. unpoison finds them, leaves
them out and trains on the rest, or makes the model unlearn them (Anti-Backdoor
Learning).`,
		Example: `  unpoison demo                              see it work in two minutes
  unpoison audit --data DIR --out audit      what is suspicious in this data?
  unpoison train --data DIR --out run        a clean model from it
  unpoison train --data cifar10:DIR --attack badnets --out run   an experiment`,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.json {
				return a.subcommand(c, nil)
			}
			_, err := fmt.Fprint(a.out, firstSteps)
			return err
		},
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(engines.Names(), a.engine) {
				return usagef("no engine %q; there are %v", a.engine, engines.Names())
			}
			if a.threads < 0 {
				return usagef("--threads %d, expected 1 or more", a.threads)
			}
			if a.threads > mostThreads {
				return usagef("--threads %d, expected up to %d", a.threads, mostThreads)
			}
			if a.threads > 0 {
				runtime.GOMAXPROCS(a.threads)
			}
			return checkOut(c)
		},
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print events as JSON lines on standard output, the result last")
	root.PersistentFlags().StringVar(&a.engine, "engine", "cpu", "compute engine: cpu, or xla if it is built in")
	root.PersistentFlags().IntVar(&a.threads, "threads", 0, "processor threads (default all)")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	for _, c := range []func() *cobra.Command{
		a.demo, a.audit, a.review, a.features, a.train, a.eval, a.predict, a.export, a.unlearn, a.repair, a.attack, a.experiment, a.data, a.bench, a.version,
	} {
		root.AddCommand(c())
	}
	for _, c := range root.Commands() {
		switch {
		case c.HasSubCommands() && c.RunE == nil:
			c.Args, c.RunE = cobra.ArbitraryArgs, a.subcommand
		case c.Args == nil && !c.HasSubCommands():
			c.Args = noArgs
		}
	}
	complete(root)
	return root
}

// calledAs is how this program was called, for commands that people paste: a build that lies in no folder of the PATH needs its own.
func calledAs() string {
	if name := os.Args[0]; filepath.Base(name) != name {
		return words.Quote(name)
	}
	return "unpoison"
}

// subcommand is what a command does that does nothing but for its own commands.
func (a *app) subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 && !a.json {
		return c.Help()
	}
	var names []string
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() {
			names = append(names, s.Name())
		}
	}
	if len(args) == 0 {
		return usagef("--json: %s by itself has no result; there are %s", c.CommandPath(), strings.Join(names, ", "))
	}
	return usagef("%s has no command %q; there are %s", c.CommandPath(), args[0], strings.Join(names, ", "))
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		if c.Flags().Lookup("data") != nil {
			return usagef("%s takes no argument, got %q: images are named by --data %s", c.CommandPath(), args[0], args[0])
		}
		return usagef("%s takes no argument, got %q", c.CommandPath(), args[0])
	}
	return nil
}
