"""What a prior experiment can set; the defaults are Tables 5 and 6 and C.2.2."""

import dataclasses


@dataclasses.dataclass
class FARModel:
    """Arguments of nwt_tf.models.far.FAR; the defaults are Table 5."""

    kind: str = "far"
    episode_dim: int = 128
    audio_widths: tuple = (256, 256, 256, 512, 512, 512, 1024)
    audio_pyramid: tuple = (256, 256)
    style_dim: int = 16
    style_widths: tuple = (256, 512, 512, 512)
    style_pyramid: tuple = (256, 128)
    embedding_dim: int = 128
    causal_audio: bool = False  # no look-ahead in the sound; the paper's encoder looks ahead
    normalize_audio: bool = False  # features of zero mean and unit spread; not in the paper
    width: int = 1024
    hidden: int = 2048
    strides: tuple = (2, 1, 2)
    dilations: tuple = ((1, 1, 2), (1, 2, 2), (1, 2, 1))


@dataclasses.dataclass
class MARModel:
    """Arguments of nwt_tf.models.mar.MAR; the defaults are Table 6."""

    kind: str = "mar"
    episode_dim: int = 64
    audio_widths: tuple = (256, 256, 256, 512, 512, 512, 1024)
    audio_pyramid: tuple = (256, 128, 64, 64)
    style_dim: int = 16
    style_widths: tuple = (256, 512, 512, 512)
    style_pyramid: tuple = (256, 128, 64, 64)
    embedding_dim: int = 64
    causal_audio: bool = False  # see FARModel
    normalize_audio: bool = False
    projection: int = 512
    blocks: tuple = (
        ((1024, 1), (2048, 2), (1024, 4)),
        ((1024, 8), (2048, 16), (1024, 32)),
        ((1024, 64), (1024, 128), (1024, 256), (1024, 512)),
    )
    kernel_size: int = 4


@dataclasses.dataclass
class HARModel(MARModel):
    """Arguments of nwt_tf.models.har.HAR; the paper names it and gives no table."""

    kind: str = "har"
    head_width: int = 256


@dataclasses.dataclass
class Loss:
    """Of nwt_tf.training.prior_trainer.PriorTrainer."""

    style_kl: float = 1.0  # beta_l
    history_noise: float = 0.0
    history_dropout: float = 0.0  # share of clips shown no history
    history_warmup: int = 0  # steps in which that share falls from 1
    sound_dropout: float = 0.0  # share of clips whose decoder is not told the sound, for guidance
    window_frames: int = 0  # of a clip, that the decoder is trained on; 0 is all


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
    episode_dropout: float = 0.0  # share of clips trained as 'none', which else stays untrained
    mixed_precision: bool = False  # bfloat16 activations, float32 weights; GPU only
    tensor_float_32: bool = True  # of float32 products on GPUs, as in the paper; False is exact
    rematerialise: bool = False  # less memory: taps and patches are not kept
    num_accumulated: int = 1  # parts of a batch, one after the other: less memory
    steps_per_execution: int = 1  # steps a call from the host
    skip_nonfinite: bool = False  # leave such updates out, counted, instead of stopping
    seed: int = 0
    log_every: int = 50
    validate_every: int = 1000
    checkpoint_minutes: float = 10.0
    keep_best: int = 1  # presets in WORKDIR/best, by validation/bits_per_code; 0 keeps none
    samples: int = 2  # up to 8 clips drawn from their sound a validation, pictured; 0: none


@dataclasses.dataclass
class PriorConfig:
    """One experiment."""

    model: FARModel = dataclasses.field(default_factory=FARModel)
    loss: Loss = dataclasses.field(default_factory=Loss)
    train: Train = dataclasses.field(default_factory=Train)


@dataclasses.dataclass
class MARConfig(PriorConfig):
    """An experiment with MAR."""

    model: MARModel = dataclasses.field(default_factory=MARModel)


@dataclasses.dataclass
class HARConfig(PriorConfig):
    """An experiment with HAR."""

    model: HARModel = dataclasses.field(default_factory=HARModel)
