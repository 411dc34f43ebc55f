#!/usr/bin/env python3
"""Writes checkpoints of a small network as PyTorch does, and what it computes:  python3 make.py

Needs PyTorch (apt-get install python3-torch).
"""
import collections, json, os, sys
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.argv = [sys.argv[0]]
src = open(os.path.join(here, "../../model/testdata/reference.py")).read().split('if __name__')[0]
exec(compile(src, "reference.py", "exec"))

net = network("small-cnn", 10)
sd = collections.OrderedDict((k, torch.tensor(value(k, v, "small-cnn")) if v.dtype.is_floating_point else v) for k, v in net.state_dict().items())
net.load_state_dict(sd)
net.eval()
img = (torch.arange(32 * 32 * 3, dtype=torch.int64) * 37 % 256).reshape(1, 32, 32, 3)
with torch.no_grad():
    logits = net(img.permute(0, 3, 1, 2).float() / 255)[0]
json.dump([float(v) for v in logits], open(os.path.join(here, "logits.json"), "w"))

half = collections.OrderedDict((k, v.half() if v.dtype.is_floating_point else v) for k, v in sd.items())
torch.save(half, os.path.join(here, "half.pt"))
wrapped = collections.OrderedDict(("module." + k, v) for k, v in half.items())
torch.save({"epoch": 3, "state_dict": wrapped, "optimizer": {"lr": 0.1}}, os.path.join(here, "nested.pth.tar"))
torch.save(half, os.path.join(here, "legacy.pth"), _use_new_zipfile_serialization=False)
bf = collections.OrderedDict((k, v.bfloat16() if v.dtype.is_floating_point else v) for k, v in sd.items())
bf["conv1.weight"] = bf["conv1.weight"].permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3)  # strided
torch.save(bf, os.path.join(here, "bfloat16.pt"))
