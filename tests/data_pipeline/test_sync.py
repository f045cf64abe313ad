import numpy as np
import pytest

from data_pipeline.build import build_dataset
from data_pipeline.mel import align, log_mel, mel_spectrogram
from data_pipeline.sync import dataset_lag, lag_correlations
from data_pipeline.synthetic import make_clip, write_footage


def clips(count=6):
    for seed in range(count):
        clip = make_clip(episode=0, seed=seed)
        video = np.stack(list(clip.frames(height=64, width=56)))
        mel = log_mel(mel_spectrogram(clip.voice.waveform))
        yield video, align(mel, len(video), 25)


def test_the_synthetic_mouth_moves_with_its_sound():
    found = lag_correlations(clips())
    assert np.argmax(found) == 8 and found[8] > 0.2


@pytest.mark.parametrize("shift", [-4, 3])
def test_a_shift_is_found(shift):
    late = ((np.roll(video, shift, axis=0), mel) for video, mel in clips())
    assert np.argmax(lag_correlations(late)) == 8 + shift


def test_nothing_to_correlate():
    still = np.zeros((40, 16, 16, 3), np.uint8)
    mel = np.random.default_rng(0).normal(size=(160, 80)).astype(np.float32)
    for clip in ((still, mel), (still[:10], mel[:40])):
        with pytest.raises(ValueError, match="no clip has more than 18 frames with motion"):
            lag_correlations([clip])


def test_a_built_dataset_has_its_peak_at_lag_0(tmp_path):
    write_footage(tmp_path / "in", num_episodes=1, clips_per_episode=4, seed=1)
    build_dataset(
        *(tmp_path / "in", tmp_path / "out"),
        **{"height": 64, "width": 56, "fps": 25.0, "segment_seconds": 3.0, "trim_seconds": 0.0},
        **{"validation_fraction": 0.0, "test_fraction": 0.0, "num_workers": 1},
    )
    lag, correlation = dataset_lag(tmp_path / "out")
    assert lag == 0 and correlation > 0.2
