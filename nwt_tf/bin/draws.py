"""The flags of commands that draw codes: one for each of nwt_tf.generation.choice.Options."""

from absl import flags

OPTIONS = ("temperature", "top_k", "top_p", "guidance")
_DEFAULT = "; default: as the preset says."  # help lists flags by name: each says it itself


def define_flags(flag_values):
    """Defines them; one that is not given is None, and as the preset recommends."""
    flags.DEFINE_float(
        "temperature",
        None,
        f"Of the sampling; 0 takes the likeliest{_DEFAULT}",
        0.0,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "top_k", None, f"Draw among the k likeliest; 0: all{_DEFAULT}", 0, flag_values=flag_values
    )
    flags.DEFINE_float(
        "top_p", None, f"Draw among the likeliest of this mass{_DEFAULT}", flag_values=flag_values
    )
    flags.DEFINE_float(
        "guidance",
        None,
        "How far the sound leads: 1 as the prior has it, more is further, at twice the cost"
        + _DEFAULT,
        0.0,
        flag_values=flag_values,
    )


def asked(options):
    """{option: what was asked for, or None}, of flags' values or what has such attributes."""
    return {name: getattr(options, name) for name in OPTIONS}
