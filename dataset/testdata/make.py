#!/usr/bin/env python3
"""Writes the same twelve images of two classes in the formats that other programs write.

Needs NumPy, Pillow and the commands tar, gzip and zstd:  python3 make.py
"""
import gzip, io, json, os, pickle, shutil, struct, subprocess
import numpy as np
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
for d in ("folder", "table", "cifar-python", "cifar100-python", "idx", "numpy", "webdataset", "odd"):
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)

rng = np.random.default_rng(7)
N, T = 8, 4
names = ["cat", "dog"]
# Blocks of 4×4 pixels compress well.
x = np.repeat(np.repeat(rng.integers(0, 256, (N + T, 8, 8, 3), dtype=np.uint8), 4, 1), 4, 2)
y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1])
parts = {"train": range(N), "test": range(N, N + T)}

for part, at in parts.items():
    for i in at:
        d = f"folder/{part}/{names[y[i]]}"
        os.makedirs(d, exist_ok=True)
        Image.fromarray(x[i]).save(f"{d}/{i:02d}.png", optimize=True)

os.makedirs("table/images")
for i in range(N + T):
    Image.fromarray(x[i]).save(f"table/images/{i:02d}.png", optimize=True)
for part, at in parts.items():
    with open(f"table/{part}.csv", "w") as f:
        f.write("file_name,label\n" + "".join(f"images/{i:02d}.png,{names[y[i]]}\n" for i in at))
os.makedirs("table/lines")
with open("table/lines.jsonl", "w") as f:
    f.write("".join(json.dumps({"path": f"images/{i:02d}.png", "label": names[y[i]]}) + "\n" for i in parts["train"]))
with open("table/tabs.tsv", "w") as f:
    f.write("label\timage\n" + "".join(f"{names[y[i]]}\timages/{i:02d}.png\n" for i in parts["train"]))
os.rmdir("table/lines")

flat = x.transpose(0, 3, 1, 2).reshape(N + T, 3072)
half = N // 2
for name, at, protocol in (("data_batch_1", range(half), 2), ("data_batch_2", range(half, N), 4), ("test_batch", parts["test"], 4)):
    with open(f"cifar-python/{name}", "wb") as f:
        pickle.dump({b"data": flat[list(at)].copy(), b"labels": [int(y[i]) for i in at], b"batch_label": b"x"}, f, protocol=protocol)
with open("cifar-python/batches.meta", "wb") as f:
    pickle.dump({"label_names": names, "num_vis": 3072}, f, protocol=2)
for name, at in (("train", parts["train"]), ("test", parts["test"])):
    with open(f"cifar100-python/{name}", "wb") as f:
        pickle.dump({"data": flat[list(at)].copy(), "fine_labels": [int(y[i]) for i in at], "coarse_labels": [0 for _ in at]}, f, protocol=4)
with open("cifar100-python/meta", "wb") as f:
    pickle.dump({"fine_label_names": names}, f, protocol=4)

grey = x[..., 0]
for part, at in (("train", parts["train"]), ("t10k", parts["test"])):
    at = list(at)
    raw = struct.pack(">HBBIII", 0, 8, 3, len(at), 32, 32) + grey[at].tobytes()
    if part == "train":
        with gzip.GzipFile(f"idx/{part}-images-idx3-ubyte.gz", "wb", mtime=0) as f:
            f.write(raw)
    else:
        open(f"idx/{part}-images-idx3-ubyte", "wb").write(raw)
    open(f"idx/{part}-labels-idx1-ubyte", "wb").write(struct.pack(">HBBI", 0, 8, 1, len(at)) + bytes(int(y[i]) for i in at))

tr, te = list(parts["train"]), list(parts["test"])
np.savez_compressed("numpy/all.npz", x_train=x[tr], y_train=y[tr], x_test=x[te], y_test=y[te].astype(np.uint8).reshape(-1, 1))
os.makedirs("numpy/planar")
np.save("numpy/planar/images.npy", x[tr].transpose(0, 3, 1, 2).copy())
np.save("numpy/planar/labels.npy", y[tr].astype(np.int32))

work = "webdataset/work"
for part, at in parts.items():
    os.makedirs(f"{work}/{part}")
    for i in at:
        Image.fromarray(x[i]).save(f"{work}/{part}/{i:02d}.png", optimize=True)
        if part == "train":
            open(f"{work}/{part}/{i:02d}.cls", "w").write(f"{y[i]}\n")
        else:
            json.dump({"label": int(y[i])}, open(f"{work}/{part}/{i:02d}.json", "w"))
tar = ["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]
subprocess.check_call(tar + ["-cf", "webdataset/train-000.tar"] + ["-C", f"{work}/train"] + [f"{i:02d}.{e}" for i in range(half) for e in ("cls", "png")])
subprocess.check_call(tar + ["--zstd", "-cf", "webdataset/train-001.tar.zst"] + ["-C", f"{work}/train"] + [f"{i:02d}.{e}" for i in range(half, N) for e in ("cls", "png")])
subprocess.check_call(tar + ["-czf", "webdataset/test-000.tar.gz"] + ["-C", f"{work}/test"] + [f"{i:02d}.{e}" for i in parts["test"] for e in ("json", "png")])
shutil.rmtree(work)

# Odd image files. The first one's top left quarter is red, the rest is blue.
base = np.zeros((16, 24, 3), np.uint8)
base[..., 2] = 255
base[:8, :12] = (255, 0, 0)
img = Image.fromarray(base)
img.save("odd/plain.png")
img.save("odd/plain.tif", compression="tiff_lzw")
img.save("odd/plain.webp", lossless=True)
img.save("odd/plain.gif")
img.save("odd/plain.bmp")
img.save("odd/plain.ppm")
img.quantize(4).save("odd/palette.png")
Image.fromarray((base[..., 0].astype(np.uint16) * 257)).save("odd/grey16.png")
img.convert("CMYK").save("odd/cmyk.jpg", quality=95)
# Ink in YCbCr, and black, both as Adobe stores them: Pillow writes none such, so it is given what stands in the file.
ink = np.asarray(Image.fromarray(255 - base).convert("YCbCr"))
stored = np.concatenate([ink, np.full((16, 24, 1), 255, np.uint8)], 2)
ycck = io.BytesIO()
Image.fromarray(255 - stored, "CMYK").save(ycck, "JPEG", quality=95, subsampling=0)
ycck = bytearray(ycck.getvalue())
ycck[ycck.index(b"Adobe") + 11] = 2
open("odd/ycck.jpg", "wb").write(ycck)
turned = {1: img, 3: img.transpose(Image.ROTATE_180), 6: img.transpose(Image.ROTATE_90), 8: img.transpose(Image.ROTATE_270)}
for o, picture in turned.items():  # stored turned, to be shown upright
    exif = Image.Exif()
    exif[0x0112] = o
    picture.save(f"odd/exif{o}.jpg", quality=95, exif=exif)
