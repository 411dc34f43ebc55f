package atomicfile

import "errors"

// ErrLocked is Lock's error for a folder that another process, or another caller in this one, has locked.
var ErrLocked = errors.New("another process works in it")
