package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// killAfter runs a command and kills it at a random moment of the time that it takes. It reports whether it was still running. If it
// was not, and is a fresh one, took becomes what it took now: other work on the machine has ended.
func killAfter(t *testing.T, c *exec.Cmd, fresh bool, took *time.Duration, r *rand.Rand) bool {
	t.Helper()
	start := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait() // it is killed, or has finished
		close(ended)
	}()
	select {
	case <-time.After(time.Duration(r.Int64N(int64(*took)))):
		_ = c.Process.Kill() // it may have finished
		<-ended
	case <-ended:
	}
	if fresh && c.ProcessState.Exited() {
		*took = max(time.Millisecond, min(*took, time.Since(start)))
	}
	return !c.ProcessState.Exited()
}

// traced are the system calls that change what is on the disk, or come right before.
const traced = "openat,write,pwrite64,ftruncate,fsync,fdatasync,close,mkdirat,renameat,renameat2,linkat,symlinkat,unlinkat,fchmod,fchmodat,flock,copy_file_range"

// systemCall is one that a command makes, and how often its busiest thread does.
type systemCall struct {
	name  string
	count int
}

// systemCalls runs a command under strace and returns the calls that it makes; none if strace is not there.
func systemCalls(t *testing.T, c *exec.Cmd) (calls []systemCall) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	if text, err := under(c, "-o", log, "-e", "trace="+traced).CombinedOutput(); err != nil {
		t.Logf("kills at system calls are left out: %v: %s", err, text)
		return nil
	}
	raw := testfile.Read(t, log)
	counts := map[string]int{} // by thread and call
	most := map[string]int{}
	for line := range bytes.Lines(raw) {
		thread, rest, _ := strings.Cut(string(line), " ")
		name, _, ok := strings.Cut(strings.TrimSpace(rest), "(")
		if !ok || !slices.Contains(strings.Split(traced, ","), name) {
			continue
		}
		counts[thread+name]++
		most[name] = max(most[name], counts[thread+name])
	}
	for name := range strings.SplitSeq(traced, ",") {
		if most[name] > 0 {
			calls = append(calls, systemCall{name, most[name]})
		}
	}
	return calls
}

// killAt runs a command until a thread of it makes a system call for the nth time, n drawn at random. It reports whether
// one did.
func killAt(t *testing.T, c *exec.Cmd, call systemCall, r *rand.Rand) bool {
	t.Helper()
	s := under(c, "-o", os.DevNull, "-e", "trace="+call.name, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call.name, 1+r.IntN(call.count)))
	_ = s.Run() // it ends as the command does
	return !s.ProcessState.Exited()
}

func under(c *exec.Cmd, options ...string) *exec.Cmd {
	s := exec.Command("strace", append(append(append([]string{"-f", "--seccomp-bpf", "-qq"}, options...), "--"), c.Args...)...)
	s.Env = c.Env
	return s
}
