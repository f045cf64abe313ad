"""`nwt evaluate --what=generation`: video made from sound, beside the truth and what is no feat.

And `--what=footage`: the truth alone, before there is a model.
"""

import numpy as np
import tensorflow as tf

from data_pipeline.synthetic import mouth_opening
from nwt_tf.bin.draws import asked
from nwt_tf.bin.measures.held_out import MouthFinder
from nwt_tf.evaluation.comparison import Ruler, System, TrueClip, systems_table
from nwt_tf.evaluation.prediction import measure_prediction
from nwt_tf.evaluation.reconstruction import reconstruct, strip
from nwt_tf.generation.audio_to_video import AudioToVideo
from nwt_tf.layers.pixels import to_pixels, to_unit_range

SHEET_CLIPS = 4
OTHERS = 5  # other clips whose sound is held against a clip's mouth
BATCH = 8  # clips of one length that are generated at once


class Generation:
    """A preset at work: generates clips, and keeps their codes for measure_prediction."""

    def __init__(self, preset, options):
        self.model = AudioToVideo.from_preset(preset, sampling=options.sampling)
        self.kind = type(self.model.prior).__name__
        self._seed = options.seed
        self.draws = self.model.options(**asked(options))
        self._coded, self._styles = [], []

    def videos(self, clips):
        """Videos from the sound of clips of one length, with the default styles.

        Args:
            clips: a list of Clips' dicts.

        Yields:
            uint8 [T, H, W, 3] for each.
        """
        model, prior = self.model, self.model.prior
        # By name: a second preset may number its episodes otherwise.
        names = [clip["record"].episode for clip in clips]
        numbers = [model.episodes.get(name, -1) for name in names]
        episodes = tf.constant(numbers)
        style = np.stack(
            [model.style_of(name if name in model.episodes else "none") for name in names]
        )
        self._styles += list(style)
        mel = np.stack([clip["mel"] for clip in clips])
        conditioning = prior.condition(mel, style, episodes)
        codes = model.sampler(conditioning, [self._seed, len(self._coded)], *self.draws)
        for index, clip in enumerate(clips):
            draw = tf.constant([self._seed, len(self._coded)]) if model.sampled_codes else None
            true = model.dvae.encode(to_unit_range(clip["video"])[None], draw)[0].numpy()
            self._coded.append((true, clip["mel"], numbers[index]))
            one = slice(index, index + 1)
            yield to_pixels(model.dvae.decode(codes[one], episodes[one])[0])

    def prediction(self):
        """Figures of measure_prediction over all clips so far, and how codes were drawn."""
        figures = measure_prediction(self.model.prior, self._coded, self._styles)
        return {**figures, "draws": self.draws.figures()}


def generation(preset, clips, options):
    """Generated video against the truth, its reconstruction, and floors, on the same clips.

    Args:
        preset: with a prior.
        clips: Clips; they are read twice, one batch of them is in memory at a time.
        options: seed, those of nwt_tf.bin.draws, sampling, `mouth` (MouthFinder's) and `compare`, a
            second preset or None.

    Returns:
        (figures: of measure_prediction; `draws`, the Options of the codes;
        `mouth_sound_correlation`, `other_sound_correlation`, `peak_lag` of the generated mouth
        and `true_correlation`, `true_other_sound_correlation`
        of the true one; `mouth`; `systems`: {system: figures}; `correlations_by_lag`; and a sheet
        of the first clips: truth with the mouth's box, reconstruction, generation).

    Raises:
        ValueError: no clips, no prior, or presets of frames of other sizes.
    """
    made = {"generated": Generation(preset, options)}
    if options.compare:
        made["compared"] = Generation(options.compare, options)
    sizes = {(each.model.dvae.height, each.model.dvae.width) for each in made.values()}
    if len(sizes) > 1:
        raise ValueError(f"--compare={options.compare} makes frames of another size.")
    rates = {each.model.fps for each in made.values()}
    if len(rates) > 1:
        raise ValueError(f"--compare={options.compare} makes another number of frames a second.")
    mels, ruler, at_peak = _survey(clips, options)
    names = ["ground_truth", "reconstruction", *made, "still_frame"]
    names += ["shuffled_sound"] if len(mels) > 1 else []
    systems = {name: System(ruler, name == "ground_truth") for name in names}
    dvae, rows = made["generated"].model.dvae, []
    shuffled = _Shuffled(systems.get("shuffled_sound"))
    for first, batch in _batches(clips):
        videos = {name: each.videos(batch) for name, each in made.items()}
        for offset, clip in enumerate(batch):
            number = first + offset
            true = _true_clip(clip, number, mels)
            shown = {
                "ground_truth": true.video,
                "reconstruction": reconstruct(dvae, true.video, clip["episode"])[1],
                **{name: next(video) for name, video in videos.items()},
                "still_frame": np.repeat(true.video[:1], len(true.video), axis=0),
            }
            for name, video in shown.items():
                systems[name].add(true, video)
            shuffled.add(true, shown["generated"])
            if number < SHEET_CLIPS:
                rows.append(strip(_outlined(true.video, ruler.mouth)))
                rows += [strip(shown[name]) for name in ("reconstruction", *made)]
        print(f"{first + len(batch)} of {len(mels)} clips", flush=True)
    shuffled.close()
    figures = {name: each.figures(systems["ground_truth"]) for name, each in systems.items()}
    titles = {f"{name} ({each.kind})": name for name, each in made.items()}
    named = {v: k for k, v in titles.items()}
    print(systems_table({named.get(n, n).replace("_", " "): f for n, f in figures.items()}))
    true, ours = figures["ground_truth"], figures["generated"]
    return {
        "clips": len(mels),
        **made["generated"].prediction(),
        **{name: ours[name] for name in ("mouth_sound_correlation", "other_sound_correlation")},
        "peak_lag": ours["peak_lag"],
        "true_correlation": true["mouth_sound_correlation"],
        "true_other_sound_correlation": true["other_sound_correlation"],
        "mouth": ruler.mouth,
        "mouth_correlation": at_peak,
        "systems": figures,
        "compared": made["compared"].prediction() if "compared" in made else None,
        "correlations_by_lag": {
            f"{name}{kind}": systems[name].correlations(f"own{kind}")
            for name in ("ground_truth", *made)
            for kind in ("", "_envelope")
        },
    }, np.concatenate(rows)


