"""SavedModels equal the Python model, need no nwt_tf, and are laid out for TensorFlow Serving."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from nwt_tf import export
from tests.generation import tiny_task

SECONDS = 1.5
BARE = """
import json, sys
import numpy as np
import tensorflow as tf

try:
    import nwt_tf
except ImportError:
    pass
else:
    raise SystemExit("nwt_tf can be imported here")
folder, out = sys.argv[1:]
about = json.load(open(f"{folder}/assets.extra/nwt_tf.json"))
model = tf.saved_model.load(folder)
rows = tf.constant([about["episodes"]["third"]])
made = model.signatures["generate"](
    waveform=tf.constant(np.load(f"{folder}/../waveform.npy"))[None],
    style=tf.constant([about["episode_styles"]["third"]]), episode=rows, decoder_episode=rows,
    seed=tf.constant([3]), temperature=tf.constant(1.0), top_k=tf.constant(0),
    top_p=tf.constant(1.0),
)
np.savez(out, **{name: value.numpy() for name, value in made.items()})
"""


@pytest.fixture(scope="module")
def task():
    return tiny_task.make(chunk_frames=6, episode_styles={"third": [1.0, 0.5, 0.0, -2.0]})


@pytest.fixture(scope="module")
def folder(task, tmp_path_factory):
    root = tmp_path_factory.mktemp("export") / "talker"
    path = export.save(task, root)
    np.save(root / "waveform.npy", tiny_task.noise(SECONDS))
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return export.load(folder)


def rows(about, **changes):
    """Inputs of a batch of one that `generate` and `stream_init` share, in the default style."""
    given = {"episode": -1, "decoder_episode": -1, "seed": 0} | changes
    inputs = {name: tf.constant([value]) for name, value in given.items()}
    names = {index: name for name, index in about["episodes"].items()}
    style = about["episode_styles"].get(names[given["episode"]], about["default_style"])
    return {"style": tf.constant([style]), **inputs}


def options(temperature=1.0, top_k=0, top_p=1.0):
    values = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    return {name: tf.constant(value) for name, value in values.items()}


def test_generate_equals_the_python_model(task, loaded):
    model, about = loaded
    waveform = tiny_task.noise(SECONDS)
    for choices in ({}, {"temperature": 0.7, "top_k": 3, "top_p": 0.8}):
        made = model.signatures["generate"](
            waveform=tf.constant(waveform[None]),
            **rows(about, episode=2, decoder_episode=0, seed=3),
            **options(**choices),
        )
        codes = task.codes(waveform, episode="third", seed=3, **choices)
        np.testing.assert_array_equal(made["codes"], codes)
        frames = np.stack(list(task.frames(codes, "first")))
        np.testing.assert_array_equal(made["frames"][0], frames)


def test_a_guided_export_takes_guidance(tmp_path):
    """Whole and streamed; by itself where the preset recommends some."""
    task = tiny_task.make(chunk_frames=6, draws={"guidance": 2.0})
    model, about = export.load(export.save(task, tmp_path))
    assert about["draws"] == {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "guidance": 2.0}
    waveform = tf.constant(tiny_task.noise(SECONDS)[None])
    for guidance in (1.0, 2.5):
        asked = options() | {"guidance": tf.constant(guidance)}
        made = model.signatures["generate"](waveform=waveform, **rows(about, seed=3), **asked)
        expected = task.codes(waveform[0], seed=3, guidance=guidance)
        np.testing.assert_array_equal(made["codes"], expected)
    state, codes = model.signatures["stream_init"](**rows(about, seed=3)), []
    for first in range(0, waveform.shape[1], 9000):
        made = dict(
            model.signatures["stream_step"](
                samples=waveform[:, first : first + 9000],
                last=tf.constant(first + 9000 >= waveform.shape[1]),
                **asked,
                **state,
            )
        )
        codes.append(made.pop("codes"))
        del made["frames"]
        state = made
    np.testing.assert_array_equal(tf.concat(codes, axis=1), expected)
    with pytest.raises(tf.errors.InvalidArgumentError, match="guidance must be at least 0"):
        asked["guidance"] = tf.constant(-1.0)
        model.signatures["generate"](waveform=waveform, **rows(about), **asked)


def test_windows_are_rendered_one_at_a_time(loaded):
    """Side by side they share oneDNN's kernels, which are not safe for it: see Rendering.step."""
    model, _ = loaded
    nodes = nodes_of(model.signatures["decode"])
    loops = [node for node in nodes if node.op in ("While", "StatelessWhile")]
    assert [node.attr["parallel_iterations"].i for node in loops] == [1]


