"""Streams are the whole clip's video, however the sound is cut, and can be put aside."""

import json

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf.generation.choice import Options
from nwt_tf.generation.streaming import Session
from nwt_tf.layers.mel import align_mel
from tests.generation import tiny_task

SECONDS = 3.3  # beyond the audio encoder's look-ahead of 20 frames, and no multiple of a chunk


@pytest.fixture(scope="module")
def task():
    return tiny_task.make(chunk_frames=6)


@pytest.fixture(scope="module")
def waveform():
    return tiny_task.noise(SECONDS)


@pytest.fixture(scope="module")
def whole(task, waveform):
    return task.generate(waveform, episode="third", seed=3)


def pieces(waveform, size):
    return [waveform[first : first + size] for first in range(0, len(waveform), size)]


@pytest.mark.parametrize("frames", [1, 7, 30, 1000])
def test_a_stream_is_the_whole_clip_s_video(task, waveform, whole, frames):
    stream = task.stream(pieces(waveform, 960 * frames), episode="third", seed=3)
    np.testing.assert_array_equal(np.stack(list(stream)), whole)


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_pieces_of_any_size_give_the_same_codes(task, waveform, guidance):
    expected = task.codes(waveform, seed=3, guidance=guidance)
    sizes = np.random.default_rng(0).integers(0, 9000, 100)
    cut = np.split(waveform, np.minimum(np.cumsum(sizes), len(waveform)))
    session = task.session(seed=3, guidance=guidance)
    codes = [part for piece in cut for part in session.hear(piece)]
    codes += session.hear(np.zeros(0), last=True)
    np.testing.assert_array_equal(tf.concat(codes, axis=1), expected)


@pytest.mark.parametrize(
    ("variant", "fps", "causal"), [("tiny", 30000 / 1001, True), ("tiny_mar", 12.5, False)]
)
def test_streams_of_other_priors_rates_and_causal_sound(variant, fps, causal):
    task = tiny_task.make(variant, fps=fps, causal_audio=causal, chunk_frames=4)
    waveform = tiny_task.noise(2.5, seed=1)
    expected = task.codes(waveform, seed=1)
    assert expected.shape[1] == round(2.5 * fps)
    session = task.session(seed=1)
    codes = [part for piece in pieces(waveform, 3001) for part in session.hear(piece)]
    assert codes, "nothing was drawn before the end"
    codes += session.hear(np.zeros(0), last=True)
    np.testing.assert_array_equal(tf.concat(codes, axis=1), expected)


@pytest.mark.parametrize("variant", ["tiny", "tiny_mar"])
@pytest.mark.parametrize("causal", [False, True])
def test_chunks_hear_what_the_whole_clip_hears(variant, causal):
    """Windows masked at the clip's ends against the encoder over the whole clip at once."""
    task = tiny_task.make(variant, causal_audio=causal, chunk_frames=8)
    waveform = tiny_task.noise(SECONDS)
    listening, prior = task.listening, task.prior
    frames = int(listening.frames_of(tf.constant(len(waveform), tf.int64)))
    mel = align_mel(listening.mel(waveform[None]), frames, task.fps)
    expected = prior.hear(mel).numpy()
    assert expected.std() > 1e-3
    received, total = (tf.constant(each, tf.int64) for each in (len(waveform), frames))
    zero = tf.zeros((), tf.int64)
    for first in range(0, frames, 8):
        found = listening._condition(
            tf.constant(waveform)[None], zero, tf.constant(first, tf.int64), received, total
        )
        part = expected[:, first : first + 8]
        np.testing.assert_allclose(found[:, : part.shape[1]], part, atol=1e-5)


