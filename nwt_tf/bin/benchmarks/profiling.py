"""What the devices did in a profiled stretch, for `nwt benchmark --what=train --profile=FOLDER`."""

import collections
from pathlib import Path


def slowest(folder, steps, top=20):
    """The operations that took longest, read from the newest profile in a folder.

    Args:
        folder: what tf.profiler.experimental wrote to.
        steps: of the stretch.
        top: how many operations.

    Returns:
        [[name, milliseconds a step, calls a step]], the longest first: kernels of the GPUs, all
        GPUs together; without GPUs the host's operations, where callers count with what they call.

    Raises:
        FileNotFoundError: where there is no profile.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    files = sorted(Path(folder).rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise FileNotFoundError(f"{folder}: holds no profile")
    planes = xplane_pb2.XSpace.FromString(files[-1].read_bytes()).planes
    gpus = [plane for plane in planes if plane.name.startswith("/device:GPU")]
    spent, calls = collections.Counter(), collections.Counter()
    for plane in gpus or [plane for plane in planes if plane.name == "/host:CPU"]:
        for line in plane.lines:
            if gpus and not line.name.startswith("Stream"):  # XLA's lines tell the same again
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                spent[name] += event.duration_ps / 1e9
                calls[name] += 1
    return [[name, ms / steps, calls[name] / steps] for name, ms in spent.most_common(top)]
