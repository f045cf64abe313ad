"""The Hamming distance between frames' Memcodes (equation 10, A.2), and what it tells."""

import numpy as np
from scipy import stats

from nwt_tf.evaluation.metrics import frame_ssim

_BLOCK = 4096  # frames whose words stay in a core's cache
_WORD = 64


class HammingIndex:
    """Codes of many frames, packed so that distances take a few operations a 64 heads.

    A code is written in ceil(log2 num_codes) bits, each in a plane of its own; two heads differ
    where any plane does: XOR, OR, and a count of the ones.

    Args:
        codes: int [N, h, w, heads] (or any shape with N first), below num_codes.
        num_codes: codes a head.
    """

    def __init__(self, codes, num_codes):
        codes = np.asarray(codes)
        self.heads = int(np.prod(codes.shape[1:]))
        self.bits = max(1, (num_codes - 1).bit_length())
        self._planes = self._pack(codes.reshape(len(codes), -1))  # [bits, words, N]

    def __len__(self):
        return self._planes.shape[2]

    def _pack(self, flat):
        """[N, heads] -> uint64 [bits, words, N]: words first, so that counts add up along N."""
        words = -(-self.heads // _WORD)
        planes = np.empty((self.bits, words, len(flat)), np.uint64)
        for first in range(0, len(flat), _BLOCK):
            block = np.uint8(flat[first : first + _BLOCK])
            for bit in range(self.bits):
                ones = np.zeros((len(block), words * _WORD), np.uint8)
                ones[:, : self.heads] = (block >> bit) & 1
                packed = np.packbits(ones, axis=1).view(np.uint64)  # [n, words]
                planes[bit, :, first : first + _BLOCK] = packed.T
        return planes

    def distances(self, codes):
        """Equation 10 between one frame and all: the share of heads that differ.

        Args:
            codes: int [h, w, heads], the query.

        Returns:
            float32 [N] in [0, 1].
        """
        query = self._pack(np.asarray(codes).reshape(1, -1))  # [bits, words, 1]
        found = np.empty(len(self), np.float32)
        for first in range(0, len(self), _BLOCK):
            block = self._planes[:, :, first : first + _BLOCK]
            differ = block[0] ^ query[0]
            for plane, wanted in zip(block[1:], query[1:], strict=True):
                differ |= plane ^ wanted
            counts = np.bitwise_count(differ).sum(axis=0, dtype=np.uint32)
            found[first : first + _BLOCK] = counts
        return found / np.float32(self.heads)

    def nearest(self, codes, count=10, leave_out=None):
        """The nearest frames in ascending distance, the earlier of equals first.

        Args:
            codes: int [h, w, heads], the query.
            count: how many.
            leave_out: bool [N], frames that do not count, such as the query's neighbours in time.

        Returns:
            (indices int64 [count or fewer], distances float32 of the same length).
        """
        distances = self.distances(codes)
        if leave_out is not None:
            distances[leave_out] = np.inf
        count = min(count, int(np.isfinite(distances).sum()))
        if not count:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        limit = np.partition(distances, count - 1)[count - 1]
        candidates = np.flatnonzero(distances <= limit)  # few, so that a full sort is cheap
        chosen = candidates[np.argsort(distances[candidates], kind="stable")[:count]]
        return chosen, distances[chosen]


def distance_loss_correlations(distances, truths, rendered, own_losses=None):
    """How the Hamming distance of two frames' codes goes with what it costs to mistake them.

    Args:
        distances: float [P], between the codes of frames a and b.
        truths: uint8 [P, H, W, 3], frames a.
        rendered: uint8 [P, H, W, 3], the reconstructions of frames b.
        own_losses: {name: float [P]}, losses that were measured elsewhere, or None.

    Returns:
        {"l1", "ssim_loss" and the names of own_losses: {"pearson", "spearman"} of the distance with
        the pixels' mean absolute difference, 1 - SSIM, or that loss; None where a side does not
        vary}.
    """
    pairs = zip(truths, rendered, strict=True)
    losses = {
        "l1": np.stack([np.abs(np.float32(a) - b).mean() for a, b in pairs]),
        "ssim_loss": 1.0 - frame_ssim(truths, rendered),
        **(own_losses or {}),
    }
    return {name: _correlations(np.asarray(distances), loss) for name, loss in losses.items()}


def _correlations(a, b):
    if min(np.ptp(a), np.ptp(b)) < 1e-9:
        return {"pearson": None, "spearman": None}
    return {
        "pearson": float(stats.pearsonr(a, b).statistic),
        "spearman": float(stats.spearmanr(a, b).statistic),
    }
