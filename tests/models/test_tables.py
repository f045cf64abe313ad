"""Tables 4, 5 and 6 row by row, and C.2's numbers: what the `paper` configs are made of.

Each row stands as the paper prints it: kernel, strides, dilation, groups, width. Where it could not
be taken at its word, the row says so.
"""

import dataclasses

import keras
import pytest

from configs import dvae as dvae_configs
from configs import prior as prior_configs
from nwt_tf.layers.residual import ResidualBlock2D, leaky_relu
from nwt_tf.models import critics as critics_module
from nwt_tf.models.critics import Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.priors import KINDS


def row(layer):
    """(kernel, width), and strides, dilation in time and groups where they are not one."""
    kernel = layer.kernel_size
    kernel = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
    found = [kernel, layer.filters]
    for name, more in (
        ("stride", getattr(layer, "strides", (1,))),
        ("dilation", getattr(layer, "dilation", None) or getattr(layer, "dilation_rate", (1,))),
        ("groups", getattr(layer, "groups", 1)),
    ):
        more = tuple(more) if isinstance(more, list | tuple) else (more,)
        if set(more) != {1}:
            found.append((name, *(more if name == "stride" and len(kernel) == 3 else more[:1])))
    return tuple(found)


def rows(layers):
    return [row(layer) for layer in layers]


def stage(blocks, width, resampling):
    return [((4, 4), width)] * blocks + [((4, 4), width, *resampling)]


@pytest.fixture(scope="module")
def dvae():
    return DVAE(**dataclasses.asdict(dvae_configs.get_config("paper").model))


def test_table_4a_encoder(dvae):
    down = [("stride", 2)]
    assert rows(dvae.encoder.frame_layers) == [
        ((4, 4), 32),
        *stage(3, 64, down),
        *stage(4, 128, down),
        *stage(6, 256, down),
        *stage(3, 256, down),
    ]
    kinds = [type(layer) is ResidualBlock2D for layer in dvae.encoder.frame_layers]
    one = [True] * 3 + [False]
    assert kinds == [False, *one, True, *one, *[True] * 6, False, *one]
    temporal = [((4, 2, 2), 256), ((2, 2, 2), 512), ((2, 2, 2), 512)]
    assert rows(dvae.encoder.temporal_layers) == temporal
    assert rows(dvae.decoder.temporal_layers) == temporal[::-1]


def test_table_4a_attention(dvae):
    attention = dvae.attention
    assert (attention.num_heads, attention.num_codes, attention.code_dim) == (8, 8, 1024)
    assert (dvae.height, dvae.width, dvae.grid) == (256, 224, (16, 14))


def test_table_4a_decoder(dvae):
    """NNU + Conv2D: nearest neighbours by two, then a convolution of stride 1."""
    stages = [(row(up), rows(blocks)) for up, blocks in dvae.decoder.stages]
    assert stages == [
        (((4, 4), width), [((4, 4), width)] * blocks)
        for width, blocks in ((256, 3), (256, 6), (128, 4), (64, 3))
    ]
    assert row(dvae.decoder.pixels) == ((4, 4), 3)
    assert dvae.decoder.pixels.activation is keras.activations.tanh


def test_every_layer_of_table_4_is_a_leaky_relu_of_a_fifth_but_the_pixels(dvae):
    plain = [
        layer
        for layer in dvae._flatten_layers()
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv3D)
        and layer is not dvae.decoder.pixels
        and not layer.name.startswith("conv")  # in residual blocks, which activate their sum
    ]
    assert len(plain) == 1 + 4 + 3 + 3 + 4
    assert all(layer.activation is leaky_relu for layer in plain)
    critics = Critics(dvae_configs.get_config("paper").critics)
    for critic in critics.members:
        assert all(layer.activation is critics_module.leaky_relu for layer in critic.hidden)


