"""A build's speed beside that of PyAV, which only decodes and scales the same files.

    python benchmarks/build_speed.py --input_dir=footage --config=grid_s1 --rounds=5

Every round runs all sides after one another, each as a program of its own with as many processes as
cores (a file each at a time, one thread a decoder), so that other work on the machine meets them
alike:

reformat     PyAV's frame.reformat to the config's size, as RGB arrays
exact        libavfilter through PyAV: crop, area scaling with exact rounding and whole chroma, as
             RGB arrays: what the build stores
quick        the same without exact rounding and whole chroma
build        nwt build_dataset without suggestions: also sound, mel, JPEG, shards, checksums
suggestions  nwt build_dataset with suggestions

For each: frames of the footage a second, by the clock and by the processors' time of all processes
together, which depends less on other work; minimum, median and maximum over the rounds, and peak
memory of the largest process. The last line is JSON.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from configs.footage import get_config
from data_pipeline.crop import crop_box
from data_pipeline.videos import find_videos
from data_pipeline.workers import available_cores

BASELINES = ("reformat", "exact", "quick")
SIDES = (*BASELINES, "build", "suggestions")


def decode_and_scale(path, side, config):
    """Frames of a file, each of which was made an RGB array of the config's size."""
    import av

    count, scale = 0, None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            scale = scale or scaling(side, config, frame)
            array = scale(frame)
            count += 1
    assert array.shape == (config.height, config.width, 3)
    return count


def scaling(side, config, first):
    """A function of a frame that gives its array."""
    import av

    if side == "reformat":
        return lambda frame: frame.reformat(config.width, config.height, "rgb24").to_ndarray()
    flags = "area+accurate_rnd+full_chroma_int" if side == "exact" else "area"
    top, bottom, left, right = crop_box(config.crop, first.height, first.width)
    nodes = [
        ("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1"),
        ("scale", f"{config.width}:{config.height}:flags={flags}"),
        ("format", "rgb24"),
    ]
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=first.width,
        height=first.height,
        format=first.format.name,
        time_base=first.time_base,
    )
    added = [graph.add(*node) for node in nodes]
    graph.link_nodes(source, *added, graph.add("buffersink")).configure()

    def scale(frame):
        graph.push(frame)
        return graph.pull().to_ndarray()

    return scale


def baseline(side, arguments):
    """Decodes and scales all files; prints how many frames they have."""
    config = get_config(arguments.config)
    paths = [video.path for video in find_videos(arguments.input_dir)]
    with concurrent.futures.ProcessPoolExecutor(
        arguments.num_workers, multiprocessing.get_context("spawn")
    ) as pool:
        count = len(paths)
        print(sum(pool.map(decode_and_scale, paths, [side] * count, [config] * count)))


def measure(side, arguments):
    """{"output", "seconds", "processor_seconds"} of one side's program."""
    shared = [f"--input_dir={arguments.input_dir}", f"--config={arguments.config}"]
    shared.append(f"--num_workers={arguments.num_workers}")
    with tempfile.TemporaryDirectory(dir=arguments.scratch_dir) as folder:
        command = [sys.executable, __file__, f"--side={side}", *shared]
        if side not in BASELINES:
            command = [sys.executable, "-m", "nwt_tf.bin.build_dataset", *shared]
            command += [f"--output_dir={folder}/shards"]
            command += ["--validation_episodes=", "--test_episodes="]  # of any footage
            command += [f"--config.suggestions={str(side == 'suggestions').lower()}"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"output": output, "seconds": seconds, "processor_seconds": used}


def compared(arguments):
    """Figures of all sides over all rounds."""
    runs = {side: [] for side in SIDES}
    for number in range(arguments.rounds):
        for side in SIDES:
            runs[side].append(measure(side, arguments))
            print(f"round {number + 1}: {side}: {runs[side][-1]['seconds']:.1f} s, of processors "
                  f"{runs[side][-1]['processor_seconds']:.1f} s", flush=True)  # fmt: skip
    frames = int(runs["quick"][0]["output"])
    figures = {"frames": frames, "rounds": arguments.rounds, "cores": available_cores()}
    for side in SIDES:
        for kind in ("seconds", "processor_seconds"):
            rates = sorted(frames / run[kind] for run in runs[side])
            figures[f"{side}: frames a {kind.removesuffix('s').replace('_', ' ')}"] = {
                "min": round(rates[0]),
                "median": round(statistics.median(rates)),
                "max": round(rates[-1]),
            }
    for side in BASELINES:
        for kind in ("seconds", "processor_seconds"):
            ratios = sorted(
                theirs[kind] / ours[kind]
                for theirs, ours in zip(runs[side], runs["build"], strict=True)
            )
            figures[f"build / {side}, by {kind.replace('_', ' ')}"] = {
                "min": round(ratios[0], 3),
                "median": round(statistics.median(ratios), 3),
                "max": round(ratios[-1], 3),
            }
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    figures["peak megabytes of a process"] = round(largest / 1024)
    return figures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input_dir", type=Path, required=True, help="folder of videos")
    parser.add_argument("--config", default="default", help="variant of configs/footage.py")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--num_workers", type=int, default=available_cores())
    parser.add_argument("--scratch_dir", default=None, help="for datasets, removed afterwards")
    parser.add_argument("--side", choices=BASELINES, help="run one baseline, and print its frames")
    arguments = parser.parse_args()
    if arguments.side:
        baseline(arguments.side, arguments)
        return
    figures = compared(arguments)
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    main()
