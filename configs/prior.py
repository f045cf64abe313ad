"""Prior experiments: `paper`, `small`, `tiny`, `demo`, `*_mar` and `*_har` of the first three,
`small_causal`.

    nwt train_prior --data_dir CODES --workdir WORK --config=small

`paper` is FAR of Table 5, `paper_mar` MAR of Table 6, both with C.2.2. Grid, heads, codes, rate and
episodes come from the extracted codes.
"""

import dataclasses

from configs.prior_fields import (
    FARModel,
    HARConfig,
    HARModel,
    Loss,
    MARConfig,
    MARModel,
    PriorConfig,
    Train,
)


def paper():
    """Table 5 and C.2.2 as printed.

    The initial weights, which the paper leaves open: the audio encoder of every prior starts with
    unit spread over 16 training clips (AudioEncoder.calibrate); layers.initializers has the rest.
    """
    return PriorConfig()


def paper_mar():
    """Table 6 and C.2.2 as printed."""
    return MARConfig()


def paper_har():
    """Table 6 with a network over the heads behind it."""
    return HARConfig()


def small():
    """FAR of 11 M parameters for 16x14 Memcodes of GRID, whole 3 s clips, bfloat16.

    History is withheld and corrupted, and the style's KL weighed tenfold, because an hour of
    footage is learnt by heart otherwise. Figures: docs/results.md.
    """
    return PriorConfig(
        model=FARModel(
            episode_dim=16,
            audio_widths=(96, 96, 96, 128, 128, 128, 192),
            audio_pyramid=(64, 48),
            style_widths=(64, 128, 128, 128),
            style_pyramid=(32, 24),
            embedding_dim=24,
            normalize_audio=True,
            width=160,
            hidden=320,
        ),
        loss=Loss(style_kl=10.0, history_noise=1.0, history_dropout=0.4, history_warmup=500),
        train=Train(
            batch_size=32,
            clip_frames=75,
            steps=3000,
            validate_every=500,
            schedule="cosine",
            learning_rate=1e-3,
            minimum_rate=1e-5,
            warmup=200,
            betas=(0.9, 0.98),
            clip_norm=1.0,
            ema=0.998,
            mixed_precision=True,
            episode_dropout=0.1,
        ),
    )


def small_causal():
    """`small` with an audio encoder that does not look ahead, for streams without delay."""
    config = small()
    config.model.causal_audio = True
    return config


def small_mar():
    """MAR of 11 M parameters for 16x14 Memcodes of GRID; bfloat16."""
    config = small()
    model = MARModel(
        episode_dim=16,
        audio_widths=config.model.audio_widths,
        audio_pyramid=(48, 32, 16, 16),
        style_widths=(32, 96, 96, 96),
        style_pyramid=(32, 24, 16, 12),
        embedding_dim=64,
        normalize_audio=True,
        projection=192,
        blocks=(
            ((256, 1), (512, 2), (256, 4)),
            ((256, 8), (512, 16), (256, 32)),
            ((256, 64), (256, 128), (256, 256), (256, 512)),
        ),
    )
    train = dataclasses.replace(config.train, batch_size=16, clip_frames=32, learning_rate=5e-4)
    return MARConfig(model, config.loss, train)


def small_har():
    """`small_mar` with a network over the heads behind it."""
    config = small_mar()
    return HARConfig(_head_model(config.model, 96), config.loss, config.train)


def _head_model(model, head_width):
    arguments = {**dataclasses.asdict(model), "kind": "har", "head_width": head_width}
    return HARModel(**arguments)


def tiny():
    """Seconds on a CPU, for tests, most of them for tracing: one block where Table 5 has three."""
    return PriorConfig(
        model=FARModel(
            episode_dim=4,
            audio_widths=(8,) * 7,
            audio_pyramid=(8, 8),
            style_dim=4,
            style_widths=(8,) * 4,
            style_pyramid=(8, 8),
            embedding_dim=4,
            width=16,
            hidden=16,
            strides=(2,),
            dilations=((1, 2, 1),),
        ),
        loss=Loss(history_noise=0.2),
        train=Train(
            batch_size=2,
            clip_frames=8,
            steps=4,
            schedule="constant",
            learning_rate=1e-3,
            ema=0.9,
            episode_dropout=0.1,
            log_every=2,
            validate_every=4,
            samples=0,
        ),
    )


def tiny_mar():
    """MAR at the width of `tiny`."""
    config = tiny()
    model = MARModel(
        episode_dim=4,
        audio_widths=(8,) * 7,
        audio_pyramid=(8, 8, 4),
        style_dim=4,
        style_widths=(8,) * 4,
        style_pyramid=(8, 8, 4),
        embedding_dim=8,
        projection=16,
        blocks=(((16, 1), (16, 2)), ((16, 4), (16, 16))),
    )
    return MARConfig(model, config.loss, config.train)


def tiny_har():
    """HAR at the width of `tiny`."""
    config = tiny_mar()
    return HARConfig(_head_model(config.model, 8), config.loss, config.train)


def demo():
    """FAR for the demo's 16x14 Memcodes, in minutes on two CPU cores.

    What makes it listen within so few steps: no history for all clips at first and for 40 %
    of them in the end, and a corrupted one for the rest; an audio encoder that starts at unit
    spread (AudioEncoder.calibrate), with normalised features, and that hears more than the decoder
    is trained on. A weight of the style's KL above 1 keeps the look in the episode's embedding.
    Figures: docs/results.md.
    """
    config = tiny()
    config.model = FARModel(
        episode_dim=8,
        audio_widths=(32,) * 7,
        audio_pyramid=(16, 16),
        style_dim=4,
        style_widths=(16,) * 4,
        style_pyramid=(8, 8),
        embedding_dim=4,
        normalize_audio=True,
        width=32,
        hidden=32,
        strides=(2, 1, 2),
    )
    config.loss = Loss(style_kl=10.0, history_noise=1.0, history_dropout=0.4, history_warmup=300)
    config.loss.window_frames = 20
    config.train = dataclasses.replace(
        config.train,
        batch_size=4,
        clip_frames=45,
        steps=1500,
        schedule="cosine",
        learning_rate=1.6e-3,
        minimum_rate=1e-4,
        warmup=50,
        betas=(0.9, 0.99),
        clip_norm=1.0,
        ema=0.98,
        log_every=20,
        validate_every=500,
    )
    return config


def get_config(name="small"):
    """The experiment `name`, one of those above."""
    variants = {
        "paper": paper,
        "paper_mar": paper_mar,
        "paper_har": paper_har,
        "small": small,
        "small_causal": small_causal,
        "small_mar": small_mar,
        "small_har": small_har,
        "tiny": tiny,
        "tiny_mar": tiny_mar,
        "tiny_har": tiny_har,
        "demo": demo,
    }
    if name not in variants:
        raise ValueError(f"there is no variant {name!r}; there are {', '.join(variants)}")
    return variants[name]()
