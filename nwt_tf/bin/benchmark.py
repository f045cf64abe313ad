"""Measure the paper's models: their sizes, or how fast a config trains.

--what=sizes: parameters of each part and the arithmetic of a frame, at the paper's widths with 215
rows in the episode tables (the paper's 215 episodes), beside the paper's own counts (Table 3).

--what=train: steps and frames a second, share of time waiting for input, peak of device memory,
and the model's arithmetic beside the measured rate of matrix products. --config=paper measures both
stages, --config=dvae:paper or prior:paper_mar one; fields are changed with
--config.train.FIELD=VALUE, of both stages with --config.dvae.train.FIELD or --config.prior... .
The data is random and in memory, or --data_dir's.

The last line is JSON.
"""

import dataclasses

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_enum("what", "sizes", ["sizes", "train"], "What to measure.", flag_values=FLAGS)
flags.DEFINE_string(
    "data_dir", None, "Shards or codes to train on, for a config of one stage.", flag_values=FLAGS
)
flags.DEFINE_integer("height", 256, "Of random frames, in pixels.", 1, flag_values=FLAGS)
flags.DEFINE_integer("width", 224, "Likewise.", 1, flag_values=FLAGS)
flags.DEFINE_list("grid", ["16", "14"], "Memcodes of a random frame: h,w.", flag_values=FLAGS)
flags.DEFINE_integer("steps", 20, "Timed steps.", 1, flag_values=FLAGS)
flags.DEFINE_integer("warmup", 3, "Calls before; the first one compiles.", 1, flag_values=FLAGS)
flags.DEFINE_integer(
    "num_gpus", None, "GPUs to use; all visible ones by default.", 1, flag_values=FLAGS
)
command.config_flag(FLAGS, "both", "paper")


def main() -> None:
    if FLAGS.what == "train":
        train()
    else:
        sizes()


def train() -> None:
    config, grid = FLAGS.config, FLAGS.grid
    both = hasattr(config, "dvae")
    if both and FLAGS.data_dir:
        raise ValueError(
            "--data_dir is for one stage: give --config=dvae:VARIANT or --config=prior:VARIANT."
        )
    if len(grid) != 2 or not all(side.isdigit() for side in grid):
        raise ValueError(f"--grid must be like 16,14. Received: {','.join(grid)}")
    command.start_tensorflow()
    from nwt_tf.bin import pace

    data = pace.Data(FLAGS.data_dir, FLAGS.height, FLAGS.width, tuple(map(int, grid)))
    name = "dvae" if hasattr(config, "critics") else "prior"
    stages = dataclasses.asdict(config).keys() if both else [name]
    figures = {}
    for stage in stages:
        chosen = getattr(config, stage) if both else config
        figures[stage] = pace.measure(chosen, data, FLAGS.steps, FLAGS.warmup, FLAGS.num_gpus)
        print(
            f"{stage}: {figures[stage]['steps_per_second']:.3f} steps/s, "
            f"{figures[stage]['frames_per_second']:.0f} frames/s, "
            f"{figures[stage]['matrix_share']:.1%} of the measured matrix rate"
        )
    command.report(**figures)


def sizes() -> None:
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
