package look

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:generate go test -run TestLimitsAreDocumented -update

//go:embed limits.csv
var limitsFile string

// A Bound is a number that decides, and what it lies between.
type Bound struct {
	Look    string // whose rule it serves
	Name    string
	Value   float64
	Rule    string // what it is of
	Honest  string // the highest value of an honest set; of one that is not to be exceeded the lowest; empty where not measured
	Planted string // the lowest value of a planted one, or the highest
	SetOn   string
}

// Limits lists all numbers that decide.
func Limits() []Bound { return table() }

var table = sync.OnceValue(func() []Bound {
	rows, err := csv.NewReader(strings.NewReader(limitsFile)).ReadAll()
	if err != nil {
		panic(err) // part of the program
	}
	all := make([]Bound, 0, len(rows)-1)
	for _, r := range rows[1:] {
		v, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			panic(err)
		}
		all = append(all, Bound{r[0], r[1], v, r[3], r[4], r[5], r[6]})
	}
	return all
})

// Limit returns a number that decides. It panics where there is none of the name, when the program starts.
func Limit(look, name string) float64 {
	for _, b := range table() {
		if b.Look == look && b.Name == name {
			return b.Value
		}
	}
	panic(fmt.Sprintf("limits.csv has no %q of %s", name, look))
}
