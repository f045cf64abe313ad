"""Measure: sizes of the models, speed of training, of its input, of generation, of hard attention.

--what=sizes: parameters of each part and the arithmetic of a frame, at the paper's widths with 215
rows in the episode tables (the paper's 215 episodes), beside the paper's own counts (Table 3).

--what=train: steps and frames a second, share of time waiting for input, peak of device memory,
and the model's arithmetic beside the measured rate of matrix products. --config=paper measures both
stages, --config=dvae:paper or prior:paper_mar one; fields are changed with
--config.train.FIELD=VALUE, of both stages with --config.dvae.train.FIELD or --config.prior... .
The data is one random batch in memory, whose losses fall as it is learnt, or --data_dir's.

--what=input: frames a second of the training batches of --data_dir's shards, without a model,
beside a bare loop that decodes the same frames on all processors. Of a --config of the dVAE.

--what=generate: sound to conditioning, prior, decoder, mp4, each alone, and the whole, in chunks as
streams are made: frames a second, milliseconds a chunk (p50, p95), time to the first frame, percent
of the device's bounds. Of a --preset, or of random weights at the sizes of --config.

--what=attention: milliseconds of the hard-attention layer (8 heads, 8 codes, 1,024 wide), forward
and backward, as a plain graph and compiled by XLA.

The last line is JSON.
"""

import dataclasses

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
_WHAT = ["sizes", "train", "input", "generate", "attention"]
flags.DEFINE_enum("what", "sizes", _WHAT, "What to measure.", flag_values=FLAGS)
command.config_flag(FLAGS, "both", "paper", any_stage=True)
flags.DEFINE_integer("height", 256, "train, generate: of random frames.", 1, flag_values=FLAGS)
flags.DEFINE_integer("width", 224, "Likewise.", 1, flag_values=FLAGS)
flags.DEFINE_string(
    "data_dir", None, "train, input: shards, for a config of one stage.", flag_values=FLAGS
)
flags.DEFINE_list("grid", ["16", "14"], "train: Memcodes of a random frame.", flag_values=FLAGS)
flags.DEFINE_integer("steps", 20, "train, input: timed steps.", 1, flag_values=FLAGS)
flags.DEFINE_integer(
    "warmup", 3, "train: calls before; the first one compiles.", 1, flag_values=FLAGS
)
flags.DEFINE_integer(
    "num_gpus", None, "train: GPUs of each host; default: all visible ones.", 1, flag_values=FLAGS
)
flags.DEFINE_string(
    "profile", None, "train: folder for a profile of the timed steps.", flag_values=FLAGS
)
flags.DEFINE_string("preset", None, "generate: preset or workdir.", flag_values=FLAGS)
flags.DEFINE_float("fps", 30.0, "generate: of random weights.", 1.0, flag_values=FLAGS)
flags.DEFINE_list("batch_sizes", "1,8", "generate: streams at once.", flag_values=FLAGS)
flags.DEFINE_integer("chunk_frames", 30, "generate: drawn at a time.", 1, flag_values=FLAGS)
flags.DEFINE_integer("repeats", 10, "generate: chunks that are timed.", 1, flag_values=FLAGS)
flags.DEFINE_list(
    "sampling", "sequential", "generate: sequential, parallel (MAR, HAR).", flag_values=FLAGS
)
flags.DEFINE_enum(
    "precision", "bfloat16", ["float32", "mixed_bfloat16", "bfloat16"],
    "generate: bfloat16 is also that of the weights.", flag_values=FLAGS,
)  # fmt: skip
flags.DEFINE_float(
    "terabytes",
    None,
    "generate: a second, peak of the memory; default: known GPUs'.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "teraflops",
    None,
    "generate: a second, peak in --precision; default: known GPUs'.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "batch", 480, "attention: frames of 224 queries; a training step of the paper has 480.", 1,
    flag_values=FLAGS,
)  # fmt: skip


def main() -> None:
    measures = {
        "sizes": sizes,
        "train": train,
        "input": input_of_training,
        "generate": generate,
        "attention": attention,
    }
    measures[FLAGS.what]()


