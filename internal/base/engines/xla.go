//go:build xla

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/go-xla/pkg/pjrt"
	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/xla"

	"github.com/unpoison/unpoison/internal/base/gx"
)

// newXLA opens GoMLX's own backend with the first plugin found, CUDA's before the processor's. A plugin is never
// downloaded behind the user's back.
func newXLA() (b backends.Backend, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("XLA: %v", r)
		}
	}()
	xla.EnableAutoInstall(false)
	names := xla.GetAvailablePlugins()
	if len(names) == 0 {
		return nil, errors.New("no XLA plugin found: put a PJRT plugin, named pjrt_c_api_cuda_plugin.so or " +
			"pjrt_c_api_cpu_plugin.so, into a folder and set PJRT_PLUGIN_LIBRARY_PATH to it; the one for CUDA also needs a GPU")
	}
	var options pjrt.NamedValuesMap
	if names[0] == "cuda" {
		// Without being told, it takes three quarters of the GPU's memory at once.
		options = pjrt.NamedValuesMap{"preallocate": false}
		if err := setXLAFlags(pjrt.AvailablePlugins()["cuda"]); err != nil {
			return nil, err
		}
	}
	own, err := xla.NewWithOptions(names[0], options)
	if err != nil {
		return nil, fmt.Errorf("XLA's plugin %q does not start: %w", names[0], err)
	}
	if l := (looping{own}); gx.Loops(l) {
		return l, nil
	}
	return own, nil // step by step
}

// setXLAFlags has XLA take only algorithms that give the same bits each time (a tenth slower), and tells it where CUDA's
// libdevice lies, beside the plugin, as Python's packages put it, or where CUDA is installed by default; both unless the
// user has said otherwise. go-xla 0.1.4 would set a folder of its author's.
func setXLAFlags(plugin string) error {
	const name, same, data = "XLA_FLAGS", "--xla_gpu_deterministic_ops=", "--xla_gpu_cuda_data_dir="
	flags := os.Getenv(name)
	if !strings.Contains(flags, same) {
		flags += " " + same + "true"
	}
	if folder := cudaFolder(plugin); folder != "" && !strings.Contains(flags, data) {
		flags += " " + data + folder
	}
	if err := os.Setenv("GOPJRT_CUDA_CHECKS", "no"); err != nil {
		return err
	}
	return os.Setenv(name, strings.TrimSpace(flags))
}

// cudaFolder returns where CUDA's libdevice lies, or nothing: XLA then looks for itself.
func cudaFolder(plugin string) string {
	folders := []string{os.Getenv("CUDA_HOME"), "/usr/local/cuda"}
	packages := filepath.Dir(filepath.Dir(plugin))
	for _, pattern := range []string{"nvidia/cu*", "../nvidia/cu*"} {
		found, _ := filepath.Glob(filepath.Join(packages, pattern))
		folders = append(folders, found...)
	}
	for _, f := range folders {
		if _, err := os.Stat(filepath.Join(f, "nvvm", "libdevice")); f != "" && err == nil {
			return f
		}
	}
	return ""
}
