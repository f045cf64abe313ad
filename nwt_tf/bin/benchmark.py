"""Measure sizes of the paper's models, and the speed of its hard attention.

--what=sizes: parameters of each part and the arithmetic of a frame, at the paper's widths with 215
rows in the episode tables (the paper's 215 episodes), beside the paper's own counts (Table 3).
--what=attention: milliseconds of the hard-attention layer (8 heads, 8 codes, 1,024 wide), forward
and backward, as a plain graph and compiled by XLA. The last line is JSON.
"""

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "what", "sizes", ["sizes", "attention"], "What to measure.", flag_values=FLAGS
)
flags.DEFINE_integer(
    "batch", 480, "Of attention: frames of 224 queries; a training step of the paper has 480.", 1,
    flag_values=FLAGS,
)  # fmt: skip


def main() -> None:
    command.start_tensorflow()
    if FLAGS.what == "attention":
        from nwt_tf.bin import timing

        figures = timing.attention(FLAGS.batch, 224)
        for name, value in figures.items():
            print(f"{name:<28}{value:>10.2f} ms")
        command.report(batch=FLAGS.batch, queries=224, **figures)
        return
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
