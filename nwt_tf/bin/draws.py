"""The flags of commands that draw codes: one for each of nwt_tf.generation.choice.Options."""

from absl import flags

OPTIONS = ("temperature", "top_k", "top_p", "guidance")


def define_flags(flag_values):
    """Defines them; one that is not given is None, and as the preset recommends."""
    flags.DEFINE_float(
        "temperature",
        None,
        "Of the sampling; 0 takes the likeliest. Without it and those below, as the preset says.",
        0.0,
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "top_k", None, "Draw among the k likeliest; 0: all.", 0, flag_values=flag_values
    )
    flags.DEFINE_float(
        "top_p", None, "Draw among the likeliest of this mass.", flag_values=flag_values
    )
    flags.DEFINE_float(
        "guidance",
        None,
        "How far the sound leads: 1 as the prior has it, more is further, at twice the cost.",
        0.0,
        flag_values=flag_values,
    )


def asked(options):
    """{option: what was asked for, or None}, of flags' values or what has such attributes."""
    return {name: getattr(options, name) for name in OPTIONS}
