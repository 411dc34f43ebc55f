#!/usr/bin/env bash
# Two cores against one, in turn, and the median of the ratios; then the lower instruction sets against the best.
#
#   bench/cores.sh [MODEL [PAIRS [SECONDS]]]
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-wrn-16-1} pairs=${2:-10} seconds=${3:-3}
bin=$(mktemp -d)/unpoison
go build -o "$bin" ./cmd/unpoison
# pairs NAME A B: the speed of `env B bench` over that of `env A bench`, each a list of settings.
pair() {
  for _ in $(seq "$pairs"); do
    for with in "$2" "$3"; do
      echo $(env $with sh -c '"$0" bench --model "$1" --seconds "$2" --threads "$THREADS" --json' "$bin" "$model" "$seconds" | grep -o '"[a-z]*_images_per_second":[0-9.]*' | sort | cut -d: -f2)
    done
  done | awk -v name="$1" '
    NR % 2 { e = $1; t = $2; next } { eval[++n] = $1 / e; train[n] = $2 / t }
    function sorted(a,   i, k, v) { for (i = 2; i <= n; i++) { v = a[i]; for (k = i - 1; k && a[k] > v; k--) a[k + 1] = a[k]; a[k + 1] = v } }
    function median(a) { return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
    END { sorted(eval); sorted(train)
      printf "%-24s training %.2f (%.2f to %.2f)   evaluation %.2f (%.2f to %.2f), %d pairs\n", name, median(train), train[1], train[n], median(eval), eval[1], eval[n], n }'
}
pair "two cores / one" THREADS=1 THREADS=2
pair "AVX2 / the best set" THREADS=2 "THREADS=2 UNPOISON_CPU=avx2"
