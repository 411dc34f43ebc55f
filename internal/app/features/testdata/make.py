"""Writes resnet.onnx, vit.onnx and vit-last.onnx, as PyTorch 1.13 exports them: python3 make.py.

A narrow ResNet-18 for 32×32 pixels, its batch norms kept, and vision transformers as DINOv2 has them: one of operator
set 17 for any number of images, one of set 14 for four images whose channels are last. Their weights are random.
reference.cjs makes what onnxruntime computes.
"""
import torch
from torch import nn

torch.manual_seed(1)


class Block(nn.Module):
    def __init__(self, c_in, c, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c_in, c, 3, stride, 1, bias=False), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c)
        self.relu = nn.ReLU()
        self.downsample = nn.Identity()
        if stride > 1 or c_in != c:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c, 1, stride, bias=False), nn.BatchNorm2d(c))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    def __init__(self, widths, classes):
        super().__init__()
        layers = [nn.Conv2d(3, widths[0], 7, 2, 3, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        c = widths[0]
        for k, w in enumerate(widths):
            layers += [Block(c, w, 1 + (k > 0)), Block(w, w, 1)]
            c = w
        self.layers, self.pool, self.fc = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Linear(c, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.layers(x)), 1))


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q * (c // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((a @ v).transpose(1, 2).reshape(b, n, c))


class Layer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.attention, self.scale1 = nn.LayerNorm(dim, 1e-6), Attention(dim, heads), nn.Parameter(torch.rand(dim))
        self.norm2, self.scale2 = nn.LayerNorm(dim, 1e-6), nn.Parameter(torch.rand(dim))
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.scale1 * self.attention(self.norm1(x))
        return x + self.scale2 * self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, size=32, patch=8, dim=16, heads=2, layers=1):
        super().__init__()
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        self.places = nn.Parameter(torch.randn(1, 1 + (size // patch) ** 2, dim))
        self.layers, self.norm = nn.Sequential(*(Layer(dim, heads) for _ in range(layers))), nn.LayerNorm(dim, 1e-6)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(x.shape[0], -1, -1), x), 1) + self.places
        x = self.norm(self.layers(x))
        return x[:, 0], x


class ChannelsLast(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.permute(0, 3, 1, 2))


def settle(net):
    """Gives the batch norms weights that matter, and the statistics of images."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.uniform_(-0.5, 0.5)
            m.momentum = None
    net.train()
    for _ in range(4):
        net(torch.randn(16, 3, 32, 32))


def export(net, name, x, outputs, opset, **more):
    torch.onnx.export(net.eval(), x, name, input_names=["input"], output_names=outputs, opset_version=opset, **more)


def any_batch(*names):
    return {"dynamic_axes": {n: {0: "batch"} for n in names}}


if __name__ == "__main__":
    resnet = ResNet18((8, 8, 16, 16), 5)
    settle(resnet)
    images = torch.rand(4, 3, 32, 32)
    kept = torch.onnx.TrainingMode.PRESERVE  # else the batch norms would be part of the convolutions
    export(resnet, "resnet.onnx", images, ["logits"], 14, training=kept, **any_batch("input", "logits"))
    export(ViT(), "vit.onnx", images, ["features", "tokens"], 17, **any_batch("input", "features", "tokens"))
    export(ChannelsLast(ViT()), "vit-last.onnx", images.permute(0, 2, 3, 1), ["features", "tokens"], 14)