def test_the_offline_run_follows_the_sampler_on_the_whole_clip(task, waveform):
    """The chunks' codes are those that one loop over the whole clip's conditioning draws."""
    frames = round(SECONDS * task.fps)
    mel = align_mel(task.listening.mel(waveform[None]), frames, task.fps)
    style = np.float32([tiny_task.STYLE])
    conditioning = task.prior.condition(mel, style, tf.constant([-1]))
    np.testing.assert_array_equal(task.codes(waveform, seed=5), task.sampler(conditioning, [5, 0]))
    guided = task.sampler(conditioning, [5, 0], guidance=2.5)
    np.testing.assert_array_equal(task.codes(waveform, seed=5, guidance=2.5), guided)


def test_the_first_frames_come_after_a_chunk_and_the_look_ahead(task, waveform):
    """And the sound that they need is no more than the encoder's and the decoder's reach."""
    session, heard = task.session(), 0
    for piece in pieces(waveform, 240):
        heard += len(piece)
        if list(session.push(piece)):
            break
    needed = task.listening.samples_before(task.chunk_frames)
    assert needed <= heard < needed + 240
    # 6 frames and the 20 of the look-ahead, less the last one's length, and 5 mel frames and a half
    # window of the spectrogram.
    assert needed == 25 * 960 + 5 * 200 + 512


def test_causal_sound_needs_no_look_ahead():
    causal = tiny_task.make(causal_audio=True, chunk_frames=6)
    assert causal.listening.samples_before(6) == 5 * 960 + 5 * 200 + 512
    assert causal.prior.audio_encoder.context == (40, 0)


def test_state_does_not_grow(task):
    session, sizes = task.session(), []
    rng = np.random.default_rng(0)
    for _ in range(20):
        for _ in session.push(np.float32(0.1 * rng.normal(size=24_000))):
            pass
        state = tf.nest.flatten((session.listening, session.rendering))
        sizes.append(sum(np.prod(each.shape) for each in state) + len(session.waiting))
    assert max(sizes[5:]) <= max(sizes[:5]) + 24_000
    assert max(sizes) < 24_000 * 6


@pytest.mark.parametrize("cut", [100, 40_000])
def test_a_session_put_aside_and_taken_up_goes_on_as_if_nothing_had_been(
    task, waveform, whole, tmp_path, cut
):
    session = task.session(episode="third", seed=3)
    frames = list(session.push(waveform[:cut]))
    session.save(tmp_path / "session")
    del session
    resumed = Session.load(tmp_path / "session", task)
    frames += [*resumed.push(waveform[cut:]), *resumed.finish()]
    np.testing.assert_array_equal(np.stack(frames), whole)


