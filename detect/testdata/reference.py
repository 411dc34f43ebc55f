"""Writes reference.json: what short NumPy twins of the detectors make of small made-up features.

Run with Debian's python3-numpy: python3 detect/testdata/reference.py
"""
import json
import os

import numpy as np

rng = np.random.default_rng(7)
N, D, C = 150, 6, 3
labels = np.repeat(np.arange(C), N // C)
centres = rng.normal(size=(C, D)) * 3
features = centres[labels] + rng.normal(size=(N, D)) * np.array([1, 0.5, 2, 1, 1, 0.7])
planted = np.zeros(N, bool)
planted[:12] = True
features[planted] += np.array([4, 0, 0, -3, 2, 0])
features = features.astype(np.float32).astype(np.float64)
clean_labels = np.repeat(np.arange(C), 20)
clean = (centres[clean_labels] + rng.normal(size=(60, D)) * np.array([1, 0.5, 2, 1, 1, 0.7])).astype(np.float32).astype(np.float64)


def top(m, k):
    _, _, v = np.linalg.svd(m, full_matrices=False)
    v = v[:k]
    sign = np.sign(v[np.arange(len(v)), np.abs(v).argmax(1)])
    return m @ (v * sign[:, None]).T


def two_means(m, along):
    side = along > 0
    while True:
        a, b = m[~side].mean(0), m[side].mean(0)
        new = ((m - b) ** 2).sum(1) < ((m - a) ** 2).sum(1)
        if (new == side).all():
            break
        side = new
    return ~side if side.sum() > (~side).sum() else side


def spectral():
    out = np.zeros(N)
    for c in range(C):
        m = features[labels == c]
        out[labels == c] = top(m - m.mean(0), 1)[:, 0] ** 2
    return out


def clustering():
    out = np.zeros(N)
    for c in range(C):
        m = features[labels == c]
        p = top(m - m.mean(0), 10)
        s = two_means(p, p[:, 0])
        d = np.sqrt(((p[:, None] - p[None]) ** 2).sum(2))
        sil = []
        for i in range(len(p)):
            a = d[i, s == s[i]].sum() / ((s == s[i]).sum() - 1)
            b = d[i, s != s[i]].mean()
            sil.append((b - a) / max(a, b))
        da = np.linalg.norm(p - p[~s].mean(0), axis=1)
        db = np.linalg.norm(p - p[s].mean(0), axis=1)
        out[labels == c] = np.mean(sil) * (da - db) / (da + db)
    return out


def scan():
    within = np.zeros((D, D))
    means = {}
    for c in range(C):
        m = clean[clean_labels == c]
        means[c] = m.mean(0)
        within += (m - means[c]).T @ (m - means[c])
    values, vectors = np.linalg.eigh(within)
    w = vectors * np.sqrt((60 - C) / values)
    stats, margins = [], []
    for c in range(C):
        x = features[labels == c] @ w
        m = x - x.mean(0)
        s = two_means(m, top(m, 1)[:, 0])
        a, b = x[~s].mean(0), x[s].mean(0)
        j = s.sum() * (~s).sum() / len(s) * ((a - b) ** 2).sum()
        stats.append((j - D) / np.sqrt(2 * D))
        rest, sus = a, b
        mean = means[c] @ w
        if ((a - mean) ** 2).sum() > ((b - mean) ** 2).sum():
            rest, sus = b, a
        da, db = ((x - rest) ** 2).sum(1), ((x - sus) ** 2).sum(1)
        margins.append((da - db) / (da + db))
    stats = np.array(stats)
    away = np.abs(stats - np.median(stats))
    index = away / (1.4826 * np.median(away))
    return np.concatenate([i * m for i, m in zip(index, margins)])


def gram(f):  # [places, width]
    out = []
    for p in range(1, 10):
        g = (f**p).T @ (f**p)
        out += [g[a, b] ** (1 / p) for a in range(g.shape[0]) for b in range(a, g.shape[0])]
    return out


def confusion(losses, fits):
    ratios = []
    for c in range(C):
        m, l, f = features[labels == c], losses[labels == c], fits[labels == c]
        p = top(m - m.mean(0), 2)
        n = len(p)
        middle = np.argsort(l, kind="stable")[int(n / 2 - n * 0.05) : int(n / 2 + n * 0.05)]
        density = []
        for x in (p[middle], p[f]):
            cov = np.cov(x.T) + 0.001
            d = p - x.mean(0)
            density.append(-0.5 * (d @ np.linalg.inv(cov) * d).sum(1) - 0.5 * np.log(np.linalg.det(cov)))
        ratios.append(np.exp((density[1] - density[0])[f].sum() / n))
    ratios = np.array(ratios)
    called = (ratios > np.e) | ((ratios == ratios.max()) & (ratios > 1.5))
    return ratios, fits & called[labels]


def drop_rate(clean, every):
    enough = clean >= 0.8
    gain = clean - every
    return int(np.argmax(np.where(enough, gain, -2))) if enough.any() else int(np.argmax(gain))


maps = np.abs(rng.normal(size=(5, 4))).astype(np.float32).astype(np.float64)
losses = np.where(planted, 0.1, 2) * rng.uniform(0.5, 1.5, N)
losses = losses.astype(np.float32).astype(np.float64)
fits = planted.copy()
fits[[20, 60, 70, 110, 120, 130]] = True  # a few clean images of each label too
ratios, confused = confusion(losses, fits)
shares = np.random.default_rng(8).uniform(size=(20, 2, 9)) * np.linspace(0.6, 1, 20)[:, None, None]  # of clean and of all images, by rate
shares = np.sort(shares.round(3), 2)
with open(os.path.join(os.path.dirname(__file__), "reference.json"), "w") as f:
    json.dump(
        {
            "features": features.ravel().tolist(), "labels": labels.tolist(), "planted": planted.tolist(),
            "clean_features": clean.ravel().tolist(), "clean_labels": clean_labels.tolist(),
            "spectral": spectral().tolist(), "activation-clustering": clustering().tolist(), "scan": scan().tolist(),
            "maps": maps.ravel().tolist(), "gram": gram(maps),
            "shares": shares.ravel().tolist(), "rates": [drop_rate(*s) for s in shares],
            "losses": losses.tolist(), "fits": fits.tolist(), "ratios": ratios.tolist(), "confused": confused.tolist(),
        }, f)
