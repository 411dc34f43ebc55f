#!/usr/bin/env bash
# Runs GoMLX's own tests of its graphs, layers, losses, metrics and optimisers on our backend and on its pure-Go one,
# each test in a process of its own, and prints which pass where.
#
# The tests are built from the module cache in a temporary copy, in which the automatic download of
# XLA is switched off and our backend is imported.
set -euo pipefail
cd "$(dirname "$0")/.."
src=$(go list -m -f '{{.Dir}}' github.com/gomlx/gomlx)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -r "$src" "$tmp/gomlx"
chmod -R u+w "$tmp/gomlx"
helper=$tmp/gomlx/pkg/core/graph/graphtest/graphtest.go
sed -i 's#^import (#import (\n\t_ "github.com/gomlx/gomlx/backends/simplego"\n\t_ "github.com/unpoison/unpoison/backend/cpu"#' "$helper"
perl -0pi -e 's/func AutoInstall\(\) error \{.*?\n\}\n/func AutoInstall() error { return nil }\n/s; s#"(github.com/gomlx/go-xla/pkg/installer)"#_ "$1"#' "$tmp/gomlx/backends/xla/xla.go"
cp go.mod "$tmp/go.mod"
cp go.sum "$tmp/go.sum"
echo "replace github.com/gomlx/gomlx => $tmp/gomlx" >>"$tmp/go.mod"
one() { GOMLX_BACKEND=$1 timeout 120 "$tmp/package.test" -test.run "^$2\$" >/dev/null 2>&1 && echo pass || echo FAIL; }
printf '%-64s %-14s %s\n' test unpoison-cpu simplego
for package in core/graph ml/layers ml/layers/activations ml/train ml/train/losses ml/train/metrics ml/train/optimizers ml/train/optimizers/cosineschedule; do
  GOFLAGS=-mod=mod go test -modfile="$tmp/go.mod" -vet=off -c -o "$tmp/package.test" "github.com/gomlx/gomlx/pkg/$package"
  cd "$tmp/gomlx/pkg/$package"
  for t in $("$tmp/package.test" -test.list . | grep ^Test); do
    printf '%-64s %-14s %s\n' "$package $t" "$(one unpoison-cpu "$t")" "$(one go "$t")"
  done
  cd - >/dev/null
done | tee "$tmp/table"
awk '{a[$3]++; b[$4]++} END {printf "\n%d pass and %d fail here; %d and %d under simplego\n", a["pass"], a["FAIL"], b["pass"], b["FAIL"]}' "$tmp/table"
