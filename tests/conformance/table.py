"""The table: every layer and model of nwt_tf, with its inputs and outputs.

Sizes are functions of B (batch) and T (time), so that one row serves any of them. Those that change
with B and T are dynamic in graphs.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from configs.dvae import narrow_critics
from nwt_tf.layers.causal_conv import CausalConv1D, CausalConv3D
from nwt_tf.layers.code_embedding import CodeEmbedding
from nwt_tf.layers.conditioned_projection import ConditionedProjection
from nwt_tf.layers.episode_embedding import EpisodeEmbedding
from nwt_tf.layers.feature_norm import FeatureNorm
from nwt_tf.layers.grouped_conv import GroupedConv
from nwt_tf.layers.hard_attention import MultiHeadHardAttention
from nwt_tf.layers.mel import MelSpectrogram
from nwt_tf.layers.residual import ResidualBlock2D
from nwt_tf.layers.spatially_connected import SpatiallyConnected3D, SpatialPyramid
from nwt_tf.models.audio_encoder import AudioEncoder
from nwt_tf.models.critics import Critic, Critics
from nwt_tf.models.dvae import DVAE
from nwt_tf.models.generator import Decoder, Encoder
from nwt_tf.models.style_encoder import StyleEncoder, StylePyramid
from tests.models import tiny_priors

SEED = (3, 4)
KEY_BIAS = {"attention/key/bias": "adds the same to all codes' logits, which the softmax removes"}


def named(output):
    """{name: tensor} of whatever a call gives: a tensor, a NamedTuple or nested tuples of them."""
    if hasattr(output, "_asdict"):
        return output._asdict()
    if isinstance(output, list | tuple):
        parts = [named(part) for part in output]
        return {f"{i}/{name}": each for i, part in enumerate(parts) for name, each in part.items()}
    return {"output": output}


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer or model.

    make: keyword dtype -> the unbuilt layer.
    inputs: (B, T) -> a list of (kind, shape); kind is 'float', 'wave' or ('int', low, high).
    outputs: (B, T) -> {name: shape}, as `named` names them.
    call: (layer, *inputs) -> outputs.
    tolerance: of mixed_bfloat16's outputs, relative to the float32 ones' spread.
    drawn: outputs that hang on an arg max, which bfloat16 may decide otherwise.
    silent: {end of a weight's path: why it has no gradient}.
    """

    make: Callable
    inputs: Callable
    outputs: Callable
    call: Callable = lambda layer, *inputs: layer(*inputs)
    tolerance: float = 0.05
    drawn: tuple = ()
    silent: dict = dataclasses.field(default_factory=dict)

    def arrays(self, batch, time):
        """The inputs, seeded."""
        rng = np.random.default_rng(batch + 10 * time)
        found = []
        for kind, shape in self.inputs(batch, time):
            if kind == "float":
                found.append(np.float32(rng.normal(size=shape)))
            elif kind == "wave":
                found.append(np.float32(rng.uniform(-0.9, 0.9, shape)))
            else:
                found.append(rng.integers(kind[1], kind[2], shape).astype(np.int32))
        return [tf.constant(array) for array in found]

    def signature(self):
        """tf.TensorSpec an input, with None for what changes with B or T."""
        pairs = zip(self.inputs(2, 3), self.inputs(3, 5), self.arrays(2, 3), strict=True)
        return [
            tf.TensorSpec([p if p == q else None for p, q in zip(a, b, strict=True)], array.dtype)
            for (_, a), (_, b), array in pairs
        ]


def floats(*shape):
    """One float input; 'B', 'T', '4T' and 'BT' stand for sizes."""
    return lambda b, t: [("float", sizes(shape, b, t))]


def out(*shape):
    """One unnamed output."""
    return lambda b, t: {"output": sizes(shape, b, t)}


def sizes(shape, b, t):
    meaning = {"B": b, "T": t, "4T": 4 * t, "BT": b * t}
    return tuple(meaning.get(size, size) for size in shape)


def prior_row(kind):
    """A prior's call with its style posterior."""
    model, arguments = tiny_priors.KINDS[kind]
    if kind != "far":
        arguments = arguments | {"grid": (2, 1), "audio_pyramid": (6,), "style_pyramid": (6,)}
    h, w = arguments["grid"]
    heads, codes = arguments["num_heads"], arguments["num_codes"]
    return Row(
        lambda dtype: model(**arguments, dtype=dtype),
        lambda b, t: [
            ("float", (b, 4 * t, 80)),
            (("int", 0, codes), (b, t, h, w, heads)),
            (("int", -1, arguments["num_episodes"]), (b,)),
        ],
        lambda b, t: {
            "0/output": (b, t, h, w, heads, codes),
            "1/mean": (b, arguments["style_dim"]),
            "1/std": (b, arguments["style_dim"]),
        },
        call=lambda prior, mel, codes, episode: prior(mel, codes, episode, tf.constant(SEED)),
    )