def test_mem8_has_one_more_stage_in_encoder_and_decoder():
    dvae = DVAE(**dataclasses.asdict(dvae_configs.get_config("paper_mem8").model))
    assert dvae.grid == (8, 7)
    assert rows(dvae.encoder.frame_layers)[-4:] == stage(3, 256, [("stride", 2)])
    up, blocks = dvae.decoder.stages[0]
    assert (row(up), rows(blocks)) == (((4, 4), 256), [((4, 4), 256)] * 3)


def test_table_4b_critics():
    """The second Conv2D critic's row of 'groups = 04' is the print's double of the one before."""
    critics = Critics(dvae_configs.get_config("paper").critics).members
    clips = ("stride", 1, 4, 4)
    assert rows(critics[0].hidden) == [
        ((1, 4, 4), 32),
        ((2, 4, 4), 64, clips),
        ((2, 4, 4), 512, clips),
        ((4, 2, 2), 512),
    ]
    half = ("stride", 2)
    assert rows(critics[1].hidden) == [
        ((2, 2), 32),
        ((4, 4), 128, half, ("groups", 16)),
        ((4, 4), 512, half, ("groups", 64)),
        ((4, 4), 512, half, ("groups", 64)),
        ((2, 2), 512),
    ]
    assert rows(critics[2].hidden) == [
        ((4, 4), 32),
        ((8, 8), 128, ("stride", 4), ("groups", 16)),
        ((4, 4), 512, half, ("groups", 64)),
        ((4, 4), 1024, half, ("groups", 256)),
        ((4, 4), 1024, half, ("groups", 256)),
        ((2, 2), 1024),
    ]
    for critic in critics:
        assert row(critic.output_layer) == ((1,) * critic.rank, 1)
        assert critic.output_layer.activation is keras.activations.linear


def prior(variant):
    arguments = dataclasses.asdict(prior_configs.get_config(variant).model)
    return KINDS[arguments.pop("kind")](**arguments)


@pytest.mark.parametrize(
    ("variant", "audio", "style"),
    [
        ("paper", (256, 256), (256, 128)),
        ("paper_mar", (256, 128, 64, 64), (256, 128, 64, 64)),
        ("paper_har", (256, 128, 64, 64), (256, 128, 64, 64)),
    ],
)
def test_tables_5_and_6_encoders(variant, audio, style):
    """The first audio row is printed 3, stride 3: 40 a second, which no video rate here is."""
    model = prior(variant)
    assert rows(model.audio_encoder.convs) == [
        ((4,), 256, ("stride", 4)),
        ((3,), 256),
        ((3,), 256),
        ((3,), 512),
        ((3,), 512, ("dilation", 2)),
        ((3,), 512, ("dilation", 4)),
        ((3,), 1024, ("dilation", 8)),
    ]
    assert rows(model.style_encoder.convs) == [
        ((2, 2, 2), 256, ("stride", 1, 2, 2)),
        ((2, 2, 2), 512),
        ((3, 2, 2), 512, ("dilation", 3)),
        ((3, 2, 2), 512, ("dilation", 9)),
    ]
    assert model.style_encoder.posterior.units == 16 * 2
    for pyramid, widths in (
        (model.audio_encoder.pyramid, audio),
        (model.style_grid.pyramid, style),
    ):
        levels = [rows(level) for level in pyramid.levels]
        assert levels == [[((3, 2, 2), width)] * 3 for width in widths]
    mish = keras.activations.mish
    assert all(conv.activation is mish for conv in model.audio_encoder.convs)
    assert all(conv.activation is mish for conv in model.style_encoder.convs)


