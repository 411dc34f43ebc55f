//go:build !unix

package dataset

import "io/fs"

func storedBytes(st fs.FileInfo) int64 { return st.Size() }
