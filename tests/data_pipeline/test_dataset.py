import dataclasses
import shutil

import numpy as np
import pytest

from data_pipeline import dataset, schema
from data_pipeline.mel import align
from data_pipeline.shards import Manifest, ShardWriter

FPS = 25.0
LENGTHS = {"a_0": 10, "a_1": 14, "b_0": 6, "b_1": 12}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Clips whose every frame, mel frame and code tells the clip and the time."""
    path = tmp_path_factory.mktemp("data")
    with ShardWriter(path, "train", shard_bytes=20_000) as writer:
        for number, (clip_id, length) in enumerate(LENGTHS.items()):
            level = [np.full((8, 6, 3), 40 * number + 2 * t, np.uint8) for t in range(length)]
            mel_frames = 1 + int(length / FPS * 120)
            clip = schema.Clip(
                clip_id=clip_id,
                episode=clip_id[0],
                fps=FPS,
                height=8,
                width=6,
                num_frames=length,
                frames=tuple(schema.encode_frame(picture, "png") for picture in level),
                mel=np.repeat(1000.0 * number + np.arange(mel_frames)[:, None], 80, 1),
                codes=np.array([[[[number, t]]] for t in range(length)], np.uint8),
            )
            writer.write(schema.serialize(clip), clip_id, length)
    assert len(writer.shards) > 1
    Manifest(
        config={"fps": FPS, "height": 8, "width": 6},
        versions={},
        episodes=["z", "a", "b"],
        splits={"train": writer.shards, "validation": [], "test": []},
        codes={"shape": [1, 1, 2], "num_codes": 16},
    ).save(path)
    return path


def take(batches, count):
    return list(batches.take(count).as_numpy_iterator())


def test_whole_clips_in_order(data_dir):
    batches = list(dataset.video_dataset(data_dir, "train", 1, training=False))
    assert [batch["video"].shape[1] for batch in batches] == list(LENGTHS.values())
    assert [int(batch["episode"][0]) for batch in batches] == [1, 1, 2, 2]
    for number, batch in enumerate(batches):
        levels = 40 * number + 2 * np.arange(batch["video"].shape[1])
        assert batch["video"].dtype == "uint8"
        np.testing.assert_array_equal(batch["video"][0, :, 3, 3, 1], levels)
    first = list(dataset.video_dataset(data_dir, "train", 3, clip_frames=6, training=False))
    assert [batch["video"].shape for batch in first] == [(3, 6, 8, 6, 3), (1, 6, 8, 6, 3)]
    assert first[0]["video"][:, 0, 0, 0, 0].numpy().tolist() == [0, 40, 80]


def test_no_autotuner_holds_an_iterator_back(data_dir):
    for make in (dataset.video_dataset, dataset.sequence_dataset):
        assert make(data_dir, "train", 2, clip_frames=3).options().autotune.enabled is False


def test_training_crops_at_random_and_covers_everything(data_dir):
    batches = take(dataset.video_dataset(data_dir, "train", 3, clip_frames=8, seed=3), 200)
    starts = {0: set(), 1: set(), 3: set()}
    for batch in batches:
        assert batch["video"].shape == (3, 8, 8, 6, 3)
        for video, episode in zip(batch["video"], batch["episode"], strict=True):
            levels = video[:, 2, 2, 0].astype(int)
            number, start = divmod(levels[0], 40)
            assert np.diff(levels).tolist() == [2] * 7
            assert episode == (1 if number < 2 else 2)
            starts[number].add(start // 2)  # KeyError for the clip that is too short
    assert starts == {0: set(range(3)), 1: set(range(7)), 3: set(range(5))}
    assert dataset.usable_clips(data_dir, "train", 8) == {"a_0": 10, "a_1": 14, "b_1": 12}


def test_every_epoch_gives_every_clip_once(data_dir):
    batches = take(dataset.video_dataset(data_dir, "train", 2, clip_frames=6, seed=1), 20)
    numbers = [int(v[0, 0, 0, 0]) // 40 for batch in batches for v in batch["video"]]
    epochs = [numbers[n : n + 4] for n in range(0, 40, 4)]
    assert all(sorted(epoch) == [0, 1, 2, 3] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1  # another order each time


def test_a_small_share_of_the_memory_still_gives_every_clip_once(data_dir, monkeypatch):
    monkeypatch.setattr(dataset, "_SHUFFLE_BYTES", 1)
    batches = take(dataset.video_dataset(data_dir, "train", 2, clip_frames=6, seed=1), 20)
    numbers = [int(v[0, 0, 0, 0]) // 40 for batch in batches for v in batch["video"]]
    assert all(sorted(numbers[n : n + 4]) == [0, 1, 2, 3] for n in range(0, 40, 4))


def test_mel_and_codes_of_a_crop_belong_together(data_dir):
    mels = {n: align(np.arange(1 + int(length / FPS * 120))[:, None], length, FPS)[:, 0]
            for n, length in enumerate(LENGTHS.values())}  # fmt: skip
    moved = 0
    for batch in take(dataset.sequence_dataset(data_dir, "train", 2, clip_frames=5), 40):
        assert batch["mel"].shape == (2, 20, 80) and batch["mel"].dtype == np.float32
        assert batch["codes"].shape == (2, 5, 1, 1, 2) and batch["codes"].dtype == np.int32
        for mel, codes in zip(batch["mel"], batch["codes"], strict=True):
            number, start = codes[0, 0, 0]
            np.testing.assert_array_equal(codes[:, 0, 0, 1], start + np.arange(5))
            expected = 1000 * number + mels[number][4 * start : 4 * start + 20]
            np.testing.assert_array_equal(mel[:, 7], expected)
            moved += start > 0
    assert moved > 20


@pytest.mark.parametrize("make", [dataset.video_dataset, dataset.sequence_dataset])
def test_the_seed_decides(data_dir, make):
    def batches(seed):
        elements = take(make(data_dir, "train", 2, clip_frames=5, seed=seed), 6)
        return np.stack([element[key] for element in elements for key in ("video", "codes")
                         if key in element])  # fmt: skip

    np.testing.assert_array_equal(batches(5), batches(5))
    assert (batches(5) != batches(6)).any()


def test_read_clips_gives_all_of_a_clip(data_dir):
    clips = list(dataset.read_clips(data_dir, "train"))
    assert [clip["clip_id"] for clip in clips] == list(LENGTHS)
    for number, clip in enumerate(clips):
        length = LENGTHS[clip["clip_id"]]
        assert clip["video"].shape == (length, 8, 6, 3)
        assert clip["mel"].shape == (4 * length, 80) and clip["codes"].dtype == np.int32
        assert clip["codes"][:, 0, 0, 0].tolist() == [number] * length
        assert clip["episode"] == (1 if number < 2 else 2)
        # What extract_codes does: the same record with codes in the place of frames.
        without = dataclasses.replace(clip["record"], frames=())
        assert schema.deserialize(schema.serialize(without)).frames == ()


def test_errors(data_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no dataset"):
        dataset.video_dataset(tmp_path, "train", 1)
    with pytest.raises(ValueError, match="has no clips in split test"):
        dataset.video_dataset(data_dir, "test", 1)
    with pytest.raises(ValueError, match="has no clips in split test"):
        next(dataset.read_clips(data_dir, "test"))
    with pytest.raises(
        ValueError, match="no clip of split train has 15 frames; the longest has 14"
    ):
        dataset.sequence_dataset(data_dir, "train", 1, clip_frames=15)
    for none in (0, -1):
        with pytest.raises(ValueError, match=f"clip_frames must be at least 1. Received: {none}"):
            dataset.sequence_dataset(data_dir, "train", 1, clip_frames=none)
    with pytest.raises(ValueError, match="6 to 14 frames; give clip_frames, or batch_size=1"):
        dataset.video_dataset(data_dir, "train", 2, training=False)
    manifest = Manifest.load(data_dir)
    dataclasses.replace(manifest, codes=None).save(tmp_path)
    with pytest.raises(ValueError, match="holds no codes; make them with nwt extract_codes"):
        dataset.sequence_dataset(tmp_path, "train", 1)


def test_a_missing_shard_is_named(data_dir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data_dir, copy)
    (copy / "train-00000.tfrecord").unlink()
    for read in (dataset.read_clips, lambda *where: iter(dataset.video_dataset(*where, 1, 4))):
        with pytest.raises(FileNotFoundError, match="train-00000.tfrecord: is missing"):
            next(read(copy, "train"))


@pytest.mark.parametrize("start", [1, 3, 7])
def test_a_resumed_training_sees_the_batches_that_come_next(data_dir, start):
    def batches(begin, count):
        made = dataset.video_dataset(data_dir, "train", 2, clip_frames=4, seed=5, start=begin)
        return [
            (batch["video"].tobytes(), batch["episode"].tolist())
            for batch in made.take(count).as_numpy_iterator()
        ]

    whole = batches(0, 10)
    assert len({video for video, _ in whole}) > 5
    assert batches(start, 10 - start) == whole[start:]


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_every_batch_in_order(data_dir, hosts):
    def batches(host):
        made = dataset.video_dataset(
            data_dir, "train", 4, clip_frames=4, seed=5, start=3, host=(host, hosts)
        )
        return [batch["video"] for batch in take(made, 5)]

    whole = take(dataset.video_dataset(data_dir, "train", 4, clip_frames=4, seed=5, start=3), 5)
    for parts, batch in zip(zip(*map(batches, range(hosts)), strict=True), whole, strict=True):
        assert [len(part) for part in parts] == [4 // hosts] * hosts
        np.testing.assert_array_equal(np.concatenate(parts), batch["video"])


def test_a_shard_with_a_flipped_byte_is_named(data_dir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data_dir, copy)
    shard = copy / "train-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    for read in (dataset.read_clips, lambda *where: dataset.read_coded_frames(*where, 4)):
        with pytest.raises(ValueError, match="train-00000.tfrecord: cannot be read .corrupted"):
            list(read(copy, "train"))


def test_a_shard_cut_in_the_middle_is_named(data_dir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data_dir, copy)
    shard = copy / "train-00000.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-100])
    for read in (dataset.read_clips, lambda *where: iter(dataset.video_dataset(*where, 1, 4))):
        with pytest.raises(ValueError, match="train-00000.tfrecord: has .* bytes, though"):
            next(read(copy, "train"))