def test_table_5_decoder():
    """The residual rows are printed 1024 wide and partly without spatial taps: docs/results.md says
    why they are 1024, 2048, 1024 with all their taps."""
    far = prior("paper")
    assert (far.embedding.num_codes, far.embedding.dim, far.embedding.merge) == (8, 128, "concat")
    half = ("stride", 2)
    assert rows(far.down) == [((4, 4), 1024, half), ((4, 4), 1024), ((4, 4), 1024, half)]
    assert [projection.filters for projection in far.projections] == [1024] * 3
    blocks = [
        [(conv.kernel_size, conv.filters, conv.dilation) for conv in block] for block in far.blocks
    ]
    assert blocks == [
        [((3, 2, 2), 1024, a), ((3, 2, 2), 2048, b), ((3, 2, 2), 1024, c)]
        for a, b, c in ((1, 1, 2), (1, 2, 2), (1, 2, 1))
    ]
    assert (far.up_factors, rows(far.up)) == ((2, 1, 2), [((4, 4), 1024)] * 3)
    assert far.output_layer.units == 8 * 8
    assert (far.side, far.small, far.grid) == (16, 4, (16, 14))


@pytest.mark.parametrize("variant", ["paper_mar", "paper_har"])
def test_table_6_decoder(variant):
    mar = prior(variant)
    assert (mar.embedding.num_codes, mar.embedding.dim) == (8, 64)
    assert [projection.filters for projection in mar.projections] == [512] * 3
    blocks = [[(*conv.kernel_size, conv.dilation, conv.filters) for conv in b] for b in mar.blocks]
    assert blocks == [
        [(4, 1, 1024), (4, 2, 2048), (4, 4, 1024)],
        [(4, 8, 1024), (4, 16, 2048), (4, 32, 1024)],
        [(4, 64, 1024), (4, 128, 1024), (4, 256, 1024), (4, 512, 1024)],
    ]
    assert mar.output_layer.units == (8 * 8 if variant == "paper_mar" else 8)


def test_c_2_1():
    config = dvae_configs.get_config("paper")
    train, loss = config.train, config.loss
    assert (train.steps, train.batch_size, train.clip_frames) == (150_000, 16, 30)
    assert train.betas == train.critic_betas == (0.9, 0.999)
    assert (train.epsilon, train.schedule) == (1e-7, "constant")
    assert train.learning_rate == train.critic_rate == 1e-4
    assert (loss.recon, loss.gan, loss.gradient_penalty) == (1.0, 5e-3, 10.0)
    assert loss.kl == 1 / 768  # footnote 3: Memcodes a frame over values of its pixels
    assert dvae_configs.get_config("paper_mem8").loss.kl == 1 / 3072
    assert (loss.kl_midpoint, loss.kl_rate) == (5000, 1e-3)
    assert loss.penalty_of_sum  # where equation 9 leaves the choice


@pytest.mark.parametrize("variant", ["paper", "paper_mar", "paper_har"])
def test_c_2_2(variant):
    config = prior_configs.get_config(variant)
    train = config.train
    assert (train.steps, train.batch_size, train.clip_frames) == (250_000, 64, 32)
    assert (train.betas, train.epsilon) == ((0.9, 0.999), 1e-7)
    assert (train.schedule, train.halve_every) == ("halving", 50_000)
    assert (train.learning_rate, train.minimum_rate) == (1e-4, 1e-5)
    assert config.loss.style_kl == 1.0


@pytest.mark.parametrize(
    ("stages", "variant"),
    [
        (dvae_configs, "paper"),
        (dvae_configs, "paper_mem8"),
        (prior_configs, "paper"),
        (prior_configs, "paper_mar"),
        (prior_configs, "paper_har"),
    ],
)
def test_nothing_that_the_paper_does_without_is_on(stages, variant):
    config = stages.get_config(variant)
    train, loss = config.train, config.loss
    assert (train.clip_norm, train.ema, train.episode_dropout) == (0.0, 0.0, 0.0)
    assert not train.mixed_precision and train.tensor_float_32
    of_loss = "normalize_features score_drift motion_share history_noise history_dropout "
    of_loss += "history_warmup sound_dropout window_frames"
    of_model = "normalize_queries normalize_audio causal_audio"
    of_train = "warmup skip_nonfinite"
    for part, names in ((loss, of_loss), (config.model, of_model), (train, of_train)):
        assert not any(vars(part).get(name) for name in names.split())
