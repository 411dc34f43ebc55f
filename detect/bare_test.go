package detect

import (
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/model"
)

// bare is a network without batch norms.
func bare(b *model.Builder, x *Node, classes int) *Node {
	return b.Linear("fc", b.Tap("features", b.GlobalPool(x)), classes)
}
