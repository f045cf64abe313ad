"""The codec measured on clips, beside today's video codecs: `nwt evaluate --what=codec`."""

import io
import json
import time
from pathlib import Path

import numpy as np

from data_pipeline.workers import Progress
from nwt_tf import presets
from nwt_tf.bin.codec.coding import Model, PriorPredictor
from nwt_tf.bin.codec.transcoding import chunk_frames
from nwt_tf.codec.choice import choose_codes, distortion_weight
from nwt_tf.codec.coding import decode, make_coder, write_codes
from nwt_tf.codec.container import Reader
from nwt_tf.codec.header import CODERS
from nwt_tf.evaluation import video_codecs
from nwt_tf.evaluation.rate_distortion import (
    Point,
    bd_rate,
    draw_curves,
    picture_measures,
    rate_at,
    table,
)
from nwt_tf.files import whole, write_text

QUALITIES = (100.0, 80.0, 60.0, 50.0, 40.0, 30.0, 20.0)
KEY_SECONDS = 10.0  # about x264's 250 frames; a second, the default of `nwt compress`, beside it


def codec(preset, clips, options):
    """Every coder at several qualities, and x264, x265, SVT-AV1, on the same clips.

    A clip is a file of its own: sizes are bytes of `.nwt` files, headers and index in, and of the
    video codecs' bare streams. Every file is decoded again and compared.

    Args:
        preset: of the dVAE; with a prior, coder `prior` is measured too.
        clips: dicts with `video` uint8 [T, H, W, 3] and `mel` float32 [4 T, 80], aligned.
        options: `output_dir`: codec.json, codec.md and codec.png are written there; made if
            missing.

    Returns:
        (figures: {"coders": {name: figures at the best quality}, "weights_bytes", "clips", ...},
        None: the picture is codec.png).

    Raises:
        ValueError: no clips, no output_dir.
    """
    if options.output_dir is None:
        raise ValueError("--what=codec writes a table and curves: give --output_dir.")
    folder = Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    model = Model(preset)
    coders = CODERS if model.config.get("prior") else CODERS[:-1]
    absent = video_codecs.missing()
    for name in absent:
        print(f"not measured, this PyAV lacks it: {name}")
    others = [each for each in video_codecs.VIDEO_CODECS if each.name not in absent]
    own = {name: [Point(quality) for quality in QUALITIES] for name in coders}
    apart = {name: Point(QUALITIES[0]) for name in coders}  # every chunk a key chunk
    foreign = {each.name: [Point(crf) for crf in each.crfs] for each in others}
    clock, memcodes, count = _Clock(), 0, 0
    for count, clip in enumerate(clips, 1):
        print(f"clip {count}: {clip['clip_id']}", flush=True)
        coded = _Coded(model, clip, clock)
        memcodes += coded.memcodes
        for i, quality in enumerate(QUALITIES):
            codes, measured = coded.at(quality)
            for name in coders:
                own[name][i].add(coded.size(name, codes, KEY_SECONDS), measured, coded.fps)
                if i == 0:
                    apart[name].add(coded.size(name, codes, 1.0), measured, coded.fps)
        progress = Progress(sum(len(each.crfs) for each in others), "encodings")
        for each in others:
            for point in foreign[each.name]:
                size, pictures = video_codecs.through(
                    each, clip["video"], coded.fps, int(point.setting)
                )
                point.add(size, picture_measures(clip["video"], pictures), coded.fps)
                progress.show(sum(bool(p.frames) for ps in foreign.values() for p in ps))
        progress.clear()
    if not count:
        raise ValueError("There are no clips to measure.")
    curves = {
        name: [point.figures() for point in points] for name, points in {**own, **foreign}.items()
    }
    results = {}
    for name, points in curves.items():
        results[name] = _compared(points, curves.get(video_codecs.ANCHOR), points[0])
        if name in own:
            results[name] |= {
                "bits_per_memcode": 8 * points[0]["bytes"] / memcodes,
                "bits_per_memcode_key_1s": 8 * apart[name].size / memcodes,
                "kbps_key_1s": apart[name].figures()["kbps"],
                "of_rle": points[0]["bytes"] / curves["rle"][0]["bytes"],
                "of_rle_key_1s": apart[name].size / apart["rle"].size,
                **clock.speeds(name, coded.fps),
            }
    figures = {
        "clips": count,
        "frames": own["rle"][0].frames,
        "weights_bytes": _weights(preset),
        "network_frames_per_second": clock.network(),
        "not_measured": absent,
    }
    _write(folder, results, curves, figures)
    summary = {
        name: {key: value for key, value in each.items() if key != "points"}
        for name, each in results.items()
    }
    return {"coders": summary, **figures}, None


def _compared(points, anchor, at):
    """A coder's best point and curve, against the anchor's curve."""
    figures = {key: at[key] for key in ("kbps", "ssim", "ms_ssim", "psnr")}
    rate = rate_at(anchor, at["ssim"]) if anchor else None
    return figures | {
        "points": points,
        "bd_rate": bd_rate(anchor, points) if anchor else None,
        "times_fewer_bits": rate / at["kbps"] if rate else None,
    }


