"""The measure of control, on a model that obeys and on one that does not."""

import numpy as np
import pytest

from data_pipeline.synthetic import make_clip
from data_pipeline.synthetic_episode import LOOKS, look_named
from data_pipeline.synthetic_reading import read_traits
from data_pipeline.synthetic_subject import GESTURES, Style, render
from nwt_tf.bin.measures import control


class Drawer:
    """Stands in for an AudioToVideo: draws the subject in the style and look it is told, or in ones
    of its own."""

    dvae, prior, fps = type("DVAE", (), {"height": 64, "width": 56})(), None, 25
    own = Style(lean=1.0, warmth=0.1)

    def __init__(self, obeys):
        self.obeys, self.sounds, self.sampled_codes = obeys, {}, True

    def episode_index(self, name):
        return 0

    def generate(self, waveform, episode, style=None, decoder_episode=None, **options):
        told = self.own if style is None or not self.obeys else Style(*style[:3], 0.5, style[3])
        clip = self.sounds[waveform.tobytes()]
        look = LOOKS[0]
        if self.obeys:
            look = look_named(decoder_episode or episode)
        head = clip.performance.head + np.float32([0, 0, told.lean - clip.style.lean, 0])
        performed = clip.performance
        performed = type(performed)(**{**vars(performed), "head": head})
        return render(performed, episode=look, style=told, height=64, width=56)


@pytest.fixture(params=[True, False], ids=["obedient", "wilful"])
def drawer(request, monkeypatch):
    drawer, known = Drawer(request.param), {}

    def read_once(frames, look):
        key = frames.tobytes(), look.name
        if key not in known:
            known[key] = read_traits(frames, look)
        return known[key]

    def remembered(**arguments):
        clip = make_clip(**arguments)
        drawer.sounds[clip.voice.waveform.tobytes()] = clip
        return clip

    monkeypatch.setattr(control, "SECONDS", 1.2)
    monkeypatch.setattr(control, "make_clip", remembered)
    monkeypatch.setattr(control, "read_traits", read_once)
    monkeypatch.setattr(control, "reconstruct", lambda dvae, video, episode: (None, video))
    monkeypatch.setattr(
        control.styles,
        "copy",
        lambda dvae, prior, clips, sampled: control.read_traits(clips[0], LOOKS[1]),
    )
    return drawer


def test_style_copy(drawer):
    figures, rows = control.style_copy(drawer, LOOKS[1:2], 3, seed=1, tint=1.0, generate={})
    if drawer.obeys:
        for name in control.MEASURED:
            assert figures[f"{name}_followed"] > 0.9
            assert 0.6 < figures[f"{name}_moved"] < 1.4
            assert figures[f"{name}_nearer"] == 1.0
        assert figures["gesture_followed"] == 1.0
    else:
        for name in control.MEASURED:
            assert figures[f"{name}_followed"] == figures[f"{name}_nearer"] == 0.0
            assert abs(figures[f"{name}_moved"]) < 1e-6
        assert figures["gesture_followed"] == figures["gesture_default"]
    assert all(figures[f"{name}_carried"] == pytest.approx(1) for name in control.MEASURED)
    assert figures["style_mouth"] > 0.8
    assert [len(pictures) for _, pictures in rows] == [3, 3]
    drawn = control.sheet([*rows, ("of one", rows[0][1][:1])])
    assert drawn.shape == (3 * 64, control.CAPTION_WIDTH + 3 * 56, 3)
    np.testing.assert_array_equal(drawn[64:128, -56:], rows[1][1][2])
    assert np.all(drawn[128:, -2 * 56 :] == 255)
    assert all(drawn[top : top + 64, : control.CAPTION_WIDTH].min() < 255 for top in (0, 64, 128))


def test_episode_switch(drawer):
    figures, rows = control.episode_switch(drawer, LOOKS[:2], seed=1, tint=1.0, generate={})
    parts = ("backdrop", "clothes")
    if drawer.obeys:
        assert figures["switch_right"] == 1.0
        for kind in ("switch", "decoder"):
            assert min(figures[f"{kind}_{part}"] for part in parts) > 0.8
        assert min(figures["switch_mouth_own"], figures["switch_mouth_other"]) > 0.9
    else:
        assert figures["switch_right"] == 0.0
        assert all(figures[f"switch_{part}"] == pytest.approx(0.5, abs=0.05) for part in parts)
    assert [len(pictures) for _, pictures in rows] == [3] * 4
    assert control.episode_switch(drawer, LOOKS[:1], 1, 1.0, {}) == ({}, [])


def test_unseen_clips_are_others_for_each_measurement_and_seed(drawer):
    seeds = {
        clip.voice.waveform.tobytes()
        for seed in (0, 1)
        for of in ("style", "switch")
        for clip in control._unseen(drawer, LOOKS[0], 2, seed, 1.0, of)
    }
    assert len(seeds) == 8


def test_gestures_are_what_styles_have():
    assert {Style.sample(seed).gesture for seed in range(20)} == set(GESTURES)
