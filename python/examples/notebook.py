"""From images that may be poisoned to a clean PyTorch model: python notebook.py train.npz (arrays images and labels)."""

import sys

import numpy as np

import unpoison

images, labels = np.load(sys.argv[1]).values()
verdict = unpoison.audit(images, labels, recipe="demo", content=False, epochs_inspect=0)
print(verdict.says, [t.label for t in verdict.targets if t.says == verdict.says])
images, labels = images[verdict.keep], labels[verdict.keep]
trained = unpoison.train(images, labels, defense="none", recipe="demo", epochs_tune=2)
try:
    import torch
except ImportError:
    print("PyTorch is not installed; the model is a file:", trained.path.name)
else:
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    print("accuracy", (trained.network()(x).argmax(1).numpy() == labels).mean().round(2))
