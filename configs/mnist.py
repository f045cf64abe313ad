"""Settings of `nwt mnist`: `small`, which docs/memcodes.md starts from, and `tiny` for tests.

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
    dense_decoder: bool = False
    normalize: bool = False  # queries of zero mean and unit spread; not in the paper


@dataclasses.dataclass
class Loss:
    """Weights of nwt_tf.studies.trainer.StudyTrainer.

    The reconstruction loss is a mean over the 784 pixels, so that the ELBO with a Laplace
    distribution of scale b has the KL weight b / 784.
    """

    kl: tuple = (6e-4, 1 / 784)  # first and last; the first is what fits the pixels
    kl_midpoint: float = 300.0  # of its way from first to last: a step, and the growth a step
    kl_rate: float = 2e-2
    kl_cooling: tuple = ()  # then on to another weight: (weight, step, step)
    gan: float = 5e-3  # gamma
    head_start: int = 300  # steps on the pixels, while the critic learns its first features
    classification: float = 50.0
    normalize_features: bool = True
    score_drift: float = 1e-3


@dataclasses.dataclass
class Train:
    """One training. Rates fall along a cosine to `last_rate` of themselves."""

    batch_size: int = 128
    steps: int = 10_000
    learning_rate: float = 2e-3
    last_rate: float = 1 / 30
    critic_rate: float = 1e-3
    critic_cosine: bool = False  # whether the critic's falls too
    warmup: int = 300
    classifier_steps: int = 1500  # of the pre-trained classifier, of classifier_batch pictures
    classifier_batch: int = 128
    classifier_rate: float = 2e-3


def dense(*widths):
    """Layers of a critic that sees the whole picture at once."""
    first, *others = widths
    return (
        (first, (28, 28), (28, 28), 1),
        *((width, (1, 1), (1, 1), 1) for width in others),
    )


def convolutions(first, second, *widths):
    """Layers of a critic: two of stride 2, and then as of a dense one."""
    last, *others = widths
    return (
        (first, (4, 4), (2, 2), 1),
        (second, (4, 4), (2, 2), 1),
        (last, (7, 7), (7, 7), 1),
        *((width, (1, 1), (1, 1), 1) for width in others),
    )


@dataclasses.dataclass
class Study:
    """A dVAE of Appendix A, and its critic: (filters, kernel, stride, groups) a layer.

    `critic_activation` is that of a DigitCritic's last hidden layer.
    """

    model: Model = dataclasses.field(default_factory=Model)
    critic: tuple = convolutions(16, 32, 128)
    critic_activation: str = "leaky_relu"
    loss: Loss = dataclasses.field(default_factory=Loss)
    train: Train = dataclasses.field(default_factory=Train)


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
class LossWeights:
    """(first, last) factor of each quantiser's own loss, chosen on digits.

    That of memcodes and gumbel_softmax is a KL, which is also divided by the pictures' values (b is
    then the ELBO of scale b).
    """

    memcodes: tuple = (2.4, 0.15)
    vq_ema: tuple = (1.0, 1.0)
    vq: tuple = (1.0, 1.0)
    fsq: tuple = (0.0, 0.0)
    lfq: tuple = (1.0, 1.0)
    gumbel_softmax: tuple = (2.4, 0.15)


@dataclasses.dataclass
class Comparison:
    """Quantisers, or gradients, beside one another."""

    model: ComparisonModel = dataclasses.field(default_factory=ComparisonModel)
    train: Train = dataclasses.field(default_factory=Train)
    batch_sizes: tuple = (8, 32, 128, 256)
    loss_weights: LossWeights = dataclasses.field(default_factory=LossWeights)
    temperatures: tuple = (1.0, 0.1)
    curve_pictures: int = 500
    max_frames: int = 20_000  # of a split


def frames():
    """The comparison on video frames: a grid of Memcodes an eighth of the frame's sides.

    Normalised queries and a hundredth of the digits' KL: every quantiser gains by it.
    """
    comparison = Comparison()
    comparison.model = dataclasses.replace(
        comparison.model, stages=(16, 32, 64), hidden=96, single=False, code_dim=64, normalize=True
    )
    kl = (0.024, 0.0015)
    comparison.loss_weights = LossWeights(memcodes=kl, gumbel_softmax=kl)
    comparison.train = dataclasses.replace(comparison.train, batch_size=16)
    return comparison


def elbo():
    """Equation 4; b falls to a quarter, what is measured is without noise."""
    return Study(
        model=Model(stages=(16, 32), hidden=512, depth=1, head_dim=64, dense_decoder=True),
        loss=Loss(kl_cooling=(3e-4, 800, 2200)),
        train=Train(batch_size=256, steps=3000, last_rate=0.01),
    )


def critic():
    """Equation 8, in the features of all the critic's layers, which must mean something first."""
    return Study(
        model=Model(normalize=True),
        loss=Loss(kl=(6e-4, 6e-4), head_start=2000),
        train=Train(steps=4000),
    )


def dvae_class():
    """dVAE-Class. A few features of a tanh say little but the digit; a KL that is strong for a
    while makes codes that correct each other's errors."""
    return Study(
        model=Model(stages=(16, 32), depth=1, dense_decoder=True, normalize=True),
        critic=dense(256, 256, 16),
        critic_activation="tanh",
        loss=Loss(
            kl=(6e-4, 5e-3),
            kl_midpoint=450.0,
            kl_cooling=(2e-3, 700, 2500),
            # At 50 the scores get hold of the features: they tell drawn pictures from real ones.
            classification=1000.0,
        ),
        train=Train(
            batch_size=256, steps=2500, learning_rate=1e-3, last_rate=0.01, critic_cosine=True
        ),
    )


def classifier():
    """Its variant with a pre-trained classifier, of convolutions."""
    study = dvae_class()
    study.critic = convolutions(16, 32, 128, 16)
    # A classifier that stands still lets heads fall silent sooner.
    study.loss = dataclasses.replace(study.loss, kl=(6e-4, 8e-3), kl_cooling=(1e-3, 600, 1500))
    study.train = dataclasses.replace(study.train, steps=1800, classifier_steps=2000)
    return study


@dataclasses.dataclass
class Retrieval:
    """The objectives of Figure 4; `dvae_class` is the one that is called class."""

    elbo: Study = dataclasses.field(default_factory=elbo)
    critic: Study = dataclasses.field(default_factory=critic)
    dvae_class: Study = dataclasses.field(default_factory=dvae_class)
    classifier: Study = dataclasses.field(default_factory=classifier)


@dataclasses.dataclass
class MnistConfig(Study):
    """The study itself is of the permutations and of the heads; `digits` and `frames` are of the
    quantiser and gradient studies."""

    retrieval: Retrieval = dataclasses.field(default_factory=Retrieval)
    digits: Comparison = dataclasses.field(default_factory=Comparison)
    frames: Comparison = dataclasses.field(default_factory=frames)


def small():
    """Every figure of Appendix A, each training in minutes on one CPU core."""
    return MnistConfig()


def tiny():
    """Seconds a study, for tests: nothing is learnt."""
    config = MnistConfig()
    retrieval = config.retrieval
    studies = (retrieval.elbo, retrieval.critic, retrieval.dvae_class, retrieval.classifier)
    for study in (config, *studies):
        study.model = dataclasses.replace(study.model, stages=(4, 4), hidden=16, head_dim=4)
        study.critic = ((4, (4, 4), (4, 4), 1), (8, (7, 7), (7, 7), 1))
        study.train = dataclasses.replace(
            study.train, batch_size=8, steps=4, warmup=1, classifier_steps=4
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