def nodes_of(signature):
    graph = signature.graph.as_graph_def()
    return [*graph.node, *(node for each in graph.library.function for node in each.node_def)]


def test_every_signature_waits_for_one_lock(loaded):
    """Requests side by side share oneDNN's kernels, too."""
    model, _ = loaded
    names = set()
    for signature in model.signatures.values():
        nodes = {node.op: node for node in nodes_of(signature)}
        assert {"MutexLock", "ConsumeMutexLock"} <= set(nodes)
        names.add(nodes["MutexV2"].attr["shared_name"].s)
    assert len(names) == 1 and names.pop()


def test_requests_of_four_threads_are_answered_as_one_by_one(loaded):
    model, about = loaded
    waveform = tf.constant(tiny_task.noise(0.6)[None])

    def ask(seed):
        inputs = rows(about, episode=2, seed=seed)
        return model.signatures["generate"](waveform=waveform, **inputs, **options())

    def wrong(_):  # must not keep the lock
        with pytest.raises(tf.errors.InvalidArgumentError):
            codes = tf.zeros((1, 3, 4, 3, 4), tf.int32)
            model.signatures["decode"](codes=codes, episode=tf.constant([99]))

    alone = [ask(seed) for seed in range(3)]
    wrong(None)
    with ThreadPoolExecutor(4) as threads:
        refused = threads.map(wrong, range(4))
        together = list(threads.map(ask, [0, 1, 2] * 4, timeout=120))
        list(refused)
    for seed, made in zip([0, 1, 2] * 4, together, strict=True):
        for name, value in alone[seed].items():
            np.testing.assert_array_equal(made[name], value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0"),
        ({"temperature": float("nan")}, "temperature must be at least 0"),
        ({"temperature": 2e6}, r"temperature must be at most 1e\+06. Received:\] \[2e\+06"),
        ({"top_k": -1}, "top_k must be at least 0"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\]"),
        ({"waveform": np.nan}, "samples that are not finite"),
        ({"style": [[0.0, 0.0, 0.0, np.inf]]}, "style that is not finite"),
        ({"episode": [3]}, r"\[episode must lie in \[-1, 2\]. Received, least and most:\] \[3"),
        ({"episode": [-2]}, r"\[episode must lie in \[-1, 2\]"),
        ({"decoder_episode": [3]}, r"decoder_episode must lie in \[-1, 2\]"),
    ],
)
def test_requests_that_cannot_be_answered_are_named(loaded, changes, said):
    model, about = loaded
    begin = rows(about)
    given = {"waveform": tiny_task.noise(0.5)[None], **begin, **options()}
    given = {name: tf.constant(value) for name, value in (given | changes).items()}
    given["waveform"] += tf.zeros((1, 12_000))
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        model.signatures["generate"](**given)
    if set(changes) <= set(begin):
        with pytest.raises(tf.errors.InvalidArgumentError, match=said):
            model.signatures["stream_init"](**{name: given[name] for name in begin})


@pytest.mark.parametrize("code", [-1, 4])
def test_codes_of_no_codebook_are_refused(loaded, code):
    """A look-up would take another head's code for them."""
    codes = np.zeros((1, 3, 4, 3, 4), np.int32)
    codes[0, 1, 2, 0, 2] = code
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"codes must lie in \[0, 3\]"):
        loaded[0].signatures["decode"](codes=tf.constant(codes), episode=tf.constant([-1]))


def test_an_export_tells_its_default_styles(task, loaded):
    _, about = loaded
    for name in about["episodes"]:
        style = about["episode_styles"].get(name, about["default_style"])
        np.testing.assert_array_equal(np.float32(style), task.style_of(name))


def test_encode_and_decode_equal_the_python_model(task, loaded):
    model, _ = loaded
    video = np.random.default_rng(0).integers(0, 256, (2, 5, 32, 24, 3)).astype(np.uint8)
    codes = model.signatures["encode"](video=tf.constant(video))["codes"]
    np.testing.assert_array_equal(codes, task.dvae.encode(video / np.float32(127.5) - 1))
    frames = model.signatures["decode"](codes=codes, episode=tf.constant([0, -1]))["frames"]
    assert frames.shape == video.shape and frames.dtype == tf.uint8
    for row, name in enumerate(("first", "none")):
        expected = np.stack(list(task.frames(codes[row : row + 1], name)))
        # A batch of another size may round the odd pixel the other way.
        assert np.abs(frames[row].numpy().astype(int) - expected).max() <= 1


