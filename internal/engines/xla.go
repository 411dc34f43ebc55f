//go:build xla

package engines

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/xla"
)

// newXLA opens GoMLX's own backend. Its plugin is never downloaded behind the user's back.
func newXLA() (b backends.Backend, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("XLA: %v", r)
		}
		if err != nil {
			err = fmt.Errorf("no XLA plugin found: put a PJRT plugin (pjrt_c_api_cpu_plugin.so or its CUDA twin) into a folder and set PJRT_PLUGIN_LIBRARY_PATH to it (%.60s)", err)
		}
	}()
	xla.EnableAutoInstall(false)
	return xla.New("")
}