def dvae_call(dvae, video, episode):
    video, quantized = dvae(video, episode, seed=tf.constant(SEED), training=True)
    probabilities = tf.reshape(quantized.logits, (-1, 4))
    return {"video": video, "codes": quantized.codes, "chance": tf.nn.softmax(probabilities)}


def attention_call(attention, queries, seed=SEED):
    values, codes, logits = attention(queries, seed=seed and tf.constant(seed), training=True)
    chance = tf.nn.softmax(tf.reshape(logits, (-1, 4)))
    return {"values": values, "codes": codes, "chance": chance}


def attention_row(call, **options):
    """Hard attention of 2 heads and 4 codes."""
    return Row(
        lambda dtype: MultiHeadHardAttention(2, 4, 8, dtype=dtype, name="attention"),
        floats("B", "T", 3, 2, 5),
        lambda b, t: {
            "values": (b, t, 3, 2, 8),
            "codes": (b, t, 3, 2, 2),
            "chance": (b * t * 12, 4),
        },
        call=call,
        drawn=("values", "codes"),
        silent=KEY_BIAS,
        **options,
    )


def critic_row(layers, samples, features):
    """A critic: its feature maps and a score a sample."""
    return Row(
        lambda dtype: Critic(layers, dtype=dtype),
        floats(*samples, 8, 8, 3),
        lambda b, t: {
            **{f"0/{i}/output": sizes((*samples, *each), b, t) for i, each in enumerate(features)},
            "1/output": sizes(samples[:1], b, t),
        },
    )


CODES = ("int", -1, 5)
GENERATOR = {"stages": ((6, 1), (8, 1)), "temporal": (8, 8, 6), "res_convs": 2}

