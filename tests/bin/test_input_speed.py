"""`nwt benchmark --what=input`: batches of frames come nearly as fast as frames decode."""

import contextlib
import io
import json

import numpy as np
import pytest

from data_pipeline.schema import Clip, encode_frame, serialize
from data_pipeline.shards import Manifest, ShardWriter
from nwt_tf.bin import nwt

HEIGHT, WIDTH, FRAMES, CLIPS = 256, 224, 10, 12


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Clips of the paper's size, all of one textured frame."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3))
    picture = coarse.repeat(8, axis=0).repeat(8, axis=1) / 2
    picture += rng.integers(0, 60, picture.shape)
    frame = encode_frame(picture.astype(np.uint8), "jpeg")
    with ShardWriter(folder, "train", shard_bytes=1_000_000) as writer:
        for number in range(CLIPS):
            clip = Clip(
                clip_id=f"a_{number}", episode="a", fps=25.0, height=HEIGHT, width=WIDTH,
                num_frames=FRAMES, frames=(frame,) * FRAMES, mel=np.zeros((60, 80), np.float32),
            )  # fmt: skip
            writer.write(serialize(clip), clip.clip_id, FRAMES)
    config = {"fps": 25.0, "height": HEIGHT, "width": WIDTH}
    splits = {"train": writer.shards, "validation": [], "test": []}
    Manifest(config, {}, ["a"], splits).save(folder)
    return folder


@pytest.mark.parametrize(
    ("steps", "least"), [(12, 0.5), pytest.param(60, 0.8, marks=pytest.mark.soak)]
)
def test_batches_take_little_more_than_the_decoding_of_their_frames(shards, steps, least):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        nwt.main(["benchmark", "--what=input", f"--data_dir={shards}", "--config=dvae:tiny",
                  "--config.train.batch_size=4", "--config.train.clip_frames=8",
                  f"--steps={steps}"])  # fmt: skip
    figures = json.loads(printed.getvalue().splitlines()[-1])
    assert (figures["batch_size"], figures["clip_frames"], figures["batches"]) == (4, 8, steps)
    for name in ("frames_per_second", "loop_frames_per_second", "opencv_ratio"):
        assert figures[name] > 0
    # Of processor time: other work counts little against it, a shared core's caches still do.
    assert figures["processor_ratio"] >= least


def test_shards_and_a_config_of_the_dvae_are_asked_for(shards, capsys):
    for flags in (["--config=dvae:tiny"], ["--config=prior:tiny", f"--data_dir={shards}"]):
        with pytest.raises(SystemExit) as exit_:
            nwt.main(["benchmark", "--what=input", *flags])
        assert exit_.value.code == 2
        assert "--what=input needs --data_dir" in capsys.readouterr().err