def test_a_session_that_cannot_be_written_leaves_nothing(task, tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        task.session().save(tmp_path / "session")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_a_resumed_session_keeps_its_options(task, waveform, tmp_path, guidance):
    asked = {"temperature": 0.5, "top_k": 2, "top_p": 0.9, "guidance": guidance}
    expected = task.codes(waveform, seed=1, **asked)
    session = task.session(seed=1, **asked)
    codes = list(session.hear(waveform[:50_000]))
    session.save(tmp_path / "session")
    resumed = Session.load(tmp_path / "session", task)
    assert resumed.options == Options(**asked)
    codes += resumed.hear(waveform[50_000:], last=True)
    np.testing.assert_array_equal(tf.concat(codes, axis=1), expected)


def test_a_session_of_bfloat16_weights_can_be_put_aside(task, waveform, tmp_path):
    task.save_to_preset(tmp_path / "preset", "card")
    half = type(task).from_preset(tmp_path / "preset", dtype="bfloat16", chunk_frames=6)
    session = half.session()
    codes = list(session.hear(waveform[:50_000]))
    session.save(tmp_path / "session")
    resumed = Session.load(tmp_path / "session", half)
    assert resumed.listening.style.dtype == tf.bfloat16
    codes += resumed.hear(waveform[50_000:], last=True)
    np.testing.assert_array_equal(tf.concat(codes, axis=1), half.codes(waveform))
    with pytest.raises(ValueError, match="of another model"):
        Session.load(tmp_path / "session", task)


def test_what_is_no_session_is_refused(task, tmp_path):
    (tmp_path / "text").write_text("no")
    with pytest.raises(ValueError, match="text is not a session"):
        Session.load(tmp_path / "text", task)
    with pytest.raises(FileNotFoundError):
        Session.load(tmp_path / "none", task)
    task.session().save(tmp_path / "whole")
    with np.load(tmp_path / "whole") as archive:
        arrays = dict(archive)
    head = json.loads(arrays["head"].tobytes())
    for name, part in (("waiting", None), ("state0", None), ("head", "model"), ("head", "options")):
        changed = dict(arrays)
        if part is None:
            del changed[name]
        else:
            less = {key: value for key, value in head.items() if key != part}
            changed["head"] = np.frombuffer(json.dumps(less).encode(), np.uint8)
        with open(tmp_path / "less", "wb") as file:
            np.savez(file, **changed)
        with pytest.raises(ValueError, match="less is (not a|a damaged) session"):
            Session.load(tmp_path / "less", task)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"waiting": np.zeros(100, np.float32)}, "it holds .* samples. Received: 50000"),
        ({"waiting": np.zeros(100, np.float64)}, "waiting must be float32"),
        ({"waiting": np.zeros((2, 50), np.float32)}, "waiting must be float32"),
        ({"state1": np.int64([7])}, "state1 must be int64"),
        ({"state2": np.zeros((1, 1, 1, 1, 3), np.float32)}, "state2 must be float32"),
        ({"state99": np.zeros(1, np.float32)}, "it has state99, which no session has"),
        ({"head": {"received": 50_001}}, "it holds 50000 samples. Received: 50001"),
        ({"head": {"received": None}}, "it holds 50000 samples. Received: None"),
        ({"head": {"options": [-1, 0, 1, 1]}}, "temperature must be at least 0"),
    ],
)
def test_a_tampered_session_is_refused(task, waveform, tmp_path, changes, said):
    """Some would never come to an end."""
    session = task.session()
    list(session.hear(waveform[:50_000]))
    session.save(tmp_path / "session")
    with np.load(tmp_path / "session") as archive:
        arrays = dict(archive)
    if "head" in changes:
        head = json.loads(arrays["head"].tobytes()) | changes["head"]
        changes = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    with open(tmp_path / "session", "wb") as file:
        np.savez(file, **(arrays | changes))
    with pytest.raises(ValueError, match=f"session is a damaged session .*{said}"):
        Session.load(tmp_path / "session", task)


@pytest.mark.parametrize(
    ("sound", "named"),
    [
        (np.zeros(100), "0.004 s long; at least 0.2 s"),
        (np.full(9000, np.inf), "not finite"),
        (np.zeros((2, 9000)), "mono"),
        (np.ones(9000, np.int16), "float in .*dtype int16"),
    ],
)
def test_sound_that_no_video_can_be_made_of_is_refused(task, sound, named):
    with pytest.raises(ValueError, match=named):
        list(task.stream([sound]))


def test_sound_after_the_end_is_refused(task, waveform):
    session = task.session()
    list(session.push(waveform[:9000]))
    list(session.finish())
    with pytest.raises(ValueError, match="session is finished"):
        list(session.push(waveform))


@pytest.mark.soak
def test_ten_minutes_in_flat_memory(task):
    """Sound is made as it is asked for; after the first two minutes the process grows no more."""
    rng, peaks = np.random.default_rng(0), []
    session, frames = task.session(), 0
    for second in range(600):
        for _ in session.push(np.float32(0.1 * rng.normal(size=24_000))):
            frames += 1
        if second % 60 == 59:
            with open("/proc/self/status") as status:
                lines = dict(line.split(":", 1) for line in status)
            peaks.append(int(lines["VmRSS"].split()[0]) / 1024)  # MB
    frames += len(list(session.finish()))
    assert frames == 600 * task.fps
    assert max(peaks[2:]) < peaks[1] + 20, peaks