TABLE = {
    "causal_conv_1d": Row(
        lambda dtype: CausalConv1D(6, (3,), 2, dtype=dtype),
        floats("B", "T", 5),
        out("B", "T", 6),
    ),
    "causal_conv_3d": Row(
        lambda dtype: CausalConv3D(6, (3, 2, 2), 2, dtype=dtype),
        floats("B", "T", 4, 3, 5),
        out("B", "T", 4, 3, 6),
    ),
    "code_embedding_concat": Row(
        lambda dtype: CodeEmbedding(5, 6, dtype=dtype),
        lambda b, t: [(CODES, (b, t, 3, 2, 4))],
        out("B", "T", 3, 2, 24),
    ),
    "code_embedding_sum": Row(
        lambda dtype: CodeEmbedding(5, 6, "sum", dtype=dtype),
        lambda b, t: [(CODES, (b, t, 4))],
        out("B", "T", 6),
    ),
    "conditioned_projection": Row(
        lambda dtype: ConditionedProjection(6, dtype=dtype),
        lambda b, t: [
            ("float", (b, t, 2, 3, 5)),
            ("float", (b, t, 2, 3, 4)),
            ("float", (b, 1, 2, 3, 3)),
            ("float", (b, 2)),
        ],
        out("B", "T", 2, 3, 6),
    ),
    "grouped_conv_2d": Row(
        lambda dtype: GroupedConv(6, (3, 3), (2, 2), groups=2, form="patches", dtype=dtype),
        floats("B", 5, 4, 4),
        out("B", 3, 2, 6),
    ),
    "grouped_conv_3d": Row(
        lambda dtype: GroupedConv(6, (2, 3, 3), (1, 2, 2), groups=2, form="dense", dtype=dtype),
        floats("B", "T", 5, 4, 4),
        out("B", "T", 3, 2, 6),
    ),
    "episode_embedding": Row(
        lambda dtype: EpisodeEmbedding(3, 6, dtype=dtype),
        lambda b, t: [(("int", -1, 3), (b,))],
        out("B", 6),
    ),
    "hard_attention": attention_row(attention_call),
    "hard_attention_argmax": attention_row(
        lambda attention, queries: attention_call(attention, queries, seed=None)
    ),
    "mel": Row(
        lambda dtype: MelSpectrogram(dtype=dtype),
        lambda b, t: [("wave", (b, 200 * t))],
        lambda b, t: {"output": (b, t + 1, 80)},
        tolerance=0.0,  # float32 always
    ),
    "residual": Row(
        lambda dtype: ResidualBlock2D(6, 3, 2, dtype=dtype),
        floats("B", 4, 3, 5),
        out("B", 4, 3, 6),
    ),
    "residual_identity": Row(
        lambda dtype: ResidualBlock2D(5, dtype=dtype), floats("B", 4, 3, 5), out("B", 4, 3, 5)
    ),
    "spatially_connected": Row(
        lambda dtype: SpatiallyConnected3D(6, (3, 2, 2), "causal", dtype=dtype),
        floats("B", "T", 4, 3, 5),
        out("B", "T", 4, 3, 6),
    ),
    "spatial_pyramid": Row(
        lambda dtype: SpatialPyramid((6, 4), dtype=dtype),
        floats("B", "T", 5),
        out("B", "T", 4, 4, 4),
    ),
    "encoder": Row(
        lambda dtype: Encoder(stem=4, **GENERATOR, dtype=dtype),
        floats("B", "T", 8, 12, 3),
        out("B", "T", 2, 3, 6),
    ),
    "feature_norm": Row(
        lambda dtype: FeatureNorm(2, dtype=dtype),
        floats("B", "T", 3, 2),
        out("B", "T", 3, 2),
    ),
    "encoder_normalized": Row(
        lambda dtype: Encoder(stem=4, **GENERATOR, normalize=True, dtype=dtype),
        floats("B", "T", 8, 12, 3),
        out("B", "T", 2, 3, 6),
    ),
    "decoder": Row(
        lambda dtype: Decoder(**GENERATOR, dtype=dtype),
        floats("B", "T", 2, 3, 7),
        out("B", "T", 8, 12, 3),
    ),
    "dvae": Row(
        lambda dtype: DVAE(
            8,
            12,
            4,
            **GENERATOR,
            num_heads=2,
            num_codes=4,
            code_dim=8,
            num_episodes=2,
            episode_dim=3,
            dtype=dtype,
        ),
        lambda b, t: [("wave", (b, t, 8, 12, 3)), (("int", -1, 2), (b,))],
        lambda b, t: {
            "video": (b, t, 8, 12, 3),
            "codes": (b, t, 2, 3, 2),
            "chance": (b * t * 12, 4),
        },
        call=dvae_call,
        drawn=("video", "codes"),
        silent=KEY_BIAS,
    ),
    "critic_of_clips": critic_row(
        ((4, (1, 4, 4), (1, 1, 1), 1), (6, (2, 4, 4), (1, 4, 4), 1)),
        ("B", "T"),
        ((8, 8, 4), (2, 2, 6)),
    ),
    "critic_of_frames_grouped": critic_row(
        ((4, (2, 2), (1, 1), 1), (8, (4, 4), (2, 2), 2)),
        ("BT",),
        ((8, 8, 4), (4, 4, 8)),
    ),
    "critics": Row(
        lambda dtype: Critics(narrow_critics(2), dtype=dtype),
        floats("B", "T", 16, 16, 3),
        lambda b, t: {f"{critic}/1/output": (b if critic == 0 else b * t,) for critic in range(3)},
        call=lambda critics, video: {
            name: each for name, each in named(critics(video)).items() if name.count("/") == 2
        },
    ),
    "audio_encoder": Row(
        lambda dtype: AudioEncoder((6,) * 7, (5,), dtype=dtype),
        floats("B", "4T", 80),
        out("B", "T", 2, 2, 5),
    ),
    "audio_encoder_normalized": Row(
        lambda dtype: AudioEncoder((6,) * 7, (5,), normalize=True, dtype=dtype),
        floats("B", "4T", 80),
        out("B", "T", 2, 2, 5),
    ),
    "style_encoder": Row(
        lambda dtype: StyleEncoder(5, 4, "concat", (4, 4), (6,) * 4, 3, dtype=dtype),
        lambda b, t: [(CODES, (b, t, 4, 3, 2))],
        lambda b, t: {"mean": (b, 3), "std": (b, 3)},
    ),
    "style_pyramid": Row(
        lambda dtype: StylePyramid((5,), dtype=dtype), floats("B", 3), out("B", 1, 2, 2, 5)
    ),
    "far": prior_row("far"),
    "mar": prior_row("mar"),
    "har": prior_row("har"),
}