def footage(preset, clips, options):
    """True footage by itself: where its mouth is, and how it goes with the sound.

    Args:
        preset: not used.
        clips: Clips.
        options: `mouth`, MouthFinder's.

    Returns:
        (figures of the system `ground_truth`, with `mouth` and `correlations_by_lag`; picture of
        the first clips with the mouth's box).

    Raises:
        ValueError: no clips.
    """
    mels, ruler, at_peak = _survey(clips, options)
    truth, rows = System(ruler, is_truth=True), []
    for number, clip in enumerate(clips):
        truth.add(_true_clip(clip, number, mels), clip["video"])
        if number < SHEET_CLIPS:
            rows.append(strip(_outlined(clip["video"], ruler.mouth)))
    figures = truth.figures()
    print(systems_table({"ground truth": figures}))
    return {
        "clips": len(mels),
        **figures,
        "mouth": ruler.mouth,
        "mouth_correlation": at_peak,
        "correlations_by_lag": {
            f"ground_truth{kind}": truth.correlations(f"own{kind}") for kind in ("", "_envelope")
        },
    }, np.concatenate(rows)


def _survey(clips, options):
    """What must be known of all clips first: (their mels, Ruler, MouthFinder's correlation)."""
    mels, finder, known = [], MouthFinder(clips.fps, options.mouth), False
    for clip in clips:
        mels.append(clip["mel"])
        finder.add(clip)
        known = known or "opening" in clip
    if not mels:
        raise ValueError("There are no clips to measure.")
    box, at_peak = finder.find()
    return mels, Ruler(box, clips.fps, mouth_opening if known else None), at_peak


def _true_clip(clip, number, mels):
    """TrueClip of a dict of Clips; its other sounds are those of the clips after it."""
    others = [mels[(number + n) % len(mels)] for n in range(1, OTHERS + 1)]
    return TrueClip(clip["video"], clip["mel"], tuple(others[: len(mels) - 1]), clip.get("opening"))


def _outlined(video, box):
    """The video with the mouth's box drawn in."""
    height, width = video.shape[1:3]
    edges = np.multiply(box, (height, height, width, width)).round().astype(int)
    top, bottom, left, right = edges - (0, 1, 0, 1)
    video = video.copy()
    video[:, [top, bottom], left : right + 1] = 255
    video[:, top : bottom + 1, [left, right]] = 255
    return video


class _Shuffled:
    """Pairs each true clip with the video made from the next one's sound, the last with the first.

    Args:
        system: System to add the pairs to, or None.
    """

    def __init__(self, system):
        self._system, self._before, self._first = system, None, None

    def add(self, true, video):
        if self._system is None:
            return
        if self._before is not None:
            self._system.add(self._before, video)
        else:
            self._first = video
        self._before = true

    def close(self):
        if self._system is not None:
            self._system.add(self._before, self._first)


def _batches(clips):
    """Yields (number of its first clip, list of at most BATCH successive clips of one length)."""
    first, batch = 0, []
    for clip in clips:
        if batch and (len(batch) == BATCH or len(clip["video"]) != len(batch[0]["video"])):
            yield first, batch
            first, batch = first + len(batch), []
        batch.append(clip)
    if batch:
        yield first, batch
