package work

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
)

// Away tells whether an error of Temporal's may pass: nobody answers, or not in time.
func Away(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &unavailable) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}