def sizes() -> None:
    command.start_tensorflow()
    from nwt_tf.bin.benchmarks import sizing

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
    from nwt_tf.bin.benchmarks import pace

    data = pace.Data(FLAGS.data_dir, FLAGS.height, FLAGS.width, tuple(map(int, grid)))
    name = "dvae" if hasattr(config, "critics") else "prior"
    stages = dataclasses.asdict(config).keys() if both else [name]
    figures = {}
    for stage in stages:
        chosen = getattr(config, stage) if both else config
        figures[stage] = pace.measure(
            chosen, data, FLAGS.steps, FLAGS.warmup, FLAGS.num_gpus, FLAGS.profile
        )
        print(
            f"{stage}: {figures[stage]['steps_per_second']:.3f} steps/s, "
            f"{figures[stage]['frames_per_second']:.0f} frames/s, "
            f"{figures[stage]['matrix_share']:.1%} of the measured matrix rate"
        )
        for name, milliseconds, calls in figures[stage].get("slowest", ()):
            print(f"  {milliseconds:9.2f} ms a step in {calls:7.1f} calls  {name[:80]}")
    command.report(**figures)


def input_of_training() -> None:
    if not FLAGS.data_dir or not hasattr(FLAGS.config, "critics"):
        raise ValueError("--what=input needs --data_dir=SHARDS and --config=dvae:VARIANT.")
    command.start_tensorflow()
    from nwt_tf.bin.benchmarks import input_speed
    from nwt_tf.bin.training.assembly import check_least

    settings = FLAGS.config.train
    check_least(settings)
    figures = input_speed.measure(
        FLAGS.data_dir, settings.batch_size, settings.clip_frames, FLAGS.steps
    )
    print(
        f"{figures['frames_per_second']:.0f} frames/s of {settings.batch_size} x "
        f"{settings.clip_frames} frames; a bare loop decodes "
        f"{figures['loop_frames_per_second']:.0f} of them, with OpenCV "
        f"{figures['opencv_frames_per_second']:.0f}"
    )
    command.report(**figures)


def generate() -> None:
    if not FLAGS.preset and not hasattr(FLAGS.config, "dvae"):
        raise ValueError(
            "--what=generate needs both stages: give --config=VARIANT without dvae: or prior:."
        )
    batches = []
    for text in FLAGS.batch_sizes:
        if not text.isdigit() or int(text) < 1:
            raise ValueError(f"--batch_sizes has {text!r}: give whole numbers from 1 on, as 1,8.")
        batches.append(int(text))
    command.start_tensorflow()
    from nwt_tf.bin.benchmarks import generation_speed as speed
    from nwt_tf.generation.audio_to_video import AudioToVideo

    chunk = FLAGS.chunk_frames
    if FLAGS.preset:
        model = AudioToVideo.from_preset(FLAGS.preset, FLAGS.precision, chunk_frames=chunk)
    else:
        size = (FLAGS.height, FLAGS.width, FLAGS.fps)
        model = speed.random_model(FLAGS.config, *size, FLAGS.precision, chunk)
    bandwidth, operations, device = speed.device_peaks(
        FLAGS.precision, FLAGS.terabytes, FLAGS.teraflops
    )
    peaks = {"bytes/s": bandwidth, "operations/s": operations}
    known = [f"{peak} {unit}" for unit, peak in peaks.items() if peak is not None]
    unknown = "its bounds are not known here: see --terabytes and --teraflops"
    print(f"{device}: {', '.join(known) or unknown}")
    print(speed.METHOD)
    figures = {}
    for batch in batches:
        print(f"batch {batch}, chunks of {chunk} frames, {FLAGS.precision}")
        parts = speed.measure(model, batch, FLAGS.repeats, FLAGS.sampling, (bandwidth, operations))
        for part, found in parts.items():
            others = ", ".join(f"{key} {value:.4g}" for key, value in found.items())
            print(f"  {part:<22} {others}", flush=True)
        figures[f"batch_{batch}"] = parts
    command.report(
        device=device,
        prior=type(model.prior).__name__,
        precision=FLAGS.precision,
        chunk_frames=chunk,
        draws=model.draws.figures(),
        **figures,
    )


def attention() -> None:
    command.start_tensorflow()
    from nwt_tf.bin.benchmarks import timing

    figures = timing.attention(FLAGS.batch, 224)
    for name, value in figures.items():
        print(f"{name:<28}{value:>10.2f} ms")
    command.report(batch=FLAGS.batch, queries=224, **figures)


if __name__ == "__main__":
    command.run("benchmark", main, FLAGS, __doc__)
