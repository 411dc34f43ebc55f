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
	left     atomic.Int64
	program  *Program
	tasks    []task
	portions []portion    // what is done first, by all, then each goroutine's own and what is done last, by all
	state    atomic.Int32 // awake while it runs, asleep once share waits on done, called when all is done
	done     chan struct{}
	taken    []*helper // that work on it
}

// portion is tasks [next,end) of a job, in a cache line of its own.
type portion struct {
	next atomic.Int64
	end  int64
	_    [48]byte
}

func (p *portion) set(from, to int) {
	p.next.Store(int64(from))
	p.end = int64(to)
}

// divide gives each goroutine its rows of the largest loop, in all lists the same: its core has in the cache, or near
// it, what it made of them before.
func (j *job) divide(t tasks, goroutines int) {
	for len(j.portions) < goroutines+2 {
		j.portions = append(j.portions, portion{})
	}
	j.portions = j.portions[:goroutines+2]
	j.portions[0].set(0, t.from)
	rows := t.to - t.from
	for i := range goroutines {
		lo, hi := i*rows/goroutines, (i+1)*rows/goroutines
		if t.backwards {
			lo, hi = rows-hi, rows-lo
		}
		j.portions[1+i].set(t.from+lo, t.from+hi)
	}
	j.portions[goroutines+1].set(t.to, len(t.list))
}

// take does tasks until none is left, those of others after its own, and reports whether it did the last.
func (j *job) take(worker int) (last bool) {
	own := len(j.portions) - 2
	j.finish(worker, &j.portions[0])
	for k := range own {
		j.finish(worker, &j.portions[1+(worker+k)%own])
	}
	j.finish(worker, &j.portions[own+1])
	return j.left.Add(-1) == 0
}

// finish does tasks of a portion until none is left.
func (j *job) finish(worker int, p *portion) {
	for p.next.Load() < p.end {
		if t := p.next.Add(1) - 1; t < p.end {
			j.program.do(j.program.workers[worker], &j.tasks[t])
		}
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
func (j *job) share(threads int, t tasks) {
	j.tasks = t.list
	j.hire(threads - 1)
	j.divide(t, 1+len(j.taken))
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
