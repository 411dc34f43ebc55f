#!/usr/bin/env python3
"""Writes what PyTorch computes in float64 for our networks, for model and train tests to agree with.

    apt-get install python3-torch && python3 model/testdata/reference.py

Weights and inputs are not stored: both sides fill tensors with the same hash (fill below).
"""
import json, os, zlib
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F

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


class WideBlock(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.bn1, s.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        s.bn2, s.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        s.same = i == o
        if not s.same:
            s.convShortcut = nn.Conv2d(i, o, 1, stride, 0, bias=False)

    def forward(s, x):
        h = F.relu(s.bn1(x))
        y = s.conv2(F.relu(s.bn2(s.conv1(h))))
        return y + (x if s.same else s.convShortcut(h))


class Group(nn.Module):
    def __init__(s, i, o, n, stride):
        super().__init__()
        s.layer = nn.Sequential(*[WideBlock(i if k == 0 else o, o, stride if k == 0 else 1) for k in range(n)])

    def forward(s, x):
        return s.layer(x)


class WideResNet(nn.Module):
    def __init__(s, depth, classes):
        super().__init__()
        n = (depth - 4) // 6
        s.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        s.block1, s.block2, s.block3 = Group(16, 16, n, 1), Group(16, 32, n, 2), Group(32, 64, n, 2)
        s.bn1, s.fc = nn.BatchNorm2d(64), nn.Linear(64, classes)

    def forward(s, x):
        x = s.block3(s.block2(s.block1(s.conv1(x))))
        return s.fc(F.relu(s.bn1(x)).mean((2, 3)))


class PreActBlock(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.bn1, s.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        s.bn2, s.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        s.proj = stride != 1 or i != o
        if s.proj:
            s.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False))

    def forward(s, x):
        h = F.relu(s.bn1(x))
        y = s.conv2(F.relu(s.bn2(s.conv1(h))))
        return y + (s.shortcut(h) if s.proj else x)


class PreActResNet18(nn.Module):
    def __init__(s, classes):
        super().__init__()
        s.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        i = 64
        for g, o in enumerate((64, 128, 256, 512)):
            stride = 1 if g == 0 else 2
            setattr(s, f"layer{g+1}", nn.Sequential(PreActBlock(i, o, stride), PreActBlock(o, o, 1)))
            i = o
        s.linear = nn.Linear(512, classes)

    def forward(s, x):
        x = s.layer4(s.layer3(s.layer2(s.layer1(s.conv1(x)))))
        return s.linear(x.mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        s.conv2, s.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        s.down = stride != 1 or i != o
        if s.down:
            s.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(s, x):
        y = s.bn2(s.conv2(F.relu(s.bn1(s.conv1(x)))))
        return F.relu(y + (s.downsample(x) if s.down else x))


class ResNet34(nn.Module):
    def __init__(s, classes):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        i = 64
        for g, n in enumerate((3, 4, 6, 3)):
            o, blocks = 64 << g, []
            for k in range(n):
                blocks.append(BasicBlock(i, o, 2 if g > 0 and k == 0 else 1))
                i = o
            setattr(s, f"layer{g+1}", nn.Sequential(*blocks))
        s.fc = nn.Linear(512, classes)

    def forward(s, x):
        x = F.max_pool2d(F.relu(s.bn1(s.conv1(x))), 3, 2, 1)
        x = s.layer4(s.layer3(s.layer2(s.layer1(x))))
        return s.fc(x.mean((2, 3)))


class SmallCNN(nn.Module):
    def __init__(s, classes):
        super().__init__()
        i = 3
        for k, (o, st) in enumerate(((16, 1), (32, 2), (32, 2), (64, 2))):
            setattr(s, f"conv{k+1}", nn.Conv2d(i, o, 3, st, 1, bias=False))
            setattr(s, f"bn{k+1}", nn.BatchNorm2d(o))
            i = o
        s.fc = nn.Linear(64, classes)

    def forward(s, x):
        for k in range(1, 5):
            x = F.relu(getattr(s, f"bn{k}")(getattr(s, f"conv{k}")(x)))
        return s.fc(x.mean((2, 3)))


def network(arch, classes):
    return {
        "wrn-16-1": lambda: WideResNet(16, classes), "wrn-40-1": lambda: WideResNet(40, classes),
        "preact-resnet-18": lambda: PreActResNet18(classes), "resnet-34": lambda: ResNet34(classes),
        "small-cnn": lambda: SmallCNN(classes),
    }[arch]()


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
