package engine

import "syscall"

// hugePages asks for memory in large pages, where the system leaves that to the program: a step
// walks through tens of megabytes, and looking small pages up takes time.
func hugePages(b []byte) {
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // a hint
}
