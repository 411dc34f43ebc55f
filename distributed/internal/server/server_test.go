package server

import (
	"os"
	"path/filepath"
	"testing"
)

// A program that was killed while it made the tables leaves nothing that the next one trips over.
func TestTablesAreAllThereOrNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.db")
	// The tables are made beside the file: what a killed program left there is no database.
	if err := os.WriteFile(file+".partial", []byte("half of a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := prepare(file, tables(file, "wal"), "default"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(file + ".partial"); !os.IsNotExist(err) {
		t.Errorf("left beside the file: %v", err)
	}
	// While tables are made, there is no file of that name: what can't be made leaves none.
	other := filepath.Join(t.TempDir(), "other.db")
	if err := os.MkdirAll(filepath.Join(other+".partial", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := prepare(other, tables(other, "wal"), "default"); err == nil {
		t.Error("tables were made in place")
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("a file without its tables: %v", err)
	}
}
