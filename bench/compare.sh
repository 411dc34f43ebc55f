#!/usr/bin/env bash
# Training and evaluation speed against PyTorch, in turn, and the median of the ratios.
#
#   bench/compare.sh [MODEL [BATCH [SIZE [PAIRS [SECONDS]]]]]
#   bench/compare.sh wrn-16-1 128 32 10 4
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-wrn-16-1} batch=${2:-128} size=${3:-32} pairs=${4:-10} seconds=${5:-4}
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "PyTorch is not installed: apt-get install python3-torch (or set PYTHON)" >&2
  exit 1
fi
bin=$(mktemp -d)/unpoison
go build -o "$bin" ./cmd/unpoison
for _ in $(seq "$pairs"); do
  "$bin" bench --model "$model" --batch "$batch" --size "$size" --seconds "$seconds" --threads 2 --json
  "$python" bench/pytorch.py --model "$model" --batch "$batch" --size "$size" --seconds "$seconds"
done | "$python" -c '
import json, statistics as s, sys
rows = [json.loads(l) for l in sys.stdin]
ours, theirs = rows[0::2], rows[1::2]
for what in ("train", "eval"):
    k = what + "_images_per_second"
    r = [a[k] / b[k] for a, b in zip(ours, theirs)]
    print("%-5s ours %7.0f  PyTorch %7.0f img/s (medians)   ratio %.2f, from %.2f to %.2f over %d pairs" % (
        what, s.median(a[k] for a in ours), s.median(b[k] for b in theirs), s.median(r), min(r), max(r), len(r)))
print("peak memory %d MB" % (max(a["peak_memory_bytes"] for a in ours) >> 20))
'
