"""What the comparisons measure of codes, and which runs count as collapsed."""

import numpy as np

from nwt_tf.studies.autoencoder import Autoencoder
from nwt_tf.studies.comparison import COLLAPSED, code_entropy, measure
from nwt_tf.studies.quantizers import Memcodes
from tests.studies.idx_files import bars


def test_entropy_and_dead_codes_of_known_codes():
    codes = np.array([[0, 2], [1, 2], [2, 2], [3, 2]])[:, None, None]
    entropy, dead = code_entropy(codes, 4)
    np.testing.assert_allclose(entropy, [np.log(4), 0.0])
    assert dead == 3


def test_one_code_for_everything_is_a_collapse():
    model = Autoencoder(Memcodes(2, 4, 8), stages=(4, 4), hidden=16, depth=0)
    model.build()
    attention = model.quantizer.attention
    attention.query_projection.kernel.assign(np.zeros((16, 8)))
    attention.query_projection.bias.assign(np.ones(8))
    figures = measure(model, bars(20)[0][..., None])
    assert figures["entropy_bits"] == 0 and figures["perplexity"] == 1
    assert figures["dead_codes"] == 6 and figures["bits_share"] < COLLAPSED
    assert figures["psnr"] > 0 and figures["ssim"] < 1
