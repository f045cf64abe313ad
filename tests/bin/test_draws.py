"""The flags of how codes are drawn are choice.Options."""

from absl import flags

from nwt_tf.bin import draws
from nwt_tf.generation.choice import Options


def test_there_is_a_flag_for_each_option_and_none_is_given_by_itself():
    values = flags.FlagValues()
    draws.define_flags(values)
    values(["nwt", "--top_k=3", "--guidance=1.5"])
    for name in Options._fields:
        assert values[name].help.endswith("default: as the preset says.")
    expected = dict.fromkeys(Options._fields) | {"top_k": 3, "guidance": 1.5}
    assert draws.asked(values) == expected
