#!/usr/bin/env python3
"""Writes what PyTorch computes in float64 for our networks, for model and train tests to agree with.

    apt-get install python3-torch && python3 model/testdata/reference.py

Weights and inputs are not stored: both sides fill tensors with the same hash (fill below).
"""
import json, os, sys, zlib
import numpy as np, torch, torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../python"))
from unpoison.networks import network

torch.set_num_threads(2)


def fill(name, shape):
    """Numbers in [-0.5, 0.5) from a hash of position and name."""
    n = int(np.prod(shape)) if len(shape) else 1
    i = np.arange(n, dtype=np.uint64)
    h = (i * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))) & np.uint64(0xFFFFFFFF)
    h = (h ^ (h >> np.uint64(15))) * np.uint64(2246822519) & np.uint64(0xFFFFFFFF)
    h = h ^ (h >> np.uint64(13))
    return (h.astype(np.float64) / 2**32 - 0.5).astype(np.float32).reshape(shape)


def value(name, t, arch):
    """Batch norms push even channels far above zero and odd ones far below: where many ReLU inputs
    are near zero, rounding decides their signs, and even two float32 runs of PyTorch differ by 2 %."""
    v = fill(name, tuple(t.shape))
    norm = any(s in name for s in ("bn", "downsample.1"))
    weak = 0.25 if arch == "resnet-34" and any(s in name for s in (".bn2.", "downsample.1")) else 1.0
    if name.endswith("running_var"):
        return 1 + v
    if name.endswith("running_mean"):
        return v / 4
    if norm and name.endswith("weight"):
        return np.float32(weak) * (1 + v / 2)
    if norm:
        return np.float32(weak) * (v + np.where(np.arange(len(v)) % 2 == 0, 3, -3).astype(np.float32))
    if t.dim() == 1:
        return v / 2
    fan = np.prod(t.shape[1:])
    return v * np.float32(np.sqrt(24.0 / fan))


def short(t):
    f = t.detach().numpy().astype(np.float64).reshape(-1)
    return {"head": [float(v) for v in f[:6]], "norm": float(np.sqrt((f * f).sum()))}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for arch, batch, side in (("wrn-16-1", 8, 32), ("wrn-40-1", 4, 32), ("preact-resnet-18", 4, 32), ("resnet-34", 2, 224), ("small-cnn", 8, 32)):
        net = network(arch, 10)
        with torch.no_grad():
            for name, t in net.state_dict().items():
                if t.dtype == torch.float32:
                    t.copy_(torch.from_numpy(value(name, t, arch)))
        net.double()
        x = torch.from_numpy(fill("input", (batch, 3, side, side)) + np.float32(0.5)).double()
        y = torch.arange(batch) * 7 % 10
        ref = {"arch": arch, "batch": batch, "side": side}
        net.eval()
        ref["eval"] = short(net(x)); ref["eval_logits"] = net(x).detach().reshape(-1).tolist()
        net.train()
        z = net(x)
        loss = F.cross_entropy(z, y)
        loss.backward()
        ref["train_logits"], ref["loss"] = z.detach().reshape(-1).tolist(), float(loss)
        ref["grads"] = {n: short(p.grad) for n, p in net.named_parameters()}
        ref["stats"] = {n: short(t) for n, t in net.named_buffers() if t.dtype == torch.float64}
        opt = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
        losses = []
        for _ in range(10):
            opt.zero_grad()
            l = F.cross_entropy(net(x), y)
            l.backward()
            opt.step()
            losses.append(float(l))
        ref["sgd_losses"] = losses
        with open(os.path.join(here, arch + ".json"), "w") as f:
            json.dump(ref, f)
            f.write("\n")
        print(arch, ref["loss"], losses[-1], sum(p.numel() for p in net.parameters()))


if __name__ == "__main__":
    main()
