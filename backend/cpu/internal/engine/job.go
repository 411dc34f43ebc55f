package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// job is a loop over tasks that several goroutines share. It is reused from loop to loop.
type job struct {
	next, left atomic.Int64
	tasks      int
	state      atomic.Int32 // awake while it runs, asleep once share waits on done, called when all is done
	done       chan struct{}

	// What a task is: chunk of a stage, or a part of joining a step's sums.
	program   *Program
	stage     *stage
	backwards bool
	join      *step
	shares    int

	taken []*helper // that work on it
}

func (j *job) run(w, task int) {
	if j.join == nil {
		if j.backwards {
			task = j.tasks - 1 - task
		}
		j.program.chunk(j.stage, j.program.workers[w], task)
		return
	}
	n := j.join.node.red.split
	j.program.joinParts(j.stage, j.join, task*n/j.shares, (task+1)*n/j.shares)
}

// take does tasks until none is left and reports whether it did the last.
func (j *job) take(worker int) (last bool) {
	for {
		t := int(j.next.Add(1)) - 1
		if t >= j.tasks {
			return j.left.Add(-1) == 0
		}
		j.run(worker, t)
	}
}

// helpers are the goroutines that share jobs, for all programs: as many as the processor has cores beside the callers'.
var helpers struct {
	sync.Mutex
	free  []*helper
	count int
}

// helper waits for the next job: for a moment awake, since a step's loops follow each other within
// microseconds and waking a goroutine takes longer, then asleep.
type helper struct {
	state  atomic.Int32
	wake   chan struct{}
	job    *job
	worker int
}

const (
	awake int32 = iota
	asleep
	called
)

// spins is how often a helper looks for work, and share for the end of it, before falling asleep: some 50 µs.
const spins = 1 << 14

// share runs the job's tasks on this goroutine and up to threads-1 helpers, fewer where other programs have them.
// Which of them does which task is left to chance; results may not depend on it.
func (j *job) share(threads, tasks int) {
	j.tasks = tasks
	j.next.Store(0)
	j.hire(threads - 1)
	j.left.Store(int64(1 + len(j.taken)))
	j.state.Store(awake)
	for i, h := range j.taken {
		h.job, h.worker = j, i+1
		if h.state.Swap(called) == asleep {
			h.wake <- struct{}{}
		}
	}
	if last := j.take(0); !last {
		j.wait()
	}
	j.dismiss()
}

// wait returns when all tasks are done.
func (j *job) wait() {
	for range spins {
		if j.state.Load() == called {
			return
		}
	}
	if j.state.CompareAndSwap(awake, asleep) {
		<-j.done
	}
}

// hire takes up to n helpers that are free, or may still be made.
func (j *job) hire(n int) {
	j.taken = j.taken[:0]
	helpers.Lock()
	defer helpers.Unlock()
	most := runtime.GOMAXPROCS(0) - 1
	for ; n > 0; n-- {
		if k := len(helpers.free); k > 0 {
			j.taken, helpers.free = append(j.taken, helpers.free[k-1]), helpers.free[:k-1]
			continue
		}
		if helpers.count >= most {
			return
		}
		helpers.count++
		h := &helper{wake: make(chan struct{}, 1)}
		go h.loop()
		j.taken = append(j.taken, h)
	}
}

func (j *job) dismiss() {
	helpers.Lock()
	defer helpers.Unlock()
	helpers.free = append(helpers.free, j.taken...)
}

func (h *helper) loop() {
	for {
		for i := 0; h.state.Load() != called; i++ {
			if i >= spins && h.state.CompareAndSwap(awake, asleep) {
				<-h.wake
				break
			}
		}
		j, worker := h.job, h.worker
		h.job = nil // a program that nobody needs must not hang on its last helper
		h.state.Store(awake)
		if j.take(worker) && j.state.Swap(called) == asleep {
			j.done <- struct{}{}
		}
	}
}
