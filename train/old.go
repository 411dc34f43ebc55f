package train

import (
	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/model"
)

// Step is what callers that move at the same time still know. To be removed.
type Step = Learner

// NewStep is NewClassifier without a state. To be removed.
func NewStep(b backends.Backend, n *model.Network, batch int, opt SGD, loss Loss) (*Learner, error) {
	return NewClassifier(b, n, n.Init(0), batch, opt, loss)
}
