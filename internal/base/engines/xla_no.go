//go:build !xla

package engines

import (
	"errors"

	"github.com/gomlx/gomlx/backends"
)

func newXLA() (backends.Backend, error) {
	return nil, errors.New("this unpoison is built without XLA; build it with: go build -tags xla ./cmd/unpoison (needs cgo)")
}
