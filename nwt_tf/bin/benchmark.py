"""Measure sizes of the paper's models.

--what=sizes: parameters of each part and the arithmetic of a frame, at the paper's widths with 215
rows in the episode tables (the paper's 215 episodes), beside the paper's own counts (Table 3). The
last line is JSON.
"""

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_enum("what", "sizes", ["sizes"], "What to measure.", flag_values=FLAGS)


def main() -> None:
    command.start_tensorflow()
    from nwt_tf.bin import sizing

    figures = {}
    for name, measure in sizing.MODELS.items():
        parts, figures[name] = measure()
        print(f"{name}: {figures[name]['parameters']:,} parameters, "
              f"{figures[name]['gflop_per_frame']:.1f} GFLOP a frame")  # fmt: skip
        if name in sizing.TABLE_3:
            stated = sizing.TABLE_3[name]
            off = 100 * (figures[name]["parameters"] / stated - 1)
            print(f"  Table 3 has {stated:,}: {off:+.3f} %")
        for part, count in parts.items():
            print(f"  {part:<20}{count:>14,}")
    command.report(**figures)


if __name__ == "__main__":
    command.run("benchmark", main, FLAGS, __doc__)
