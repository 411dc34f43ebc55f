"""Writes features as NumPy and PyTorch write them: 6 images of 5 numbers each, number k of image i being i - k/4."""

import numpy as np
import torch

x = torch.arange(6)[:, None] - torch.arange(5)[None] / 4
np.save("torch-float32.npy", x.numpy())
np.save("torch-float16.npy", x.half().numpy())
np.save("numpy-big-endian.npy", x.numpy().astype(">f4"))
bad = x.clone()
bad[3, 2] = float("nan")
np.save("torch-nan.npy", bad.numpy())
np.save("torch-infinite-float16.npy", (x * 1e6).half().numpy())
np.save("numpy-float64.npy", x.double().numpy())
np.save("numpy-columns.npy", np.asfortranarray(x.numpy()))
