//go:build darwin || freebsd

package dataset

const mapNoReserve = 0
