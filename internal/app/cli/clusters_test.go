package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/experiment"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// block returns the one code block of a language in docs/clusters.md that has the text.
func block(t *testing.T, language, with string) string {
	t.Helper()
	text := testfile.Read(t, filepath.Join("..", "..", "..", "docs", "clusters.md"))
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(found[1], with) {
			return found[1]
		}
	}
	t.Fatalf("docs/clusters.md has no %s block with %q", language, with)
	return ""
}

// sharded checks that a shell command calls experiment run with flags that there are and a shard that is one, and returns
// the shard.
func sharded(t *testing.T, script string, env ...string) experiment.Shard {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	c := exec.Command(bash, "-c", "unpoison() { printf '%s\\n' \"$@\"; }\n"+strings.Replace(script, "exec unpoison", "unpoison", 1))
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	args := strings.Split(strings.TrimSpace(string(out)), "\n")
	a := &app{}
	command, rest, err := a.root().Find(args)
	if err != nil || command.CommandPath() != "unpoison experiment run" {
		t.Fatalf("%v calls %s: %v", args, command.CommandPath(), err)
	}
	if err := command.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	s, err := experiment.ParseShard(command.Flag("shard").Value.String())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSlurmScriptRuns(t *testing.T) {
	script := block(t, "bash", "#SBATCH --array=1-8")
	for number, text := range []string{"1", "8"} {
		got := sharded(t, script, "SLURM_ARRAY_TASK_ID="+text, "SLURM_ARRAY_TASK_COUNT=8", "SLURM_CPUS_PER_TASK=8")
		if want := (experiment.Shard{Number: 1 + 7*number, Of: 8}); got != want {
			t.Errorf("the task %s runs %v, expected %v", text, got, want)
		}
	}
	for line := range strings.Lines(script) {
		if rest, ok := strings.CutPrefix(line, "#SBATCH "); ok && !regexp.MustCompile(`^--[a-z-]+(=[A-Za-z0-9:-]+)?\n$`).MatchString(rest) {
			t.Errorf("not an option of sbatch: %s", line)
		}
	}
}

func TestKubernetesJobRuns(t *testing.T) {
	var job struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name string }
		Spec       struct {
			CompletionMode           string `yaml:"completionMode"`
			BackoffLimit             int    `yaml:"backoffLimit"`
			Completions, Parallelism int
			Template                 struct {
				Spec struct {
					RestartPolicy string `yaml:"restartPolicy"`
					Containers    []struct {
						Name, Image   string
						Command, Args []string
						Resources     map[string]map[string]string
						VolumeMounts  []struct {
							Name      string
							MountPath string `yaml:"mountPath"`
						} `yaml:"volumeMounts"`
					}
					Volumes []struct {
						Name                  string
						PersistentVolumeClaim struct {
							ClaimName string `yaml:"claimName"`
						} `yaml:"persistentVolumeClaim"`
					}
				}
			}
		}
	}
	text := block(t, "yaml", "kind: Job")
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&job); err != nil {
		t.Fatal(err)
	}
	s := job.Spec
	if job.APIVersion != "batch/v1" || job.Kind != "Job" || s.CompletionMode != "Indexed" || s.Completions != 8 || s.Template.Spec.RestartPolicy != "OnFailure" {
		t.Errorf("the job is %+v", job)
	}
	if len(s.Template.Spec.Containers) != 1 || len(s.Template.Spec.Volumes) != 1 {
		t.Fatalf("the job is %+v", job)
	}
	c := s.Template.Spec.Containers[0]
	if len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != s.Template.Spec.Volumes[0].Name || strings.Join(c.Command, " ") != "bash -c" || len(c.Args) != 1 {
		t.Fatalf("the container is %+v", c)
	}
	for index, want := range map[string]experiment.Shard{"0": {Number: 1, Of: 8}, "7": {Number: 8, Of: 8}} {
		if got := sharded(t, c.Args[0], "JOB_COMPLETION_INDEX="+index); got != want || got.Of != s.Completions {
			t.Errorf("the pod %s runs %v, expected %v", index, got, want)
		}
	}
}
