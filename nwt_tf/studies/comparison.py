"""Quantisers beside one another, and the two gradients of B.1.5, on digits or video frames.

The same autoencoder, the same bits, the same trainings; only the quantiser differs.
"""

import dataclasses
import math

import numpy as np

from nwt_tf.codec.context_models import ContextCoder
from nwt_tf.evaluation.metrics import code_histogram, code_usage, frame_psnr, frame_ssim
from nwt_tf.studies import pictures
from nwt_tf.studies.autoencoder import Autoencoder
from nwt_tf.studies.quantizers import GumbelSoftmax, Memcodes
from nwt_tf.studies.runs import Curve, each_seed, fingerprint, mean_and_spread, train
from nwt_tf.studies.scalar_quantizers import FiniteScalar, LookupFree
from nwt_tf.studies.trainer import StudyTrainer
from nwt_tf.studies.vector_quantizers import VectorEMA, VectorQuantizer

QUANTIZERS = {
    "memcodes": Memcodes,
    "vq_ema": VectorEMA,
    "vq": VectorQuantizer,
    "fsq": FiniteScalar,
    "lfq": LookupFree,
    "gumbel_softmax": GumbelSoftmax,
}
LOSS_IS_A_KL = ("memcodes", "gumbel_softmax")
SETTLING = 1000  # training pictures that statistics are measured on
COLLAPSED = 0.25  # of the bits that codes could carry: below, a run counts as collapsed


def compare_quantizers(
    train_pictures, test_pictures, config, folder, seeds, quantizers=tuple(QUANTIZERS)
):
    """Every quantiser at every batch size.

    Args:
        train_pictures, test_pictures: uint8 [N, height, width, channels].
        config: a configs.mnist.Comparison.
        folder: pathlib folder for runs.
        seeds: ints.
        quantizers: of QUANTIZERS.

    Returns:
        {quantiser: {batch size: {figure: {"mean", "spread", "runs"}, "collapses": n}}}; see
        `measure` for the figures.
    """
    found, data = {}, fingerprint(train_pictures, test_pictures)
    for name in quantizers:
        found[name] = {}
        for batch_size in config.batch_sizes:

            def run(seed, name=name, batch_size=batch_size):
                return _run(name, {}, train_pictures, test_pictures, config, batch_size, seed)[0]

            settings = _plain(config, name, data)
            runs = each_seed(folder, f"{name}_batch{batch_size}", settings, seeds, run)
            found[name][batch_size] = _summary(runs)
    return found


def compare_gradients(train_pictures, test_pictures, config, folder, seeds):
    """Gumbel-max with straight-through against natural sampling with straight-through (B.1.5).

    Args and returns: as compare_quantizers, for `gumbel_max` and `natural`; the curves of held-out
    pixel L1 are drawn, a picture a batch size.
    """
    found, data = {"gumbel_max": {}, "natural": {}}, fingerprint(train_pictures, test_pictures)
    for batch_size in config.batch_sizes:
        curves = {}
        for name in found:

            def run(seed, natural=name == "natural", batch_size=batch_size):
                arguments = {"natural": natural}
                figures, curve = _run(
                    "memcodes", arguments, train_pictures, test_pictures, config, batch_size, seed
                )
                return {**figures, "curve_steps": curve.steps, "curve_l1": curve.l1}

            settings = _plain(config, "memcodes", data)
            runs = each_seed(folder, f"{name}_batch{batch_size}", settings, seeds, run)
            found[name][batch_size] = _summary(runs)
            curves[name] = [(run["curve_steps"], run["curve_l1"]) for run in runs]
        pictures.draw_curves(
            folder / f"gradient_batch{batch_size}.png", curves, "held-out pixel L1"
        )
    return found


def measure(autoencoder, test_pictures):
    """What the arg max codes of held-out pictures carry, and what comes back.

    Args:
        autoencoder: an Autoencoder.
        test_pictures: uint8 [N, height, width, channels].

    Returns:
        {"psnr" in dB, "ssim": means over pictures; "perplexity" of the codes, the mean over heads;
        "dead_codes": codes of all heads that no picture uses; "entropy_bits": of a Memcode, the
        heads' zeroth-order entropies added; "coded_bits": of a Memcode, what the codec's context
        coder makes of the pictures in their order, its learning included; "bits_share":
        entropy_bits, of what a Memcode could carry}.
    """
    num_codes = autoencoder.quantizer.num_codes
    codes = autoencoder.encode(test_pictures)
    made = autoencoder.decode(codes)
    usage = code_usage(codes, num_codes)
    coded = ContextCoder(codes.shape[1:], num_codes).encode(codes.astype(np.uint8))
    return {
        "psnr": float(frame_psnr(test_pictures, made).mean()),
        "ssim": float(frame_ssim(test_pictures, made).mean()),
        "perplexity": float(np.mean(usage["perplexity_per_head"])),
        "dead_codes": int((code_histogram(codes, num_codes) == 0).sum()),
        "entropy_bits": usage["bits_per_memcode"],
        "coded_bits": 8 * len(coded) / math.prod(codes.shape[:3]),
        "bits_share": usage["bits_per_memcode"] / (codes.shape[-1] * math.log2(num_codes)),
    }


def _run(name, arguments, train_pictures, test_pictures, config, batch_size, seed):
    """(figures of one training, its Curve)."""
    height, width, channels = train_pictures.shape[1:]
    model = config.model
    autoencoder = Autoencoder(
        QUANTIZERS[name](model.num_heads, model.num_codes, model.code_dim, **arguments),
        height,
        width,
        channels,
        stages=model.stages,
        hidden=model.hidden,
        depth=model.depth,
        single=model.single,
        normalize=model.normalize,
    )
    autoencoder.build()
    autoencoder.start_from(train_pictures[:1000])
    weights = np.array(getattr(config.loss_weights, name))
    if name in LOSS_IS_A_KL:
        # A KL is a Memcode's: added over the picture, and divided by its values like the pixels.
        weights *= autoencoder.grid[0] * autoencoder.grid[1] / (height * width * channels)
    first, last = config.temperatures
    trainer = StudyTrainer(
        autoencoder,
        quantizer=tuple(weights.tolist()),
        temperatures=(first, last, config.train.steps),
        seed=seed,
    )
    seen = train_pictures[:: -(-len(train_pictures) // SETTLING)]
    curve = Curve(test_pictures[: config.curve_pictures], seen)
    settings = dataclasses.replace(config.train, batch_size=batch_size)
    labels = np.zeros(len(train_pictures), np.int32)
    train(trainer, train_pictures, labels, settings, callbacks=[curve])
    autoencoder.settle(seen)
    figures = measure(autoencoder, test_pictures)
    diverged = int(trainer.diverged_step) >= 0
    figures["collapsed"] = bool(diverged or figures["bits_share"] < COLLAPSED)
    return {**figures, "step_ms": curve.step_ms}, curve


def _summary(runs):
    summary = mean_and_spread(runs)
    del summary["collapsed"]
    return {**summary, "collapses": sum(run["collapsed"] for run in runs)}


def _plain(config, name, data):
    """What makes two runs of a quantiser the same: others and their weights do not matter."""
    settings = dataclasses.asdict(config) | {"data": data}
    settings["loss_weights"] = settings["loss_weights"][name]
    del settings["batch_sizes"]
    return settings
