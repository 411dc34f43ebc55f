package stat_test

import (
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

func TestClustersPartHeaps(t *testing.T) {
	const heaps, k = 4, 16
	r := rng.Stream(1, "heaps")
	var rows [][]float64
	heap := make([]int, 200)
	for i := range heap {
		heap[i] = r.IntN(heaps)
		rows = append(rows, []float64{10*float64(heap[i]&1) + r.NormFloat64(), 10*float64(heap[i]>>1) + r.NormFloat64()})
	}
	of := map[int]int{} // each cluster's heap
	for i, m := range stat.Clusters(rows, k, rng.Stream(1, "clusters")) {
		if m < 0 || m >= k {
			t.Fatalf("cluster %d of %d", m, k)
		}
		if h, ok := of[m]; ok && h != heap[i] {
			t.Fatalf("cluster %d has rows of heaps %d and %d", m, h, heap[i])
		}
		of[m] = heap[i]
	}
	if len(of) < k/2 {
		t.Errorf("%d rows are in %d clusters of %d", len(rows), len(of), k)
	}
}

func TestClustersOfFewRows(t *testing.T) {
	if in := stat.Clusters(nil, 3, rng.Stream(1, "clusters")); len(in) != 0 {
		t.Errorf("no rows are in clusters %v", in)
	}
	same := [][]float64{{1, 2}, {1, 2}, {1, 2}}
	for i, m := range stat.Clusters(same, 3, rng.Stream(1, "clusters")) {
		if m != 0 {
			t.Errorf("row %d, the same as the others, is in cluster %d", i, m)
		}
	}
}
