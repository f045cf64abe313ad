"""A build's memory does not grow with its footage."""

import json
import os
import subprocess
import sys

import av
import pytest

from tests.data_pipeline import footage

BUILD = """
import json, resource, sys
from data_pipeline.build import build_dataset
if __name__ == "__main__":
    settings = {"height": 128, "width": 112, "fps": 25.0, "num_workers": 2}
    manifest = build_dataset(sys.argv[1], sys.argv[2], suggestions=True, **settings)
    # Not ru_maxrss of its own, which counts what the process was forked from.
    own = dict(line.split(":") for line in open("/proc/self/status"))["VmHWM"]
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    clips = sum(len(manifest.clip_frames(split)) for split in manifest.splits)
    assert "tensorflow" not in sys.modules  # most of what it held once
    print(json.dumps([clips, int(own.split()[0]) / 1024, workers / 1024]))
"""


def repeated(source, path, times):
    """A file's packets, over and over: long footage without the work of coding it."""
    with av.open(str(path), "w") as output, av.open(str(source)) as first:
        streams = {s.index: output.add_stream_from_template(s) for s in first.streams}
        length = first.duration * 1e-6
        for number in range(times):
            with av.open(str(source)) as container:
                for packet in container.demux():
                    if packet.dts is None:
                        continue
                    shift = round(number * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    output.mux(packet)


def peaks(folder, minutes):
    """[clips, megabytes of the build, megabytes of its largest worker] of one file's build."""
    (folder / "in").mkdir(parents=True)
    minute = footage.talk(folder / "minute.mkv", seconds=60, gop=100, height=144, width=176)
    repeated(minute, folder / "in" / "a.mkv", minutes)
    (folder / "build.py").write_text(BUILD)
    done = subprocess.run(
        [sys.executable, folder / "build.py", folder / "in", folder / "out"],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    "minutes", [pytest.param(4, marks=pytest.mark.slow), pytest.param(60, marks=pytest.mark.soak)]
)
def test_memory(tmp_path, minutes):
    clips, *megabytes = peaks(tmp_path, minutes)
    assert minutes * 13 <= clips <= minutes * 15
    assert max(megabytes) < 400, megabytes
