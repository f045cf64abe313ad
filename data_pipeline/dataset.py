"""Shards to tf.data: video for the dVAE, mel and codes for the priors."""

import contextlib
import os
import re
from collections.abc import Iterator

import tensorflow as tf

from data_pipeline import files
from data_pipeline.mel import MEL_RATE, MELS_PER_FRAME, NUM_MELS, align
from data_pipeline.schema import decode_frame, deserialize, parse
from data_pipeline.shards import Manifest

_SHUFFLE_CLIPS = 256  # encoded clips, the next one is drawn from so many
_SHUFFLE_BYTES = 2**30  # and at most so much of memory, on each host
# No autotuner: its thread sleeps, up to a minute at a time, and an iterator's end waits for it
# where it was woken too early (TensorFlow 2.21 wakes it before it notes that the iterator ends).
# Without it AUTOTUNE is a call for each processor, up to 16.
_UNTUNED = tf.data.Options()
_UNTUNED.autotune.enabled = False


def align_mel(mel: tf.Tensor, num_frames: tf.Tensor, fps: float) -> tf.Tensor:
    """mel.align in a graph: float32 [mel frames, 80] -> [num_frames * 4, 80]."""
    frames = tf.cast(tf.range(num_frames), tf.float64)
    first = tf.cast(tf.floor(frames * (MEL_RATE / fps) + 0.5), tf.int32)
    rows = tf.reshape(first[:, None] + tf.range(MELS_PER_FRAME), [-1])  # [num_frames * 4]
    return tf.gather(mel, tf.minimum(rows, tf.shape(mel)[0] - 1))


def usable_clips(
    data_dir: str | os.PathLike, split: str, clip_frames: int | None = None
) -> dict[str, int]:
    """Clip id -> number of frames, of the clips with at least `clip_frames` frames.

    Raises:
        FileNotFoundError, ValueError: No dataset (see Manifest.load), no such clips in it, or
            clip_frames below 1.
    """
    if clip_frames is not None and clip_frames < 1:
        raise ValueError(f"clip_frames must be at least 1. Received: {clip_frames}")
    clips = Manifest.load(data_dir).clip_frames(split)
    if not clips:
        raise ValueError(f"{data_dir}: has no clips in split {split}")
    long = {name: frames for name, frames in clips.items() if frames >= (clip_frames or 1)}
    if not long:
        raise ValueError(
            f"{data_dir}: no clip of split {split} has {clip_frames} frames; the longest has "
            f"{max(clips.values())}"
        )
    return long


