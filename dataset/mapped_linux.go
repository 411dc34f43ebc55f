package dataset

import "golang.org/x/sys/unix"

// mapNoReserve promises no memory for pages that are never written.
const mapNoReserve = unix.MAP_NORESERVE