class _Coded:
    """One clip through the networks once, and through the coders as often as asked."""

    def __init__(self, model, clip, clock):
        self.model, self.video, self.clock = model, clip["video"], clock
        self.mel, self.fps = clip["mel"], model.footage["fps"]
        with clock.timing("encoder", len(self.video)):
            self.logits = model.logits(self.video)
        first = chunk_frames(model)
        best = self.logits[:first].argmax(-1).astype(np.uint8)
        self.episode = model.best_episode(self.video[:first], best)
        self.weights = model.sensitivity(self.video, self.logits, self.episode)
        self.memcodes = int(np.prod(self.logits.shape[:3]))

    def at(self, quality):
        """(codes uint8 [T, h, w, heads], picture_measures) at a quality."""
        codes = choose_codes(self.logits, self.weights, distortion_weight(quality))
        with self.clock.timing("decoder", len(codes)):
            pictures = self.model.pictures(codes, self.episode)
        return codes, picture_measures(self.video, pictures)

    def size(self, coder, codes, key_seconds):
        """Bytes of the clip's file, which is decoded to make sure.

        Raises:
            RuntimeError: other codes come out.
        """
        size = chunk_frames(self.model)
        header = self.model.header(coder, size, episode=self.episode)
        key_chunks, file = max(1, round(key_seconds * self.fps / size)), io.BytesIO()
        write_codes(file, header, codes, key_chunks, self._predictor(coder))
        reader = Reader(file)
        back = [part for _, part in decode(reader, predictor=self._predictor(coder))]
        if reader.problems or not np.array_equal(np.concatenate(back), codes):
            raise RuntimeError(f"coder {coder} gives other codes back: {reader.problems}")
        self.clock.coder(coder, header, codes, self._predictor(coder))
        return len(file.getvalue())

    def _predictor(self, coder):
        if coder != "prior":
            return None
        return _Timed(PriorPredictor(self.model, self.mel, self.episode), self.clock)


class _Timed:
    """A predictor that is timed, remembers what it predicted, and can tell it again."""

    def __init__(self, predictor, clock):
        self._predictor, self._clock, self._told, self._side = predictor, clock, [], b""
        self.adopt = predictor.adopt

    def side(self, first, codes, key):
        """The predictor's own."""
        self._side = self._predictor.side(first, codes, key)
        return self._side

    def run(self, frames, choose):
        """Predicts; the time of `choose` does not count."""
        outside = 0.0

        def ask(log_p):
            nonlocal outside
            self._told.append(log_p)
            start = time.perf_counter()
            codes = choose(log_p)
            outside += time.perf_counter() - start
            return codes

        start = time.perf_counter()
        self._predictor.run(frames, ask)
        self._clock.add("prior", frames, time.perf_counter() - start - outside)

    def again(self):
        """A predictor that says the same of the one chunk, without a network."""
        return _Echo(self._side, self._told)


class _Echo:
    def __init__(self, side, told):
        self._side, self._told = side, told

    def side(self, first, codes, key):
        return self._side

    def adopt(self, first, frames, key, reader):
        reader.bytes(len(self._side))

    def run(self, frames, choose):
        for log_p in self._told:
            choose(log_p)


class _Clock:
    """Times of networks (wall clock) and of coders (processor time of this thread alone)."""

    def __init__(self):
        self._spent = {}

    def add(self, what, frames, seconds):
        """Adds frames that took so long."""
        if what not in self._spent:  # The first call compiles.
            self._spent[what] = 0, 0.0
            return
        before = self._spent[what]
        self._spent[what] = before[0] + frames, before[1] + seconds

    def timing(self, what, frames):
        """A context whose time is added."""
        return _Timing(self, what, frames)

    def coder(self, name, header, codes, predictor):
        """Times a coder on the first chunk, both ways, networks left out."""
        codes = np.ascontiguousarray(codes[: header.chunk_frames])
        if predictor is not None:
            make_coder(header, predictor).encode(codes)
            predictor = [predictor.again(), predictor.again()]
        else:
            predictor = [None, None]
        encoder, decoder = (make_coder(header, each) for each in predictor)
        start = time.thread_time()
        payload = encoder.encode(codes)
        self.add(f"{name} encode", len(codes), time.thread_time() - start)
        start = time.thread_time()
        decoder.decode(payload, len(codes))
        self.add(f"{name} decode", len(codes), time.thread_time() - start)

    def speeds(self, name, fps):
        """Multiples of real time of a coder, on one core."""
        return {
            f"{way}_times_real_time": self._rate(f"{name} {way}") / fps
            for way in ("encode", "decode")
        }

    def network(self):
        """Frames a second of each network that ran."""
        return {
            part: self._rate(part) for part in ("encoder", "decoder", "prior")
            if self._spent.get(part, (0,))[0]
        }  # fmt: skip

    def _rate(self, what):
        frames, seconds = self._spent[what]
        return frames / max(seconds, 1e-9)


class _Timing:
    def __init__(self, clock, what, frames):
        self._clock, self._what, self._frames = clock, what, frames

    def __enter__(self):
        self._start = time.perf_counter()

    def __exit__(self, kind, error, traceback):
        self._clock.add(self._what, self._frames, time.perf_counter() - self._start)


def _weights(preset):
    """Bytes of the preset's weight files, by part."""
    folder = presets.locate(preset)
    sizes = {
        part: sum(file.stat().st_size for file in folder.glob(f"{part}.weights.*.npz"))
        for part in ("dvae", "prior")
    }
    return {part: size for part, size in sizes.items() if size}


def _write(folder, results, curves, figures):
    notes = "\n".join(f"- {key}: {json.dumps(value)}" for key, value in figures.items())
    contents = {
        "codec.json": json.dumps({"coders": results, **figures}, indent=1) + "\n",
        "codec.md": f"{table(results)}\nBD-rate against {video_codecs.ANCHOR}.\n\n{notes}\n",
    }
    for name, text in contents.items():
        write_text(folder / name, text)
    with whole(folder / "codec.png") as beside:
        draw_curves(beside, curves, f"{figures['clips']} clips, {figures['frames']} frames")
    print(f"wrote {', '.join(str(folder / name) for name in (*contents, 'codec.png'))}")