def video_dataset(
    data_dir: str | os.PathLike,
    split: str,
    batch_size: int,
    clip_frames: int | None = None,
    seed: int = 0,
    training: bool = True,
    start: int = 0,
    host: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Batches of video.

    Args:
        data_dir: Dataset folder.
        split: "train", "validation" or "test".
        batch_size: Clips a batch; training drops a last smaller one.
        clip_frames: Frames a clip, T: with training=True drawn anywhere in the clip, else its
            first ones; shorter clips are left out (usable_clips counts the others).  None takes
            whole clips, of equal lengths unless batch_size is 1.
        seed: Of order and crops.
        training: True shuffles and repeats for ever, False goes through once in order.
        start: With training=True, batches to leave out from the beginning: those that an earlier
            run of the same training has seen.
        host: (index, count): of every batch, only the index-th of count equal parts; B is then
            batch_size / count.  Clips of the other parts are not decoded.

    Returns:
        Elements {"video": uint8 [B, T, height, width, 3], "episode": int32 [B]}; an episode is its
        place in the manifest's list.

    Raises:
        FileNotFoundError: No such dataset.
        ValueError: No clips to give, or whole clips of unequal lengths in one batch.
    """
    manifest = Manifest.load(data_dir)
    shape = (manifest.config["height"], manifest.config["width"], 3)

    def select(record, first, count):
        frames = record["frames"][first : first + count]
        video = tf.map_fn(decode_frame, frames, fn_output_signature=tf.uint8)
        return {"video": tf.ensure_shape(video, [clip_frames, *shape])}

    return _batches(
        data_dir, split, batch_size, clip_frames, seed, training, start, host, manifest, select
    )


def sequence_dataset(
    data_dir: str | os.PathLike,
    split: str,
    batch_size: int,
    clip_frames: int | None = None,
    seed: int = 0,
    training: bool = True,
    start: int = 0,
    host: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Batches of mel spectrogram and codes, for the priors; arguments as for video_dataset.

    Returns:
        Elements {"mel": float32 [B, 4 T, 80], "codes": int32 [B, T, h, w, heads], "episode":
        int32 [B]}; mel frames 4 t to 4 t + 3 belong to codes t.

    Raises:
        FileNotFoundError: No such dataset.
        ValueError: As for video_dataset, or a dataset without codes.
    """
    manifest = Manifest.load(data_dir)
    if manifest.codes is None:
        raise ValueError(f"{data_dir}: holds no codes; make them with nwt extract_codes")
    fps = manifest.config["fps"]
    mel_rows = None if clip_frames is None else clip_frames * MELS_PER_FRAME

    def select(record, first, count):
        # Aligned first and cut afterwards, so that a crop reads what the whole clip reads.
        mel = align_mel(record["mel"], record["num_frames"], fps)
        mel = mel[first * MELS_PER_FRAME : (first + count) * MELS_PER_FRAME]
        codes = tf.cast(record["codes"][first : first + count], tf.int32)
        return {
            "mel": tf.ensure_shape(mel, [mel_rows, NUM_MELS]),
            "codes": tf.ensure_shape(codes, [clip_frames, *manifest.codes["shape"]]),
        }

    return _batches(
        data_dir, split, batch_size, clip_frames, seed, training, start, host, manifest, select
    )


def _shard_paths(data_dir, manifest, split) -> list[str]:
    """Files of a split; all are checked before any is read."""
    paths = []
    for shard in manifest.splits[split]:
        path = files.join(data_dir, shard.name)
        if not files.is_file(path):
            raise FileNotFoundError(
                f"{path}: is missing, though dataset.json lists it; copy it or build again"
            )
        if files.size(path) != shard.bytes:
            raise ValueError(
                f"{path}: has {files.size(path)} bytes, though dataset.json says {shard.bytes}; "
                "copy it or build again"
            )
        paths.append(path)
    return paths


def _batches(
    data_dir, split, batch_size, clip_frames, seed, training, start, host, manifest, select
):
    clips = usable_clips(data_dir, split, clip_frames)
    if clip_frames is None and batch_size > 1 and len(set(clips.values())) > 1:
        raise ValueError(
            f"{data_dir}: clips of split {split} have {min(clips.values())} to "
            f"{max(clips.values())} frames; give clip_frames, or batch_size=1"
        )
    episodes = tf.constant(manifest.episodes)

    seen = start * batch_size

    def finish(index, record):
        length = tf.cast(record["num_frames"], tf.int32)
        count = length if clip_frames is None else clip_frames
        first = tf.zeros([], tf.int32)
        if training:
            seeds = tf.stack([tf.constant(seed, tf.int64), index])
            first = tf.random.stateless_uniform([], seeds, 0, length - count + 1, tf.int32)
        episode = tf.argmax(tf.equal(episodes, record["episode"]), output_type=tf.int32)
        return select(record, first, count) | {"episode": episode}

    def parsed(serialized):
        records = serialized.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        return records.filter(lambda record: record["num_frames"] >= (clip_frames or 1))

    def shuffled(epoch):
        # An order that depends on nothing but seed and epoch, so that a resumed training goes on
        # with the batches that it would have seen; what was seen is passed over undecoded.
        key = tf.random.experimental.stateless_fold_in(tf.stack([seed, 0]), epoch)
        order = tf.random.experimental.stateless_shuffle(tf.constant(paths), key)
        serialized = tf.data.Dataset.from_tensor_slices(order).interleave(
            tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=tf.data.AUTOTUNE
        )
        skipped = tf.constant(seen % len(clips), tf.int64)
        records = parsed(_shuffled(serialized, held, key))
        return records.skip(tf.where(epoch == seen // len(clips), skipped, 0))

    paths = _shard_paths(data_dir, manifest, split)
    if training:
        size = sum(shard.bytes for shard in manifest.splits[split])
        held = _SHUFFLE_BYTES * len(manifest.clip_frames(split)) // size
        held = max(2, min(_SHUFFLE_CLIPS, held))
        epochs = tf.data.Dataset.range(seen // len(clips), tf.int64.max)
        records = epochs.flat_map(shuffled)
    else:
        records = parsed(tf.data.TFRecordDataset(paths))
    records = records.enumerate(seen)
    part, parts = host
    share = batch_size // parts
    if parts > 1:
        records = records.filter(lambda index, _: index % batch_size // share == part)
    elements = records.map(finish, num_parallel_calls=tf.data.AUTOTUNE)
    batches = elements.batch(share, drop_remainder=training).prefetch(tf.data.AUTOTUNE)
    return batches.with_options(_UNTUNED)


def _shuffled(strings, held, key):
    """Dataset.shuffle of strings with a seed that is a tensor, which it refuses once the program
    has set a seed of its own."""
    first, second = tf.unstack(tf.random.stateless_uniform([2], key, None, None, tf.int64))
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(strings),
        buffer_size=held,
        seed=first,
        seed2=second,
        output_types=[tf.string],
        output_shapes=[[]],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(variant, strings.element_spec)


def read_records(data_dir: str | os.PathLike, manifest: Manifest, split: str) -> Iterator[bytes]:
    """The records of a split as they are stored, in order.

    Raises:
        FileNotFoundError, ValueError: A shard is missing or damaged.
    """
    for path in _shard_paths(data_dir, manifest, split):
        with _named(path):
            yield from tf.data.TFRecordDataset(path).with_options(_UNTUNED).as_numpy_iterator()


def read_coded_frames(
    data_dir: str | os.PathLike, split: str, clip_frames: int
) -> Iterator[tuple[bytes, ...]]:
    """The first `clip_frames` frames of every clip that has so many, as they are stored.

    Raises:
        FileNotFoundError, ValueError: As for video_dataset.
    """
    usable = usable_clips(data_dir, split, clip_frames)
    for serialized in read_records(data_dir, Manifest.load(data_dir), split):
        clip = deserialize(serialized)
        if clip.clip_id in usable:
            yield clip.frames[:clip_frames]


def read_clips(data_dir: str | os.PathLike, split: str) -> Iterator[dict]:
    """Whole clips of a split, one at a time and in order, for extraction and evaluation.

    Yields:
        Dicts with `record` (the schema.Clip as stored), `clip_id`, `episode` (int, its place in the
        manifest's list), `mel` (float32 [4 T, 80], aligned), and where the dataset has them `video`
        (uint8 [T, height, width, 3]) and `codes` (int32 [T, h, w, heads]).

    Raises:
        FileNotFoundError, ValueError: No such dataset or shard, no clips in the split.
    """
    usable_clips(data_dir, split)
    manifest = Manifest.load(data_dir)
    fps = manifest.config["fps"]
    paths = _shard_paths(data_dir, manifest, split)

    size = (manifest.config["height"], manifest.config["width"], 3)

    def decode(serialized):
        frames = parse(serialized)["frames"]  # none in a dataset of codes alone
        video = tf.map_fn(
            lambda frame: tf.ensure_shape(decode_frame(frame), size),
            frames,
            fn_output_signature=tf.TensorSpec(size, tf.uint8),
        )
        return serialized, video

    for path in paths:
        records = tf.data.TFRecordDataset(path).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        records = records.prefetch(1).with_options(_UNTUNED)
        with _named(path):
            for serialized, video in records.as_numpy_iterator():
                record = deserialize(serialized)
                clip = {
                    "record": record,
                    "clip_id": record.clip_id,
                    "episode": manifest.episodes.index(record.episode),
                    "mel": align(record.mel, record.num_frames, fps),
                }
                if len(video):
                    clip["video"] = video
                if record.codes is not None:
                    clip["codes"] = record.codes.astype("int32")
                yield clip


@contextlib.contextmanager
def _named(path):
    """Errors of reading a shard become ValueErrors that name it."""
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        reason = re.search(r"(corrupted|truncated) record|another schema version", error.message)
        raise ValueError(
            f"{path}: cannot be read ({reason[0] if reason else error.message.splitlines()[0]}); "
            "copy it or build again"
        ) from error
