package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// open makes the folder ready, locks it and refuses to overwrite a run.
func (s *Spec) open() (unlock func(), err error) {
	if err := s.Data.Train.Several("training images", rng.Iota(s.Data.Train.Len())); err != nil {
		return nil, fmt.Errorf("data %s: %w", s.Data.Path, err)
	}
	if err := os.MkdirAll(s.Folder, 0o777); err != nil {
		return nil, err
	}
	if unlock, err = atomicfile.Lock(s.Folder); err != nil {
		return nil, fmt.Errorf("%s: %w; choose another --out or wait until it ends", s.Folder, err)
	}
	if err := s.ready(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (s *Spec) ready() error {
	if err := atomicfile.Clean(s.Folder); err != nil || s.Replace {
		return err
	}
	there := func(f string) bool {
		_, err := os.Stat(filepath.Join(s.Folder, f))
		return err == nil
	}
	if s.Resume && there(train.ProgressFile) {
		return nil
	}
	for _, f := range []string{ResultFile, ModelFile, train.ProgressFile, SuspectsFile, OddFile, NewSuspectsFile, ReportFile} {
		switch {
		case !there(f):
		case s.Resume:
			return fmt.Errorf("%s holds %s and no %s to go on from; choose another --out", s.Folder, f, train.ProgressFile)
		default:
			return fmt.Errorf("%s holds a run already (%s); choose another --out, or continue it with --resume", s.Folder, f)
		}
	}
	if s.Resume && s.Watch != nil {
		s.Watch(Event{Event: "note", Text: "nothing to go on from in " + s.Folder + ": the run starts anew"})
	}
	return nil
}

// store writes the run's files; result.json comes last and marks it as finished.
func (s *Spec) store(out *Outcome, res *Result) error {
	t := out.Trained
	if !s.Audit {
		info := checkpoint.Info{
			Arch: t.Network.Arch, Classes: out.Train.Classes, Height: out.Train.Height, Width: out.Train.Width, Depth: s.Data.Depth, Version: version.Number,
		}
		if err := checkpoint.Save(filepath.Join(s.Folder, ModelFile), t.Model, info); err != nil {
			return err
		}
	}
	if len(t.Suspects) > 0 {
		if err := WriteSuspects(filepath.Join(s.Folder, SuspectsFile), out.Train, t.Suspects, out.Verdict != nil); err != nil {
			return err
		}
	}
	if len(out.Odd) > 0 {
		if err := writeOdd(filepath.Join(s.Folder, OddFile), out.Train, out.Odd); err != nil {
			return err
		}
	}
	if s.Baseline != nil {
		res.Baseline = s.Baseline.compare(out.Train, t.Suspects)
		if err := res.Baseline.write(s.Folder, out.Train); err != nil {
			return err
		}
	}
	if err := s.removeStale(out); err != nil {
		return err
	}
	if err := Page(s.Folder, out); err != nil {
		return err
	}
	return res.write(s.Folder)
}

// removeStale removes the lists that a run which was resumed had made, and has no more: with another baseline, or of another version.
func (s *Spec) removeStale(out *Outcome) error {
	for file, made := range map[string]bool{SuspectsFile: len(out.Trained.Suspects) > 0, OddFile: len(out.Odd) > 0, NewSuspectsFile: s.Baseline != nil} {
		if made || !s.Resume {
			continue
		}
		if err := os.Remove(filepath.Join(s.Folder, file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
