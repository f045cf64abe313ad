"""Video to .nwt files and back with small untrained models, by the commands."""

import contextlib
import dataclasses
import io
import json

import av
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.media import decode_frames, probe, read_video, write_mp4
from data_pipeline.resample import PictureScaler
from data_pipeline.synthetic import synthesize_voice, write_footage
from nwt_tf import presets
from nwt_tf.bin import nwt
from nwt_tf.bin.codec import coding, transcoding
from nwt_tf.bin.codec import pictures as pictures_of
from nwt_tf.bin.measures import coding_measures
from nwt_tf.codec.coding import decode, read_codes, write_codes
from nwt_tf.codec.container import CODES, Reader
from nwt_tf.codec.header import Header
from nwt_tf.evaluation import video_codecs
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.layers.pixels import to_unit_range
from nwt_tf.models.dvae import DVAE
from tests.models import tiny_priors

FPS = 25
SECONDS = 2.4  # of a video


def save_preset(folder, kind="far"):
    """A preset of untrained weights whose codes move with the picture."""
    tf.keras.utils.set_random_seed(1)
    prior = tiny_priors.make(kind)
    height, width = 16 * prior.grid[0], 16 * prior.grid[1]
    dvae = DVAE(
        height=height, width=width, stem=4, stages=((4, 0),) * 4, temporal=(6, 6, 6),
        num_heads=tiny_priors.HEADS, num_codes=tiny_priors.CODES, code_dim=12, num_episodes=2,
        episode_dim=4,
    )  # fmt: skip
    dvae.build()
    for weight in dvae.encoder.weights:
        if "kernel" in weight.path:
            weight.assign(2.0 * weight)
    footage = {
        "height": height, "width": width, "fps": float(FPS), "crop": [0, 0, 0, 0],
        "segment_seconds": 1.2, "trim_seconds": 0.0, "trim_longer_than": 2.0, "min_seconds": 1.0,
        "frame_encoding": "png", "jpeg_quality": 95, "episodes": {"day": 0, "night": 1},
    }  # fmt: skip
    model = AudioToVideo(dvae, prior, footage, np.zeros(prior.style_dim))
    model.save_to_preset(folder, "Untrained.", storage="float32")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("coding")
    write_footage(root / "footage", clips_per_episode=2, clip_seconds=SECONDS / 2)
    save_preset(root / "preset")
    return root


@pytest.fixture(scope="module")
def video(root):
    return sorted((root / "footage").glob("*.mp4"))[0]


def run(command, *arguments):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        nwt.main([command, *map(str, arguments)])
    return json.loads(printed.getvalue().splitlines()[-1])


