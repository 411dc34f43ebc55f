package abl

import _ "github.com/unpoison/unpoison/internal/testkit/onethread"