def test_batches_are_their_rows(task, loaded):
    model, about = loaded
    waveforms = np.stack([tiny_task.noise(1.0, seed) for seed in (0, 1)])
    first = rows(about, episode=0, decoder_episode=0, seed=5)
    third = rows(about, episode=2, decoder_episode=2, seed=6)
    both = {name: tf.concat([first[name], third[name]], axis=0) for name in first}
    made = model.signatures["generate"](waveform=tf.constant(waveforms), **both, **options())
    for row, (name, seed) in enumerate((("first", 5), ("third", 6))):
        expected = task.codes(waveforms[row], episode=name, seed=seed)
        np.testing.assert_array_equal(made["codes"][row], expected[0])


@pytest.mark.parametrize("size", [5000, 40_000])
def test_a_stream_is_what_generate_makes(task, loaded, size):
    model, about = loaded
    waveform = tiny_task.noise(SECONDS)
    state = model.signatures["stream_init"](**rows(about, seed=3))
    assert sorted(state) == about["state"]
    frames = []
    for first in range(0, len(waveform), size):
        made = model.signatures["stream_step"](
            samples=tf.constant(waveform[None, first : first + size]),
            last=tf.constant(first + size >= len(waveform)),
            **options(),
            **state,
        )
        frames.append(made["frames"][0])
        state = {name: made[name] for name in about["state"]}
    np.testing.assert_array_equal(tf.concat(frames, axis=0), task.generate(waveform, seed=3))


def test_two_bare_processes_generate_at_once(task, folder, tmp_path):
    """TensorFlow alone, started from a folder where nwt_tf cannot be imported."""
    command = [sys.executable, "-S", "-c", PATHS + BARE, str(folder)]
    running = [
        subprocess.Popen([*command, str(tmp_path / f"{i}.npz")], cwd=tmp_path, text=True,
                         stderr=subprocess.PIPE, env=BARE_ENVIRONMENT)
        for i in range(2)
    ]  # fmt: skip
    for process in running:
        errors = process.communicate(timeout=240)[1]
        assert process.returncode == 0, errors
    codes = task.codes(tiny_task.noise(SECONDS), episode="third", seed=3)
    for i in range(2):
        with np.load(tmp_path / f"{i}.npz") as made:
            np.testing.assert_array_equal(made["codes"], codes)
            assert made["frames"].shape == (1, round(SECONDS * 25), 32, 24, 3)


# Without `site` no editable installation is found: only what lies in these folders themselves.
PATHS = f"import sys; sys.path += {[p for p in sys.path if p.endswith('site-packages')]!r}\n"
BARE_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": "/usr/bin"}


def test_warm_up_requests_are_ones_the_signatures_take(folder, loaded):
    from tensorflow_serving.apis import prediction_log_pb2

    model, _ = loaded
    seen = []
    for record in tf.data.TFRecordDataset(str(folder / export.WARMUP)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "talker"
        inputs = {name: tf.constant(tf.make_ndarray(each)) for name, each in request.inputs.items()}
        made = model.signatures[request.model_spec.signature_name](**inputs)
        assert all(np.isfinite(np.float32(value)).all() for value in made.values())
        seen.append(request.model_spec.signature_name)
    assert sorted(seen) == ["decode", "encode", "generate", "stream_init", "stream_step"]


def test_versions_are_numbered_and_never_overwritten(task, tmp_path, monkeypatch):
    (tmp_path / "models" / "3").mkdir(parents=True)
    with pytest.raises(ValueError, match="models has a version 3 already"):
        export.save(task, tmp_path / "models", 3)
    with pytest.raises(ValueError, match="version must be at least 1"):
        export.save(task, tmp_path / "models", 0)

    def breaks(module, path, signatures):
        Path(path).mkdir()
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(tf.saved_model, "save", breaks)
    with pytest.raises(RuntimeError):
        export.save(task, tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["3"]


def test_an_export_of_another_version_is_named(folder, tmp_path):
    (tmp_path / "assets.extra").mkdir()
    about = json.loads((folder / export.ABOUT).read_text()) | {"format": 9, "nwt_tf": "7.0.0"}
    (tmp_path / export.ABOUT).write_text(json.dumps(about))
    with pytest.raises(ValueError, match="exported by nwt_tf 7.0.0 in format 9; this is nwt_tf 0"):
        export.load(tmp_path)
    (tmp_path / export.ABOUT).write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        export.load(tmp_path)
    with pytest.raises(ValueError, match="is no export of nwt_tf"):
        export.load(tmp_path / "none")
