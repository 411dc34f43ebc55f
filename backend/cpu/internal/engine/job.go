package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// task is chunks [lo,hi) of a stage or, with a step, [lo,hi) of the axis by which joining its sum is split.
type task struct {
	stage  *stage
	step   *step
	lo, hi int
}

// job is a list of tasks that several goroutines share. It is reused from list to list.
type job struct {
	next, left atomic.Int64
	program    *Program
	tasks      []task
	state      atomic.Int32 // awake while it runs, asleep once share waits on done, called when all is done
	done       chan struct{}
	taken      []*helper // that work on it
}

// take does tasks until none is left and reports whether it did the last.
func (j *job) take(worker int) (last bool) {
	for {
		t := int(j.next.Add(1)) - 1
		if t >= len(j.tasks) {
			return j.left.Add(-1) == 0
		}
		j.program.do(j.program.workers[worker], &j.tasks[t])
	}
}

// helpers are the goroutines that share jobs, for all programs: as many as the processor has cores beside the callers'.
var helpers struct {
	sync.Mutex
	free  []*helper
	count int
}

// helper waits for the next job: for a moment awake, since a step's levels follow each other within
// microseconds, then asleep.
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

// vigil is how long a helper looks for work, and share for the end of it, before falling asleep. To be woken takes
// some 100 µs on a virtual machine, and what a step does on one goroutine between its levels less than that.
const vigil = 500 * time.Microsecond

// isCalled reports whether the state became called within the vigil.
func isCalled(state *atomic.Int32) bool {
	var start time.Time
	for i := 0; ; i++ {
		if state.Load() == called {
			return true
		}
		switch {
		case i == 0:
			start = time.Now()
		case i%1024 == 0 && time.Since(start) > vigil:
			return false
		}
	}
}

// share does the tasks on this goroutine and up to threads-1 helpers, fewer where other programs have them.
// Which of them does which task is left to chance; results may not depend on it.
func (j *job) share(threads int, tasks []task) {
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
	if !isCalled(&j.state) && j.state.CompareAndSwap(awake, asleep) {
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
		if !isCalled(&h.state) && h.state.CompareAndSwap(awake, asleep) {
			<-h.wake
		}
		j, worker := h.job, h.worker
		h.job = nil // a program that nobody needs must not hang on its last helper
		h.state.Store(awake)
		if j.take(worker) && j.state.Swap(called) == asleep {
			j.done <- struct{}{}
		}
	}
}