def refused(capsys, command, *arguments):
    """The one line of an error of the input."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        nwt.main([command, *map(str, arguments)])
    lines = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2 and len(lines) == 1, lines
    return lines[0]


def packets_of(path):
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def test_a_video_goes_through_with_its_sound(root, video, tmp_path):
    preset, file, mp4 = root / "preset", tmp_path / "a.nwt", tmp_path / "a.mp4"
    line = run(
        "compress", f"--preset={preset}", f"--input={video}", f"--output={file}",
        "--episode=night", "--key_seconds=2",
    )  # fmt: skip
    frames = round(SECONDS * FPS)
    assert line["frames"] == frames and line["episode"] == "night"
    assert 0 < line["bytes_without_sound"] < line["bytes"] == file.stat().st_size
    assert run(
        "decompress", f"--preset={preset}", f"--input={file}", f"--output={mp4}"
    )["frames"] == len(read_video(mp4)) == frames  # fmt: skip
    assert packets_of(mp4) == packets_of(video)
    model = coding.Model(preset)
    settings = pictures_of.footage_settings(preset, video, probe(video))
    pictures = np.stack(list(pictures_of.Pictures(video, 0.0, frames, settings)))
    codes = model.dvae.encode(to_unit_range(pictures)[None])[0].numpy()
    assert len(np.unique(codes)) > 1
    assert np.array_equal(read_codes(file), codes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.nwt"]


def test_a_part_is_what_the_whole_shows_there(root, video, tmp_path):
    preset, file = root / "preset", tmp_path / "a.nwt"
    run("compress", f"--preset={preset}", f"--input={video}", f"--output={file}", "--coder=prior")
    model, shown = coding.Model(preset), {}

    def keep(path, frames, fps, packets=None):
        shown[path] = np.stack(list(frames)), [(t, d) for t, d, _ in packets[1]]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcoding, "write_mp4", keep)
        transcoding.decompress(preset, file, "whole")
        transcoding.decompress(preset, file, "part", start=0.52, end=1.6)
    whole, part = shown["whole"][0], shown["part"][0]
    assert part.shape == (27, model.dvae.height, model.dvae.width, 3)
    assert len(whole) == round(SECONDS * FPS) and np.array_equal(part, whole[13:40])
    rate = Reader(io.BytesIO(file.read_bytes())).header.sound.sample_rate
    times = [time / rate for time, _ in shown["part"][1]]
    assert -0.15 < times[0] <= -0.04 and 1.0 < times[-1] < 1.08


def test_damage_is_said_and_the_rest_is_written(root, video, tmp_path, capsys):
    preset, file, mp4 = root / "preset", tmp_path / "a.nwt", tmp_path / "a.mp4"
    run("compress", f"--preset={preset}", f"--input={video}", f"--output={file}")
    data = bytearray(file.read_bytes())
    second = [r for r in Reader(io.BytesIO(bytes(data))).records if r.kind == CODES][1]
    data[second.offset + 30] ^= 1
    file.write_bytes(data)
    said = refused(capsys, "decompress", f"--preset={preset}", f"--input={file}", f"--output={mp4}")
    assert "a.nwt: is damaged: frames 25 to 49 are lost" in said
    assert len(read_video(mp4)) == round(SECONDS * FPS)


def test_of_a_file_that_breaks_off_nothing_is_made_up(root, video, tmp_path, capsys):
    """Whatever number of frames its header claims."""
    preset, file, mp4 = root / "preset", tmp_path / "a.nwt", tmp_path / "a.mp4"
    run("compress", f"--preset={preset}", f"--input={video}", f"--output={file}")
    data = file.read_bytes()
    reader = Reader(io.BytesIO(data))
    second = [r for r in reader.records if r.kind == CODES][1]
    whole, length = Header.read(io.BytesIO(data))
    claims = dataclasses.replace(whole, frames=4_000_000_000).to_bytes()
    for header, frames in ((data[:length], 60), (claims, 4_000_000_000)):
        file.write_bytes(header + data[length : second.offset + second.length])
        said = refused(
            capsys, "decompress", f"--preset={preset}", f"--input={file}", f"--output={mp4}"
        )
        assert "a.nwt: is damaged: its index cannot be used (the file breaks off)" in said
        assert len(read_video(mp4)) == 50
        with open(file, "rb") as opened:
            reader = Reader(opened)
            list(decode(reader))
        assert f"frames 50 to {frames - 1} are missing" in reader.problems


def test_a_file_that_contradicts_its_own_weights_is_refused(root, video, tmp_path, capsys):
    preset, file = root / "preset", tmp_path / "a.nwt"
    model = coding.Model(preset)
    header = model.header("raw", 5)
    h, w, heads = header.shape
    for field, value in (
        ("shape", (h, w, heads + 1)), ("num_codes", 200), ("height", 8000), ("width", 0),
    ):  # fmt: skip
        other = dataclasses.replace(header, **{field: value})
        with open(file, "wb") as opened:
            write_codes(opened, other, np.zeros((5, *other.shape), np.uint8))
        said = refused(
            capsys, "decompress", f"--preset={preset}", f"--input={file}",
            f"--output={tmp_path / 'a.mp4'}",
        )  # fmt: skip
        assert f"a.nwt: claims {field}" in said
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    ("flag", "value"), [("start", "nan"), ("start", "inf"), ("end", "nan"), ("end", "inf")]
)
def test_decompress_refuses_times_that_are_none(root, tmp_path, capsys, flag, value):
    (tmp_path / "a.nwt").write_bytes(b"")
    said = refused(
        capsys, "decompress", f"--preset={root / 'preset'}", f"--input={tmp_path / 'a.nwt'}",
        f"--output={tmp_path / 'a.mp4'}", f"--{flag}={value}",
    )  # fmt: skip
    assert f"{flag} must be seconds" in said


def test_only_other_weights_are_refused(root, video, tmp_path, capsys):
    preset, file = root / "preset", tmp_path / "a.nwt"
    run("compress", f"--preset={preset}", f"--input={video}", f"--output={file}", "--coder=prior")
    for part in ("dvae", "prior"):
        other = tmp_path / part
        save_preset(other)
        weights = presets.read_weights(other, part)
        name = sorted(weights)[0]
        weights[name] = weights[name] + np.float32(1e-6)
        presets.write_weights(other, part, weights)
        said = refused(
            capsys, "decompress", f"--preset={other}", f"--input={file}",
            f"--output={tmp_path / 'a.mp4'}",
        )  # fmt: skip
        assert f"a.nwt: was made with other {part} weights" in said
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"input": "none.mp4"}, "none.mp4: no such file"),
        ({"output": "a.mp4"}, "must end in .nwt"),
        ({"output": "no/a.nwt"}, "no such folder"),
        ({"episode": "dusk"}, "day, night, none"),
        ({"quality": "101"}, "quality"),
        ({"quality": "nan"}, "quality"),
        ({"key_seconds": "nan"}, "key_seconds"),
        ({"key_seconds": "inf"}, "key_seconds"),
        ({"coder": "zip"}, "coder"),
        ({"preset": "nowhere"}, "No preset at"),
    ],
)
def test_compress_refuses(root, video, tmp_path, capsys, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    given = {"preset": root / "preset", "input": video, "output": "a.nwt"} | flags
    said = refused(capsys, "compress", *(f"--{name}={value}" for name, value in given.items()))
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_the_closest_look_is_chosen_and_less_quality_takes_fewer_bytes(root, video, tmp_path):
    model = coding.Model(root / "preset")
    settings = pictures_of.footage_settings(root / "preset", video, probe(video))
    pictures = np.stack(list(pictures_of.Pictures(video, 0.0, 20, settings)))
    codes = model.logits(pictures).argmax(-1).astype(np.uint8)
    for name in ("none", "day", "night"):
        shown = model.pictures(codes, name)
        assert model.best_episode(shown, codes) == name
        few = model.pictures(codes[:2], name)  # as many as the video has
        assert model.best_episode(few, codes[:2]) == name
    sizes = [
        transcoding.compress(
            root / "preset", video, tmp_path / f"{quality}.nwt", "context", "none", quality
        )["bytes_without_sound"]
        for quality in (100.0, 20.0)
    ]
    assert sizes[1] < sizes[0]


def test_a_video_of_the_preset_s_size_is_not_cropped_again(root, video, tmp_path, capsys):
    """As one that was generated or decompressed; others that the crop does not fit are named before
    the models load."""
    preset, small = tmp_path / "preset", tmp_path / "small.mp4"
    save_preset(preset)
    footage = presets.read_footage(preset)
    presets.write_config(preset, footage=footage | {"crop": [0, 288, 55, 305]})
    size = footage["height"], footage["width"]
    pictures = np.random.default_rng(0).integers(0, 255, (5, *size, 3), np.uint8)
    write_mp4(small, pictures, FPS)
    given = (f"--preset={preset}", f"--output={tmp_path / 'a.nwt'}")
    line = run("compress", *given, f"--input={small}", "--episode=none")
    assert line["frames"] == 5
    settings = pictures_of.footage_settings(preset, small, probe(small))
    shown = np.stack(list(pictures_of.Pictures(small, 0.0, 5, settings)))
    scaler = PictureScaler(*size)
    assert np.array_equal(shown, [scaler(frame) for _, frame in decode_frames(small)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcoding, "Model", None)
        said = refused(capsys, "compress", *given, f"--input={video}")
    assert f"{video.name}: crop (top 0, bottom 288, left 55, right 305) does not fit" in said


def test_sound_behind_the_last_picture_is_kept_unless_an_end_is_asked_for(root, tmp_path):
    preset, talk, file = root / "preset", tmp_path / "talk.mp4", tmp_path / "a.nwt"
    voice = synthesize_voice(1.5, seed=3).waveform
    write_mp4(talk, np.zeros((10, 64, 64, 3), np.uint8), FPS, voice)
    run("compress", f"--preset={preset}", f"--input={talk}", f"--output={file}", "--episode=none")
    given = (f"--preset={preset}", f"--input={file}", f"--output={tmp_path / 'a.mp4'}")
    run("decompress", *given)
    assert packets_of(tmp_path / "a.mp4") == packets_of(talk)
    run("decompress", *given, "--end=0.4")
    kept = packets_of(tmp_path / "a.mp4")
    assert kept == packets_of(talk)[: len(kept)] and len(kept) < 13


def test_of_a_file_without_a_whole_chunk_the_damage_is_told(root, tmp_path, capsys):
    model, file = coding.Model(root / "preset"), io.BytesIO()
    header = model.header("raw", 5)
    write_codes(file, header, np.zeros((5, *header.shape), np.uint8))
    (tmp_path / "a.nwt").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    said = refused(
        capsys, "decompress", f"--preset={root / 'preset'}", f"--input={tmp_path / 'a.nwt'}",
        f"--output={tmp_path / 'a.mp4'}",
    )  # fmt: skip
    assert "it is 0.00 s long; it is damaged: its index cannot be used" in said


@pytest.mark.parametrize("claim", [{"sample_rate": 1}, {"codec": "opus"}])
def test_of_sound_that_its_header_does_not_fit_the_file_is_named(
    root, video, tmp_path, capsys, claim
):
    preset, file = root / "preset", tmp_path / "a.nwt"
    run("compress", f"--preset={preset}", f"--input={video}", f"--output={file}", "--episode=none")
    data = file.read_bytes()
    header, length = Header.read(io.BytesIO(data))
    sound = dataclasses.replace(header.sound, **claim)
    file.write_bytes(dataclasses.replace(header, sound=sound).to_bytes() + data[length:])
    said = refused(
        capsys, "decompress", f"--preset={preset}", f"--input={file}",
        f"--output={tmp_path / 'a.mp4'}",
    )  # fmt: skip
    assert "a.nwt: its sound is not what its header claims" in said
    assert not (tmp_path / "a.mp4").exists()


def test_evaluate_measures_every_coder(root, video, tmp_path, monkeypatch):
    """All of them; of their qualities the first and the last."""
    ends = [
        dataclasses.replace(each, crfs=(each.crfs[0], each.crfs[-1]))
        for each in video_codecs.VIDEO_CODECS
    ]
    monkeypatch.setattr(video_codecs, "VIDEO_CODECS", ends)
    monkeypatch.setattr(coding_measures, "QUALITIES", (100.0, 40.0))
    line = run(
        "evaluate", "--what=codec", f"--preset={root / 'preset'}",
        f"--input_dir={root / 'footage'}", "--max_clips=1", f"--output_dir={tmp_path / 'out'}",
    )  # fmt: skip
    coders = line["coders"]
    assert {"raw", "rle", "context", "prior", "x264 veryslow", "svt-av1 2"} <= set(coders)
    for name in ("raw", "rle", "context", "prior"):
        figures = coders[name]
        assert figures["kbps"] > 0 and figures["bits_per_memcode"] > 0
        assert figures["encode_times_real_time"] > 1
        assert figures["ssim"] == coders["raw"]["ssim"]
    assert coders["x264 veryslow"]["ssim"] > 0.9
    assert line["weights_bytes"]["prior"] > 0 and line["not_measured"] == []
    written = json.loads((tmp_path / "out" / "codec.json").read_text())
    assert len(written["coders"]["rle"]["points"]) == 2
    crf = next(each.crfs[0] for each in ends if each.name == "x264 veryslow")
    assert f"| x264 veryslow | {crf} |" in (tmp_path / "out" / "codec.md").read_text()
    assert (tmp_path / "out" / "codec.png").read_bytes()[:4] == b"\x89PNG"
