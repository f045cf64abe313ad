"""Two presets on the same clips."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from nwt_tf.bin.draws import OPTIONS
from nwt_tf.bin.measures.comparing import Generation


def test_a_preset_is_given_its_own_numbers_of_the_episodes(monkeypatch):
    given = []

    def decode(codes, episode):
        given.append(int(episode[0]))
        return tf.zeros((1, 2, 4, 4, 3))

    model = SimpleNamespace(
        episodes={"b": 0, "a": 1},
        prior=SimpleNamespace(condition=lambda mel, style, episodes: episodes),
        sampler=lambda conditioning, *_: given.append(conditioning.numpy().tolist()) or [0, 1, 2],
        style_of=lambda name: np.zeros(2),
        sampled_codes=False,
        dvae=SimpleNamespace(encode=lambda video, draw: tf.zeros((1, 2, 1, 1, 1)), decode=decode),
        options=lambda **_: (),
    )
    monkeypatch.setattr(
        "nwt_tf.bin.measures.comparing.AudioToVideo.from_preset", lambda *_, **__: model
    )
    options = SimpleNamespace(sampling="auto", seed=0, **dict.fromkeys(OPTIONS))
    clips = [
        {"record": SimpleNamespace(episode=name), "episode": 0, "mel": np.zeros((8, 80)),
         "video": np.zeros((2, 4, 4, 3), np.uint8)}
        for name in ("a", "b", "unknown")
    ]  # fmt: skip
    generation = Generation("preset", options)
    assert len(list(generation.videos(clips))) == 3
    assert given == [[1, 0, -1], 1, 0, -1]
    assert [episode for *_, episode in generation._coded] == [1, 0, -1]
