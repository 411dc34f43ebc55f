package stat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/unpoison/unpoison/rng"
)

// A linear classifier on features of images that somebody else's network made: softmax regression (Hastie, Tibshirani and
// Friedman, The Elements of Statistical Learning, section 4.4), on standardised features, with the L2 penalty
// ½·Ridge·Σw² beside the mean cross-entropy. It is cross-fitted: each image is judged by the classifier that was fitted to
// the half of the images which it is not in.

// Linear says how such a classifier is fitted. The zero value is the default.
type Linear struct {
	Ridge  float64 // of the penalty; 0: 1e-4
	Epochs int     // of stochastic gradient descent; 0: 12, more for few rows
	Seed   uint64  // of the halves and the order
}

const (
	linearBatch = 256  // rows a step
	linearLeast = 400  // steps
	linearRate  = 0.5  // the highest learning rate for rows of length 1
	linearShard = 32   // rows that one worker sums; a step's shards are added in their order
	leastSpread = 1e-6 // of a feature, as a share of the largest spread: what varies less says nothing
)

// CrossFitted returns the log-probabilities [rows, classes] of the classes, each row's by the classifier that never saw it.
// at(i) returns row i of width features and may be called by several at a time; its result is only read. A label of −1
// is no label, and neither is a row that at returns nil for: no classifier is fitted to such rows, and they get NaN where there are
// no features. Labels are from 0 to classes−1. The result depends on the data and the seed alone, not on how many
// processors there are.
func (l Linear) CrossFitted(ctx context.Context, rows, width, classes int, at func(i int) []float32, labels []int32) ([]float32, error) {
	if len(labels) != rows || width < 1 || classes < 2 {
		return nil, fmt.Errorf("%d labels for %d rows of %d features, %d classes", len(labels), rows, width, classes)
	}
	if err := checkRows(rows, width, at); err != nil {
		return nil, err
	}
	fold := make([]uint8, rows)
	for k, i := range rng.Shuffle(l.Seed, "linear folds", rows) {
		fold[i] = uint8(k % 2)
	}
	out := make([]float32, rows*classes)
	for f := range uint8(2) {
		var fit []int
		for i := range rows {
			if fold[i] != f && labels[i] >= 0 && at(i) != nil {
				fit = append(fit, i)
			}
		}
		if len(fit) == 0 {
			return nil, errors.New("no rows to fit a linear classifier to")
		}
		c := &linear{Linear: l, width: width, classes: classes, at: at, labels: labels}
		if err := c.fit(ctx, fit, int(f)); err != nil {
			return nil, err
		}
		if err := c.judge(ctx, rows, func(i int) bool { return fold[i] == f }, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkRows refuses features that are not all of one width, or no numbers: no classifier of them is one.
func checkRows(rows, width int, at func(i int) []float32) error {
	for i := range rows {
		row := at(i)
		if row != nil && len(row) != width {
			return fmt.Errorf("features: image %d has %d, expected %d as the others, or none", i, len(row), width)
		}
		for _, v := range row {
			if v-v != 0 {
				return fmt.Errorf("features: image %d has %v, expected finite numbers", i, v)
			}
		}
	}
	return nil
}

// Shown is how often CrossFitted shows a classifier a row, of so many rows.
func (l Linear) Shown(rows int) int { return rows * l.epochs(max(1, rows/2)) }

// epochs are those of a fit to so many rows.
func (l Linear) epochs(rows int) int {
	batch := min(linearBatch, rows)
	perEpoch := (rows + batch - 1) / batch
	return cmp.Or(l.Epochs, max(12, (linearLeast+perEpoch-1)/perEpoch))
}

// linear is a classifier in the making.
type linear struct {
	Linear
	width, classes int
	at             func(i int) []float32
	labels         []int32

	mean, scale []float32 // of each feature: what is taken off, and what it is multiplied with
	weights     []float32 // [classes, width]
	bias        []float32
}

// parallel runs do for each of n parts, on all processors.
func parallel(n int, do func(k int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	together(workers, func(w int) {
		for k := w; k < n; k += workers {
			do(k)
		}
	})
}

// together runs do on so many goroutines. What one of them panics with, as where rows or images can't be read any more, it panics
// with: nobody else could recover.
func together(workers int, do func(worker int)) {
	var wg sync.WaitGroup
	panics := make([]any, workers)
	for w := range workers {
		wg.Go(func() {
			defer func() { panics[w] = recover() }()
			do(w)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// standardise finds the features' means and deviations over the rows; a row then is about of length 1.
func (c *linear) standardise(fit []int) {
	const part = 1024
	parts := (len(fit) + part - 1) / part
	sums := make([][]float64, parts)
	parallel(parts, func(k int) {
		s := make([]float64, 2*c.width)
		for _, i := range fit[k*part : min(len(fit), (k+1)*part)] {
			for j, v := range c.at(i) {
				s[j] += float64(v)
				s[c.width+j] += float64(v) * float64(v)
			}
		}
		sums[k] = s
	})
	total := make([]float64, 2*c.width)
	for _, s := range sums {
		for j, v := range s {
			total[j] += v
		}
	}
	c.mean, c.scale = make([]float32, c.width), make([]float32, c.width)
	n, largest := float64(len(fit)), 0.0
	deviations := make([]float64, c.width)
	for j := range deviations {
		m := total[j] / n
		deviations[j] = math.Sqrt(max(0, total[c.width+j]/n-m*m))
		c.mean[j], largest = float32(m), max(largest, deviations[j])
	}
	for j, d := range deviations {
		if d > leastSpread*largest {
			c.scale[j] = float32(1 / (d * math.Sqrt(float64(c.width))))
		}
	}
}

// row writes row i, standardised.
func (c *linear) row(dst []float32, i int) {
	for j, v := range c.at(i) {
		dst[j] = (v - c.mean[j]) * c.scale[j]
	}
}

// step is the work of one gradient step: shards of a batch, each with its own sums.
type linearStep struct {
	x    [][]float32 // per shard: rows, standardised
	grad [][]float32 // per shard: [classes, width+1]
}

// fit finds the weights by stochastic gradient descent with Nesterov's momentum and a learning rate that rises over a tenth of
// the steps and falls to zero along a line.
func (c *linear) fit(ctx context.Context, fit []int, fold int) error {
	c.standardise(fit)
	if c.Ridge == 0 {
		c.Ridge = 1e-4
	}
	batch := min(linearBatch, len(fit))
	perEpoch := (len(fit) + batch - 1) / batch
	epochs := c.epochs(len(fit))
	c.weights, c.bias = make([]float32, c.classes*c.width), make([]float32, c.classes)
	size := c.classes * (c.width + 1)
	momentum := make([]float32, size)
	shards := (batch + linearShard - 1) / linearShard
	s := linearStep{make([][]float32, shards), make([][]float32, shards)}
	for k := range shards {
		s.x[k], s.grad[k] = make([]float32, c.width), make([]float32, size)
	}
	steps, step := epochs*perEpoch, 0
	for epoch := range epochs {
		order := rng.Shuffle(c.Seed, "linear order", len(fit), fold, epoch)
		for from := 0; from < len(fit); from += batch {
			if err := ctx.Err(); err != nil {
				return err
			}
			rows := order[from:min(len(fit), from+batch)]
			c.gradient(&s, fit, rows)
			t := (float64(step) + 0.5) / float64(steps)
			rate := linearRate * float64(c.classes) * min(t/0.1, (1-t)/0.9)
			c.descend(&s, momentum, float32(rate), len(rows))
			step++
		}
	}
	return nil
}

// gradient sums the gradients of the rows' cross-entropies, shard by shard.
func (c *linear) gradient(s *linearStep, fit, rows []int) {
	parallel(len(s.x), func(k int) {
		g := s.grad[k]
		clear(g)
		if k*linearShard >= len(rows) {
			return
		}
		x := s.x[k]
		p := make([]float32, c.classes)
		for _, r := range rows[k*linearShard : min(len(rows), (k+1)*linearShard)] {
			i := fit[r]
			c.row(x, i)
			c.logits(p, x)
			logSoftmax(p)
			for class := range p {
				d := float32(math.Exp(float64(p[class])))
				if class == int(c.labels[i]) {
					d--
				}
				own := g[class*c.width : (class+1)*c.width : (class+1)*c.width]
				for j, v := range x {
					own[j] += d * v
				}
				g[c.classes*c.width+class] += d
			}
		}
	})
}

// descend adds the shards in their order and takes a step.
func (c *linear) descend(s *linearStep, momentum []float32, rate float32, rows int) {
	const keep = 0.9
	total := s.grad[0]
	for _, g := range s.grad[1:] {
		for j, v := range g {
			total[j] += v
		}
	}
	share, ridge := 1/float32(rows), float32(c.Ridge)
	update := func(w []float32, at int) {
		for j := range w {
			d := total[at+j]*share + ridge*w[j]
			m := keep*momentum[at+j] + d
			momentum[at+j] = m
			w[j] -= rate * (1 - keep) * (d + keep*m)
		}
	}
	update(c.weights, 0)
	ridge = 0 // the bias is free
	update(c.bias, len(c.weights))
}

// logits are those of a standardised row.
func (c *linear) logits(z, x []float32) {
	for class := range z {
		z[class] = c.bias[class] + dot(c.weights[class*c.width:(class+1)*c.width], x)
	}
}

// dot is the inner product, summed in four interleaved parts.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	j := 0
	for ; j+4 <= len(a) && j+4 <= len(b); j += 4 {
		x, y := a[j:j+4:j+4], b[j:j+4:j+4]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
	}
	for ; j < len(a); j++ {
		s0 += a[j] * b[j]
	}
	return (s0 + s1) + (s2 + s3)
}

// logSoftmax turns logits into log-probabilities.
func logSoftmax(z []float32) {
	most := z[0]
	for _, v := range z[1:] {
		most = max(most, v)
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(float64(v - most))
	}
	norm := most + float32(math.Log(sum))
	for k := range z {
		z[k] -= norm
	}
}

// judge writes the log-probabilities of some rows.
func (c *linear) judge(ctx context.Context, rows int, of func(i int) bool, out []float32) error {
	const part = 512
	parallel((rows+part-1)/part, func(k int) {
		if ctx.Err() != nil {
			return
		}
		x := make([]float32, c.width)
		for i := k * part; i < min(rows, (k+1)*part); i++ {
			if !of(i) {
				continue
			}
			z := out[i*c.classes : (i+1)*c.classes]
			if c.at(i) == nil {
				for class := range z {
					z[class] = float32(math.NaN())
				}
				continue
			}
			c.row(x, i)
			c.logits(z, x)
			logSoftmax(z)
		}
	})
	return ctx.Err()
}
