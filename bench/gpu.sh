#!/usr/bin/env bash
# What a GPU gives: a step a call against many, an ABL run and an audit of CIFAR-10. PJRT_PLUGIN_LIBRARY_PATH names the
# folder of XLA's plugin, see docs/performance.md. The GPU's machine needs neither Go nor a network if dist/gpu was built
# elsewhere.
#
#   bench/gpu.sh build       makes dist/gpu
#   bench/gpu.sh [DIR]       measures; DIR holds CIFAR-10's binary files
set -euo pipefail
cd "$(dirname "$0")/.."
bin=dist/gpu
if [ "${1:-}" = build ] || [ ! -x $bin/unpoison ]; then
  mkdir -p $bin
  go build -tags xla -o $bin/unpoison ./cmd/unpoison
  go test -c -tags xla -o $bin/engines.test ./internal/base/engines
  [ "${1:-}" != build ] || exit 0
fi
$bin/engines.test -test.v -test.run TestXLA
[ -n "${1:-}" ] || exit 0
out=$(mktemp -d)
time $bin/unpoison train --engine xla --data "cifar10:$1" --attack badnets --defense abl --out "$out/abl" >"$out/abl.log"
tail -n 5 "$out/abl.log"
time $bin/unpoison audit --engine xla --data "cifar10:$1" --out "$out/audit" >"$out/audit.log"
tail -n 5 "$out/audit.log"
