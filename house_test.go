package unpoison

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mostLines are the longest file and the longest function that can still be read at once.
const mostLines, mostFunction = 400, 80

// engine is where the compiler and the kernels lie, whose tables and unrolled loops are long.
const engine = "backend/cpu/internal/"

// Files and functions are short, tests too; generated ones aside, and the engine's.
func TestFilesAndFunctionsAreShort(t *testing.T) {
	each(t, func(file string, source []byte) {
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, file, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(file, engine) || ast.IsGenerated(f) {
			return
		}
		if n := bytes.Count(source, []byte("\n")); n > mostLines {
			t.Errorf("%s has %d lines, expected at most %d", file, n, mostLines)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.FuncDecl, *ast.FuncLit:
				from, to := files.Position(n.Pos()), files.Position(n.End())
				if lines := to.Line - from.Line + 1; lines > mostFunction {
					t.Errorf("%s: a function of %d lines, expected at most %d", from, lines, mostFunction)
				}
			}
			return true
		})
	})
}

// No package has a variable that others could write to. What says that something failed is one: errors are compared by it.
func TestNoVariableIsExported(t *testing.T) {
	each(t, func(file string, source []byte) {
		if strings.HasPrefix(file, engine) || strings.HasSuffix(file, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					if name.IsExported() && !strings.HasPrefix(name.Name, "Err") {
						t.Errorf("%s: the variable %s is exported; make it a function", file, name)
					}
				}
			}
		}
	})
}

// each reads every Go file of the repository, other modules' too.
func each(t *testing.T, do func(file string, source []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && file != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		source, err := os.ReadFile(file)
		if err == nil {
			do(filepath.ToSlash(file), source)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
