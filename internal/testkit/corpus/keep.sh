#!/bin/sh
# keep.sh PACKAGE NAME adds what go test -fuzz NAME ./PACKAGE found on this machine to PACKAGE/testdata/corpus.
# Run it in the repository's root; it needs tar and zstd.
set -eu
module=$(go list -m)
found=$(go env GOCACHE)/fuzz/$module/$1/$2
kept=$1/testdata/corpus/$2.tar.zst
all=$(mktemp -d)
trap 'rm -rf "$all"' EXIT
if [ -f "$kept" ]; then tar -C "$all" --zstd -xf "$kept"; fi
if [ -d "$found" ]; then cp "$found"/* "$all"; fi
mkdir -p "$(dirname "$kept")"
tar -C "$all" --sort=name --owner=0 --group=0 --numeric-owner --mode=644 --mtime=@0 -cf - . | zstd -q -19 --long=27 -f -o "$kept"
ls -l "$kept"
