"""The networks that ``unpoison train`` makes, for PyTorch. They take N×3×H×W floats from 0 to 1 and give logits."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ._train import read_safetensors


class WideBlock(nn.Module):
    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.same = i == o
        if not self.same:
            self.convShortcut = nn.Conv2d(i, o, 1, stride, 0, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(h))))
        return y + (x if self.same else self.convShortcut(h))


class Group(nn.Module):
    def __init__(self, i: int, o: int, n: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(*[WideBlock(i if k == 0 else o, o, stride if k == 0 else 1) for k in range(n)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        n = (depth - 4) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.block1, self.block2, self.block3 = Group(16, 16, n, 1), Group(16, 32, n, 2), Group(32, 64, n, 2)
        self.bn1, self.fc = nn.BatchNorm2d(64), nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class PreActBlock(nn.Module):
    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.proj = stride != 1 or i != o
        if self.proj:
            self.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(h))))
        return y + (self.shortcut(h) if self.proj else x)


class PreActResNet18(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        i = 64
        for g, o in enumerate((64, 128, 256, 512)):
            setattr(self, f"layer{g + 1}", nn.Sequential(PreActBlock(i, o, 1 if g == 0 else 2), PreActBlock(o, o, 1)))
            i = o
        self.linear = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        return self.linear(x.mean((2, 3)))


class BasicBlock(nn.Module):
    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.down = stride != 1 or i != o
        if self.down:
            self.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.down else x))


class ResNet34(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        i = 64
        for g, n in enumerate((3, 4, 6, 3)):
            o, blocks = 64 << g, []
            for k in range(n):
                blocks.append(BasicBlock(i, o, 2 if g > 0 and k == 0 else 1))
                i = o
            setattr(self, f"layer{g + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class SmallCNN(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        i = 3
        for k, (o, stride) in enumerate(((16, 1), (32, 2), (32, 2), (64, 2))):
            setattr(self, f"conv{k + 1}", nn.Conv2d(i, o, 3, stride, 1, bias=False))
            setattr(self, f"bn{k + 1}", nn.BatchNorm2d(o))
            i = o
        self.fc = nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k in range(1, 5):
            x = F.relu(getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(x)))
        return self.fc(x.mean((2, 3)))


class Stem(nn.Module):
    """Takes larger images in patches of k×k pixels; padding brings every pixel into one."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.conv, self.bn = nn.Conv2d(3, 32, k, k, bias=False), nn.BatchNorm2d(32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, w = ((-n % self.k + 1) // 2 for n in x.shape[2:])
        return F.relu(self.bn(self.conv(F.pad(x, (w, w, h, h)))))


def _through_stem(net: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (net.stem(inputs[0]),)


def _stemmed(net: nn.Module, k: int) -> nn.Module:
    net.stem = Stem(k)
    net.conv1 = nn.Conv2d(32, net.conv1.out_channels, 3, 1, 1, bias=False)
    net.register_forward_pre_hook(_through_stem)
    return net


def _of_colours(net: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return ((inputs[0] - net._mean) / net._std,)


def _normalized(net: nn.Module, mean: list[float], std: list[float]) -> nn.Module:
    for name, values in ("_mean", mean), ("_std", std):
        net.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
    net.register_forward_pre_hook(_of_colours, prepend=True)
    return net


_NETWORKS = {
    "wrn-16-1": lambda classes: WideResNet(16, classes),
    "wrn-40-1": lambda classes: WideResNet(40, classes),
    "preact-resnet-18": PreActResNet18,
    "resnet-34": ResNet34,
    "small-cnn": SmallCNN,
}


def network(arch: str, classes: int, stem: int = 1) -> nn.Module:
    """Return the network that unpoison calls arch, untrained; with a stem, as larger images get, that takes stem×stem pixels."""
    if arch not in _NETWORKS:
        raise ValueError(f"no network {arch!r} here; there are {', '.join(_NETWORKS)}. unpoison export writes any as ONNX")
    net: nn.Module = _NETWORKS[arch](classes)
    return _stemmed(net, stem) if stem > 1 else net


def load(path: Path | str) -> nn.Module:
    """Return the network in a model.safetensors of unpoison's, in eval mode."""
    tensors, meta = read_safetensors(Path(path))
    arch = meta.get("architecture", "")
    last = next((name for name in ("fc.bias", "linear.bias") if name in tensors), None)
    if not arch or last is None:
        raise ValueError(f"{path}: expected a model.safetensors of unpoison's, with its architecture in the metadata and a last layer")
    net = network(arch, len(tensors[last]), int(meta.get("stem", "1")))
    missing, unexpected = net.load_state_dict({name: torch.from_numpy(t) for name, t in tensors.items()}, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"{path}: tensors {missing} are missing and {unexpected} are unexpected")
    if "mean" in meta:
        net = _normalized(net, json.loads(meta["mean"]), json.loads(meta["std"]))
    return net.eval()
