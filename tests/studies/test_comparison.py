"""What the comparisons measure of codes, and which runs count as collapsed."""

from types import SimpleNamespace

import numpy as np
import pytest

from configs.mnist import get_config
from nwt_tf.studies import comparison
from nwt_tf.studies.autoencoder import Autoencoder
from nwt_tf.studies.comparison import COLLAPSED, measure
from nwt_tf.studies.quantizers import Memcodes
from tests.studies.idx_files import bars


def test_one_code_for_everything_is_a_collapse():
    model = Autoencoder(Memcodes(2, 4, 8), stages=(4, 4), hidden=16, depth=0)
    model.build()
    attention = model.quantizer.attention
    attention.query_projection.kernel.assign(np.zeros((16, 8)))
    attention.query_projection.bias.assign(np.ones(8))
    figures = measure(model, bars(20)[0][..., None])
    assert figures["entropy_bits"] == 0 and figures["perplexity"] == 1
    assert figures["dead_codes"] == 6 and figures["bits_share"] < COLLAPSED
    assert figures["coded_bits"] < 8  # what the coder learns on, and the stream's end
    assert figures["psnr"] > 0 and figures["ssim"] < 1


def test_coded_bits_of_random_codes_are_all_of_them():
    pictures = np.random.default_rng(0).integers(0, 256, (300, 12, 12, 1)).astype(np.uint8)
    model = Autoencoder(Memcodes(2, 4, 8), 12, 12, stages=(4, 4), hidden=16, depth=0, single=False)
    model.build()
    codes = np.random.default_rng(1).integers(0, 4, (300, 3, 3, 2)).astype(np.int32)
    model.encode = lambda pictures: codes
    figures = measure(model, pictures)
    assert 3.9 < figures["entropy_bits"] <= 4 < figures["coded_bits"] < 4.4
    assert figures["dead_codes"] == 0


@pytest.mark.parametrize("compare", [comparison.compare_quantizers, comparison.compare_gradients])
def test_runs_of_other_pictures_are_refused(tmp_path, monkeypatch, compare):
    """Of frames as of digits: what is kept are figures of these pictures alone."""
    curve = SimpleNamespace(steps=[1], l1=[0.5])
    monkeypatch.setattr(comparison, "_run", lambda *_: ({"psnr": 9.0, "collapsed": False}, curve))
    config = get_config("tiny").frames
    first, second = np.zeros((2, 8, 8, 3), np.uint8), np.ones((2, 8, 8, 3), np.uint8)
    found = compare(first, second, config, tmp_path, [0])
    assert compare(first, second, config, tmp_path, [0]) == found
    for others in ((second, second), (first, first)):
        with pytest.raises(ValueError, match="_batch4_seed0.json is of other data"):
            compare(*others, config, tmp_path, [0])
