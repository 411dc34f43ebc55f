package cli

import (
	"encoding/json"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unpoison/unpoison/internal/base/version"
)

func TestVersionNamesItsBuild(t *testing.T) {
	_, out, _ := call("version")
	if !strings.HasPrefix(out, "unpoison "+version.Number+"\ncommit ") || !strings.Contains(out, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH) {
		t.Errorf("it says %q", out)
	}
	_, out, _ = call("version", "--json")
	var b version.Build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b != version.Current() {
		t.Errorf("%s is %+v, %v", out, b, err)
	}
}

// Without arguments three commands are shown, each of which there is with the flags that it shows.
func TestFirstSteps(t *testing.T) {
	code, out, errs := call()
	if code != exitDone || errs != "" || out != firstSteps {
		t.Fatalf("%d: %q, %q", code, out, errs)
	}
	commands := regexp.MustCompile(`(?m)^  unpoison (.+)$`).FindAllStringSubmatch(out, -1)
	if len(commands) != 3 {
		t.Errorf("%d commands to try: %q", len(commands), commands)
	}
	for _, c := range commands {
		words := strings.Fields(c[1])
		found, rest, err := Command().Find(words)
		if err != nil || found.Name() != words[0] {
			t.Errorf("%v: %v", words, err)
			continue
		}
		if err := found.ParseFlags(rest); err != nil {
			t.Errorf("%v: %v", words, err)
		}
	}
	for line := range strings.SplitSeq(out, "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("a line is longer than a terminal: %s", line)
		}
	}
	if code, _, errs := call("--no-such-flag"); code != exitUsage || !strings.Contains(errs, "no-such-flag") {
		t.Errorf("a wrong flag: %d, %q", code, errs)
	}
}
