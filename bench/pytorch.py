#!/usr/bin/env python3
"""PyTorch's side of compare.sh: img/s of a training step and of evaluation, as JSON."""
import argparse, json, os, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "model", "testdata"))
import torch, torch.nn.functional as F
from reference import network

p = argparse.ArgumentParser()
p.add_argument("--model", default="wrn-16-1")
p.add_argument("--batch", type=int, default=128)
p.add_argument("--size", type=int, default=32)
p.add_argument("--seconds", type=float, default=5)
p.add_argument("--threads", type=int, default=2)
a = p.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
net = network(a.model, 10).to(memory_format=torch.channels_last)
opt = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4)
x = torch.rand(a.batch, 3, a.size, a.size).contiguous(memory_format=torch.channels_last)
y = torch.arange(a.batch) % 10


def speed(images, f):
    f()
    n, start = 0, time.time()
    while time.time() - start < a.seconds:
        f()
        n += images
    return n / (time.time() - start)


def step():
    opt.zero_grad(set_to_none=True)
    loss = F.cross_entropy(net(x), y, reduction="none")
    (torch.sign(loss.detach() - 0.5) * loss).mean().backward()
    opt.step()


train = speed(a.batch, step)
net.eval()
many = max(a.batch, 1000 * 32 * 32 // (a.size * a.size))
e = torch.rand(many, 3, a.size, a.size).contiguous(memory_format=torch.channels_last)


def evaluate():
    with torch.no_grad():
        net(e)


print(json.dumps({"train_images_per_second": train, "eval_images_per_second": speed(many, evaluate)}))
