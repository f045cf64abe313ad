"""Prior experiments: `paper`, `small`, `tiny`, `demo`.

    nwt train_prior --data_dir CODES --workdir WORK --config=small

`paper` is FAR of Table 5 with C.2.2. Grid, heads, codes, rate and episodes come from the extracted
codes.
"""

import dataclasses


@dataclasses.dataclass
class Model:
    """Arguments of nwt_tf.models.far.FAR; the defaults are Table 5."""

    kind: str = "far"
    episode_dim: int = 128
    audio_widths: tuple = (256, 256, 256, 512, 512, 512, 1024)
    audio_pyramid: tuple = (256, 256)
    style_dim: int = 16
    style_widths: tuple = (256, 512, 512, 512)
    style_pyramid: tuple = (256, 128)
    embedding_dim: int = 128
    width: int = 1024
    hidden: int = 2048
    strides: tuple = (2, 1, 2)
    dilations: tuple = ((1, 1, 2), (1, 2, 2), (1, 2, 1))


@dataclasses.dataclass
class Loss:
    """Of nwt_tf.training.prior_trainer.PriorTrainer."""

    style_kl: float = 1.0  # beta_l
    history_noise: float = 0.0


@dataclasses.dataclass
class Train:
    """The defaults are C.2.2."""

    batch_size: int = 64
    clip_frames: int = 32
    steps: int = 250_000
    schedule: str = "halving"  # constant, halving or cosine
    learning_rate: float = 1e-4
    minimum_rate: float = 1e-5
    halve_every: int = 50_000
    warmup: int = 0
    betas: tuple = (0.9, 0.999)
    epsilon: float = 1e-7
    clip_norm: float = 0.0  # of all gradients together; 0 is off
    ema: float = 0.0
    episode_dropout: float = 0.1
    mixed_precision: bool = False  # bfloat16 activations, float32 weights; GPU only
    seed: int = 0
    log_every: int = 50
    validate_every: int = 1000
    checkpoint_minutes: float = 10.0


@dataclasses.dataclass
class PriorConfig:
    """One experiment."""

    model: Model = dataclasses.field(default_factory=Model)
    loss: Loss = dataclasses.field(default_factory=Loss)
    train: Train = dataclasses.field(default_factory=Train)


def paper():
    """Table 5 and C.2.2 as printed."""
    return PriorConfig()


def small():
    """FAR of 10 M parameters for 16x14 Memcodes of GRID, whole 3 s clips, bfloat16."""
    return PriorConfig(
        model=Model(
            episode_dim=16,
            audio_widths=(96, 96, 96, 128, 128, 128, 192),
            audio_pyramid=(64, 48),
            style_widths=(64, 128, 128, 128),
            style_pyramid=(32, 24),
            embedding_dim=24,
            width=160,
            hidden=320,
        ),
        loss=Loss(history_noise=0.3),
        train=Train(
            batch_size=32,
            clip_frames=75,
            steps=3000,
            schedule="cosine",
            learning_rate=1e-3,
            minimum_rate=1e-5,
            warmup=200,
            betas=(0.9, 0.98),
            clip_norm=1.0,
            ema=0.998,
            mixed_precision=True,
        ),
    )


def tiny():
    """Seconds on a CPU, for tests."""
    return PriorConfig(
        model=Model(
            episode_dim=4,
            audio_widths=(8,) * 7,
            audio_pyramid=(8, 8),
            style_dim=4,
            style_widths=(8,) * 4,
            style_pyramid=(8, 8),
            embedding_dim=4,
            width=16,
            hidden=16,
            strides=(2, 1, 1),
        ),
        loss=Loss(history_noise=0.2),
        train=Train(
            batch_size=2,
            clip_frames=8,
            steps=4,
            schedule="constant",
            learning_rate=1e-3,
            ema=0.9,
            log_every=2,
            validate_every=4,
        ),
    )


def demo():
    """FAR for the demo's 8x7 Memcodes: learns mouth from sound in minutes on two cores."""
    config = tiny()
    config.model = Model(
        episode_dim=8,
        audio_widths=(48,) * 7,
        audio_pyramid=(24, 24),
        style_dim=4,
        style_widths=(16,) * 4,
        style_pyramid=(8, 8),
        embedding_dim=8,
        width=64,
        hidden=64,
        strides=(2, 1, 1),
    )
    config.loss = Loss(history_noise=0.5)
    config.train = dataclasses.replace(
        config.train,
        batch_size=8,
        clip_frames=32,
        steps=400,
        schedule="cosine",
        learning_rate=3e-3,
        minimum_rate=2e-4,
        warmup=20,
        clip_norm=1.0,
        ema=0.98,
        log_every=10,
        validate_every=200,
    )
    return config


def get_config(name="small"):
    """The experiment `name`: paper, small, tiny or demo."""
    variants = {"paper": paper, "small": small, "tiny": tiny, "demo": demo}
    if name not in variants:
        raise ValueError(f"there is no variant {name!r}; there are {', '.join(variants)}")
    return variants[name]()
