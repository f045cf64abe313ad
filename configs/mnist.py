"""Settings of `nwt mnist`: `small`, every figure of docs/memcodes.md, and `tiny` for tests.

    nwt mnist --study=retrieval --data_dir=MNIST --output_dir=OUT

Measured, `small`: docs/memcodes.md.
"""

import dataclasses


@dataclasses.dataclass
class Model:
    """Arguments of nwt_tf.studies.autoencoder.Autoencoder; head_dim is code_dim a head."""

    stages: tuple = (8, 24)
    hidden: int = 256
    depth: int = 2
    head_dim: int = 24
    normalize: bool = False  # queries of zero mean and unit spread; not in the paper


@dataclasses.dataclass
class Loss:
    """Weights of nwt_tf.studies.trainer.StudyTrainer; of the KL the first and the last.

    The reconstruction loss is a mean over the 784 pixels, so that the ELBO with a Laplace
    distribution of scale b has the KL weight b / 784.
    """

    elbo_kl: tuple = (6e-4, 1 / 784)
    # The first is what fits the pixels of the head start.
    critic_kl: tuple = (6e-4, 2e-3)  # equation 8, on features of all the critic's layers
    class_kl: tuple = (6e-4, 5e-3)  # dVAE-Class, on those of one layer
    gan: float = 5e-3  # gamma
    kl_midpoint: float = 300.0  # of its way from first to last: a step, and the growth a step
    kl_rate: float = 2e-2
    head_start: int = 300  # steps on the pixels, while the critic learns its first features
    classification: float = 50.0
    label_smoothing: float = 0.0  # of the digits' targets; not in the paper
    normalize_features: bool = True
    score_drift: float = 1e-3


@dataclasses.dataclass
class Train:
    """One training. Rates fall along a cosine to a thirtieth."""

    batch_size: int = 128
    steps: int = 10_000
    learning_rate: float = 2e-3
    critic_rate: float = 1e-3
    warmup: int = 300
    classifier_steps: int = 1500  # of the pre-trained classifier


@dataclasses.dataclass
class ComparisonModel:
    """The autoencoder around the quantisers; 8 heads of 8 codes are the paper's 24 bits."""

    stages: tuple = (8, 24)
    hidden: int = 256
    depth: int = 2
    single: bool = True
    num_heads: int = 8
    num_codes: int = 8
    code_dim: int = 192
    normalize: bool = False  # see Model


@dataclasses.dataclass
class Comparison:
    """Quantisers, or gradients, beside one another.

    `loss_weights` (first, last) multiply each quantiser's own loss; memcodes and gumbel_softmax
    have a KL, which is also divided by the pictures' values (b is then the ELBO of scale b).
    """

    model: ComparisonModel = dataclasses.field(default_factory=ComparisonModel)
    train: Train = dataclasses.field(default_factory=Train)
    quantizers: tuple = ()
    batch_sizes: tuple = (8, 32, 128, 256)
    loss_weights: dict = dataclasses.field(
        default_factory=lambda: {
            "memcodes": (2.4, 0.15),
            "vq_ema": (1.0, 1.0),
            "vq": (1.0, 1.0),
            "fsq": (0.0, 0.0),
            "lfq": (0.1, 0.1),
            "gumbel_softmax": (2.4, 0.15),
        }
    )
    temperatures: tuple = (1.0, 0.1)
    curve_pictures: int = 500
    max_frames: int = 20_000  # of a split


def frames():
    """The comparison on video frames: a grid of Memcodes an eighth of the frame's sides."""
    comparison = Comparison()
    comparison.model = dataclasses.replace(
        comparison.model, stages=(16, 32, 64), hidden=96, single=False, code_dim=64
    )
    comparison.train = dataclasses.replace(comparison.train, batch_size=16)
    return comparison


@dataclasses.dataclass
class MnistConfig:
    """`critic` is (filters, kernel, stride, groups) a layer; `digits` and `frames` are of the
    quantiser and gradient studies."""

    model: Model = dataclasses.field(default_factory=Model)
    critic: tuple = (
        (16, (4, 4), (2, 2), 1),
        (32, (4, 4), (2, 2), 1),
        (128, (7, 7), (7, 7), 1),
    )
    loss: Loss = dataclasses.field(default_factory=Loss)
    train: Train = dataclasses.field(default_factory=Train)
    digits: Comparison = dataclasses.field(default_factory=Comparison)
    frames: Comparison = dataclasses.field(default_factory=frames)


def small():
    """Every figure of Appendix A, each training in minutes on one CPU core."""
    return MnistConfig()


def tiny():
    """Seconds a study, for tests: nothing is learnt."""
    config = MnistConfig(
        model=Model(stages=(4, 4), hidden=16, head_dim=4),
        critic=((4, (4, 4), (4, 4), 1), (8, (7, 7), (7, 7), 1)),
    )
    config.train = dataclasses.replace(
        config.train, batch_size=8, steps=4, warmup=1, classifier_steps=4
    )
    for comparison in (config.digits, config.frames):
        comparison.train = config.train
        comparison.model = dataclasses.replace(
            comparison.model, stages=(4, 4), hidden=16, num_heads=2, num_codes=4, code_dim=8
        )
        comparison.batch_sizes = (4,)
        comparison.curve_pictures = 8
        comparison.max_frames = 40
    return config


def get_config(name="small"):
    """The settings `name`, one of those above."""
    variants = {"small": small, "tiny": tiny}
    if name not in variants:
        raise ValueError(f"there is no variant {name!r}; there are {', '.join(variants)}")
    return variants[name]()
