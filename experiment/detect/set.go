// Package detect measures published detectors (see the package detect above) and this program's own audit on one list of data
// sets: poisoned ones by attack and rate, clean ones of many families. What is expensive is made once and shared by all of them.
package detect

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/attack"
)

//go:embed sets.csv
var setsTable string

//go:embed families.csv
var familiesTable string

// A set is for choosing limits by, or only for reporting: sets of one family, or of one attack, teach each other, so that the
// split is by these.
const (
	Choosing  = "choosing"
	Reporting = "reporting"
)

// Set is a line of sets.csv: how a data set is made.
type Set struct {
	Name    string `json:"name"`
	Family  string `json:"family"` // source of the images; see Family
	Size    int    `json:"size"`   // height and width in pixels
	Classes int    `json:"classes,omitempty"`
	Images  int    `json:"images,omitempty"` // for training, at most; 0: all
	Vary    string `json:"vary,omitempty"`   // settings of Variation
	Attack  string `json:"attack,omitempty"` // NAME or NAME:key=value; empty: the set is clean
	Rate    string `json:"rate,omitempty"`   // share of all images, 0 to 1; empty: the attack's default
	Cover   string `json:"cover,omitempty"`  // likewise
	Labels  string `json:"labels,omitempty"` // of labelKinds
	Seed    uint64 `json:"seed"`
	Role    string `json:"role"` // Choosing or Reporting
}

// labelKinds are the ways to label what is planted, with the attack's setting for it.
var labelKinds = map[string]string{"one": "", "three": "targets=3", "all-to-all": "all_to_all=true", "random": "random_labels=true"}

// Family is a line of families.csv: a kind of images and where it is from.
type Family struct {
	Name, What, From, Layout, Licence string
	Images                            int
}

// Sets returns the table of sets, in the order in which they are best run.
func Sets() ([]Set, error) {
	rows, err := table("sets.csv", setsTable, 12)
	if err != nil {
		return nil, err
	}
	var all []Set
	for _, r := range rows {
		s := Set{Name: r[0], Family: r[1], Vary: r[5], Attack: r[6], Rate: r[7], Cover: r[8], Labels: r[9], Role: r[11]}
		if err := numbers(r, map[int]*int{2: &s.Size, 3: &s.Classes, 4: &s.Images}); err != nil {
			return nil, fmt.Errorf("sets.csv, %s: %w", s.Name, err)
		}
		if s.Seed, err = strconv.ParseUint(r[10], 10, 64); err != nil {
			return nil, fmt.Errorf("sets.csv, %s: %w", s.Name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// Families returns the table of families.
func Families() ([]Family, error) {
	rows, err := table("families.csv", familiesTable, 6)
	if err != nil {
		return nil, err
	}
	var all []Family
	for _, r := range rows {
		f := Family{Name: r[0], What: r[1], From: r[2], Layout: r[3], Licence: r[5]}
		if err := numbers(r, map[int]*int{4: &f.Images}); err != nil {
			return nil, fmt.Errorf("families.csv, %s: %w", f.Name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// table reads a table's rows without its head.
func table(name, text string, columns int) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = columns
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows[1:], nil
}

func numbers(row []string, into map[int]*int) error {
	for k, to := range into {
		v, err := strconv.Atoi(row[k])
		if err != nil || v < 0 {
			return fmt.Errorf("column %d: expected a number from 0 on, found %q", k+1, row[k])
		}
		*to = v
	}
	return nil
}

// Poisoned reports whether anything is planted.
func (s *Set) Poisoned() bool { return s.Attack != "" }

// Config returns the set's attack; the zero Config for a clean set.
func (s *Set) Config() (attack.Config, error) {
	if !s.Poisoned() {
		return attack.Config{}, nil
	}
	kind, ok := labelKinds[s.Labels]
	if !ok {
		return attack.Config{}, fmt.Errorf("no way %q to label what is planted", s.Labels)
	}
	name, list, _ := strings.Cut(s.Attack, ":")
	var given []string
	for _, item := range []string{list, setting("rate", s.Rate), setting("cover", s.Cover), kind} {
		if item != "" {
			given = append(given, item)
		}
	}
	c, err := attack.Parse(name + ":" + strings.Join(given, ","))
	if err != nil {
		return c, err
	}
	c.Seed = s.Seed
	return c, c.Check()
}

// share is how much of the set is planted, 0 to 1; 0 for a clean set.
func (s *Set) share() float64 {
	c, err := s.Config()
	if err != nil {
		return 0
	}
	return c.Rate
}

func setting(key, value string) string {
	if value == "" {
		return ""
	}
	return key + "=" + value
}

// check reports what is wrong with a set, as far as that can be told without data.
func (s *Set) check(families []Family) error {
	if !slices.ContainsFunc(families, func(f Family) bool { return f.Name == s.Family }) {
		return fmt.Errorf("no family %q", s.Family)
	}
	if s.Role != Choosing && s.Role != Reporting {
		return fmt.Errorf("role %q, expected %s or %s", s.Role, Choosing, Reporting)
	}
	if s.Poisoned() && s.Vary != "" {
		return errors.New("an attack on varied data")
	}
	_, err := s.variation()
	return err
}
