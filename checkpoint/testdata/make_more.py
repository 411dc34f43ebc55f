#!/usr/bin/env python3
"""Writes the network of make.py in the ways in which people save one:  python3 make_more.py

Needs PyTorch (apt-get install python3-torch). All weights are rounded to half precision, so that all files hold the same.
"""
import collections, copy, io, os, sys, zipfile
import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.argv = [sys.argv[0]]
src = open(os.path.join(here, "../../model/testdata/reference.py")).read().split('if __name__')[0]
exec(compile(src, "reference.py", "exec"))


def path(name):
    return os.path.join(here, "torch", name)


def half(d, prefix=""):
    return collections.OrderedDict((prefix + k, v.half() if v.dtype.is_floating_point else v) for k, v in d.items())


os.makedirs(os.path.join(here, "torch"), exist_ok=True)
net = network("small-cnn", 10)
net.load_state_dict({k: torch.tensor(value(k, v, "small-cnn")) if v.dtype.is_floating_point else v for k, v in net.state_dict().items()})
net.half()
sd = net.state_dict()
other = collections.OrderedDict((k, v * 0.5 if v.dtype.is_floating_point else v) for k, v in sd.items())

for p in net.parameters():
    p.grad = torch.ones_like(p)
optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9)
optimizer.step()
for p in net.parameters():
    p.grad = None
state = {"epoch": 3, "model": sd, "optimizer": optimizer.state_dict(), "best": 0.5}
torch.save(state, path("legacy-optimizer.pth"), _use_new_zipfile_serialization=False)
torch.save({"model": sd, "ema": {"shadow": half(other, "module."), "updates": 7}}, path("model-and-ema.pt"))
averaged = torch.optim.swa_utils.AveragedModel(net)
averaged.update_parameters(net)
torch.save(averaged.state_dict(), path("averaged.pt"))
torch.save(torch.nn.DataParallel(net).state_dict(), path("parallel.pt"))
torch.save({"epoch": 1, "pytorch-lightning_version": "2.0.0", "state_dict": half(sd, "model."), "hyper_parameters": {"lr": 0.1},
            "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}]}, path("lightning.ckpt"))
torch.save(half(sd, "_orig_mod."), path("compiled.pt"))
torch.save({k: v.double() if v.dtype.is_floating_point else v for k, v in sd.items()}, path("double.pt"))
torch.save(copy.deepcopy(net).to(memory_format=torch.channels_last).state_dict(), path("channels-last.pt"))
flat = torch.cat([v.reshape(-1) for v in sd.values() if v.dtype.is_floating_point])
views, at = collections.OrderedDict(), 0
for k, v in sd.items():
    if v.dtype.is_floating_point:
        views[k], at = flat[at:at + v.numel()].view(v.shape), at + v.numel()
torch.save(views, path("flattened.pt"))
torch.save(net, path("whole.pt"))
torch.save(torch.nn.DataParallel(net), path("whole-legacy.pth"), _use_new_zipfile_serialization=False)
for name, method in (("python-zip.pt", zipfile.ZIP_STORED), ("python-zip-packed.pt", zipfile.ZIP_DEFLATED)):
    b = io.BytesIO()
    torch.save(half(sd), b)
    with zipfile.ZipFile(b) as a, zipfile.ZipFile(path(name), "w", method) as z:
        for i in a.infolist():
            z.writestr(zipfile.ZipInfo(i.filename, (2020, 1, 1, 0, 0, 0)), a.read(i), method)
