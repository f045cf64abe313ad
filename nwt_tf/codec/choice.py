"""Which codes to send: the most likely ones, or cheaper ones nearby (rate and distortion).

A code that stays what it was in the last frame costs next to nothing. For every head of every
Memcode the codes of a chunk are chosen to minimise

    sum over frames of  weight * (best logit - logit of the code)  +  lambda * BITS * changes

by dynamic programming (Viterbi): distortion as squared error that a nat of the encoder's
certainty is worth in that head, rate as bits of a change.
"""

import numpy as np

BITS = 8.0  # of a change: about what coder `context` spends on one


def distortion_weight(quality):
    """The lambda of a quality: 0 at 100, squared error a bit; tenfold every 20 below.

    Raises:
        ValueError: a quality beyond 0 to 100.
    """
    if not 0 <= quality <= 100:
        raise ValueError(f"quality must lie in [0, 100]. Received: {quality}")
    return 10.0 ** ((100.0 - quality) / 20.0) - 1.0


def choose_codes(logits, weights, lam, before=None):
    """The codes that minimise the sum above.

    Args:
        logits: float32 [T, h, w, heads, num_codes] of the encoder.
        weights: float [heads], squared error a nat.
        lam: lambda; 0 gives the arg max.
        before: uint8 [h, w, heads] of the frame before, or None where the first is free.

    Returns:
        uint8 [T, h, w, heads].
    """
    best = logits.argmax(-1).astype(np.uint8)
    if lam == 0:
        return best
    distortion = (logits.max(-1, keepdims=True) - logits) * np.float32(weights)[:, None]
    frames, *shape, num_codes = distortion.shape
    distortion = distortion.reshape(frames, -1, num_codes)  # [T, n, num_codes]
    change = np.float32(lam * BITS)
    stays = np.empty(distortion.shape, bool)
    sources = np.empty(distortion.shape[:2], np.uint8)
    cost = np.zeros(distortion.shape[1:], np.float32)
    if before is not None:
        cost += np.float32(np.inf)
        np.put_along_axis(cost, before.reshape(-1, 1).astype(np.int64), np.float32(0), axis=1)
    for t in range(frames):
        sources[t] = cost.argmin(-1)
        switching = cost.min(-1, keepdims=True) + change
        stays[t] = cost <= switching
        cost = np.where(stays[t], cost, switching) + distortion[t]
    codes = np.empty(distortion.shape[:2], np.uint8)
    code = cost.argmin(-1)
    for t in range(frames - 1, -1, -1):
        codes[t] = code
        code = np.where(stays[t, np.arange(len(code)), code], code, sources[t])
    return codes.reshape(frames, *shape)
