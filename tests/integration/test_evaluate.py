"""`nwt evaluate` as it is typed: each of its measures on tiny trained models, and its refusals."""

import shlex

import pytest
from PIL import Image

from nwt_tf.bin import command, evaluate
from tests.integration.commands import refused, run
from tests.integration.whole_path import CLIP_SECONDS, FPS


def test_evaluate_measures_pictures_from_shards_and_from_footage(root):
    line, _ = run(
        "evaluate",
        f"--preset={root / 'dvae'}",
        f"--data_dir={root / 'shards'}",
        f"--sheet={root / 'sheet.png'}",
    )
    assert line["clips"] == 1 and -1 <= line["ssim"] <= 1 and line["psnr"] > 0
    assert len(line["bits_per_head"]) == 4
    assert (root / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    line, _ = run(
        "evaluate",
        f"--preset={root / 'prior'}",
        f"--input_dir={root / 'footage'}",
        "--max_clips=2",
    )
    assert line["clips"] == 2 and line["frames"] == 2 * round(CLIP_SECONDS * FPS)


def test_evaluate_measures_the_prior(root):
    line, printed = run(
        "evaluate",
        "--what=generation",
        f"--preset={root / 'prior'}",
        f"--compare={root / 'prior'}",
        f"--input_dir={root / 'footage'}",
        "--max_clips=2",
        f"--sheet={root / 'systems.png'}",
        "--guidance=1.5",
    )
    assert line["clips"] == 2
    drawn = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "guidance": 1.5}
    assert line["draws"] == line["compared"]["draws"] == drawn
    assert 0 < line["bits_per_code"] < 3  # two bits for four codes are guessing
    assert line["bits_per_code_other_sound"] > 0 and line["bits_per_code_silence"] > 0
    assert line["true_correlation"] > 0.4
    assert abs(line["true_other_sound_correlation"]) < line["true_correlation"] / 2
    for figure in ("mouth_sound_correlation", "other_sound_correlation"):
        assert -1 <= line[figure] <= 1
    assert "peak_lag" in line
    systems = line["systems"]
    assert list(systems) == [
        *("ground_truth", "reconstruction", "generated", "compared"),
        *("still_frame", "shuffled_sound"),
    ]
    assert systems["compared"] == systems["generated"]
    assert systems["ground_truth"]["opening_correlation"] > 0.9
    assert systems["still_frame"]["mouth_match"] == 0.0
    for system in systems:
        assert f"| {system.replace('_', ' ')}" in printed
    with Image.open(root / "systems.png") as picture:  # four strips a clip, of eight frames
        assert picture.size == (8 * 56, 2 * 4 * 64)


def test_generation_needs_no_second_clip(root):
    line, _ = run(
        "evaluate",
        "--what=generation",
        f"--preset={root / 'prior'}",
        f"--data_dir={root / 'shards'}",
        "--mouth=0.5,0.9,0.2,0.8",
        "--guidance=2",
    )
    assert line["clips"] == 1 and line["mouth"] == [0.5, 0.9, 0.2, 0.8]
    assert line["other_sound_correlation"] is None and "shuffled_sound" not in line["systems"]


def test_evaluate_all_writes_a_card(root):
    card = root / "card" / "my card.md"
    card.parent.mkdir()
    line, _ = run(
        "evaluate",
        "--what=all",
        f"--preset={root / 'prior'}",
        f"--input_dir={root / 'footage'}",
        "--max_clips=2",
        "--minutes=0.2",
        f"--card={card}",
        "--about=A drawing.",
    )
    assert line["drift"]["frames"] == 300
    assert line["retrieval"]["frames"] == 2 * round(CLIP_SECONDS * FPS)
    assert 0 <= line["retrieval"]["nearest_distance"] <= 1
    text = card.read_text()
    assert "A drawing." in text and "--minutes=0.2" in text
    measured = [key for key in line if key != "seconds"]
    assert measured == ["reconstruction", "generation", "drift", "retrieval"]
    for what in measured:
        assert f"### {what.capitalize()}" in text
        assert f"![{what}](my%20card_{what}.png)" in text  # a space would end the link
        assert (card.parent / f"my card_{what}.png").read_bytes()[:4] == b"\x89PNG"
    # The preset of a dVAE alone has no prior to measure.
    line, _ = run(
        "evaluate", "--what=all", f"--preset={root / 'dvae'}", f"--data_dir={root / 'shards'}"
    )
    assert [key for key in line if key != "seconds"] == ["reconstruction", "retrieval"]


def test_evaluate_measures_footage_without_a_preset(root):
    line, printed = run(
        "evaluate", "--what=footage", f"--data_dir={root / 'shards'}", "--split=train"
    )
    assert line["peak_lag"] == 0 and line["mouth_sound_correlation"] > 0.4
    assert "| ground truth |" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset={root}/prior",), "Give one of --input_dir and --data_dir"),
        (("--data_dir={root}/shards",), "--preset must be given"),
        (("--what=footage", "--input_dir={root}/footage"), "--input_dir takes a --preset"),
        (("--preset={root}/dvae", "--what=generation", "--data_dir={root}/shards"), "no prior"),
        (("--preset={root}/dvae", "--data_dir={root}/codes"), "holds codes, no frames"),
        (
            ("--preset={root}/prior", "--what=generation", "--data_dir={root}/shards",
             "--mouth=1,2,3"),
            "--mouth=1,2,3 must be top,bottom,left,right",
        ),
        (
            ("--preset={root}/prior", "--what=all", "--data_dir={root}/shards", "--sheet=a.png"),
            "--sheet takes one picture",
        ),
        (
            ("--preset={root}/prior", "--data_dir={root}/shards", "--sheet={root}/none/a.png"),
            "/none: no such folder to write a.png in",
        ),
        (("--preset={root}/prior", "--data_dir={root}/shards", "--sheet=a.txt"), "end in .png"),
        (
            ("--preset={root}/prior", "--data_dir={root}/shards", "--card={root}/none/a.md"),
            "/none: no such folder to write a.md in",
        ),
        (
            ("--preset={root}/prior", "--what=codec", "--data_dir={root}/shards", "--sheet=a.png"),
            "--what=codec draws no sheet",
        ),
        (
            ("--preset={root}/prior", "--what=drift", "--input_dir={root}/footage",
             "--minutes=0.02", "--mouth=0,1,0,1"),
            "take more --minutes",
        ),
        (
            ("--preset={root}/prior", "--what=drift", "--data_dir={root}/shards"),
            "give --input_dir",
        ),
        (
            ("--preset={root}/prior", "--what=all", "--data_dir={root}/shards",
             "--sampling=parallel"),
            "/prior is FAR: take auto",
        ),
        (
            ("--preset={root}/prior", "--what=generation", "--data_dir={root}/shards",
             "--guidance=nan"),
            "guidance must be at least 0",
        ),
        (
            ("--preset={root}/dvae", "--what=all", "--data_dir={root}/shards", "--compare=b"),
            "--compare is of --what=generation: leave it out. "
            "Received: --what=all (reconstruction, retrieval)",
        ),
        (
            ("--preset={root}/prior", "--what=all", "--data_dir={root}/shards", "--minutes=3"),
            "--minutes is of --what=drift: leave it out",
        ),
    ],
)  # fmt: skip
def test_evaluate_refuses(root, capsys, arguments, message):
    refused(capsys, message, "evaluate", *(each.format(root=root) for each in arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--compare=nosuch",), "--compare is of --what=generation: leave it out"),
        (("--minutes=3",), "--minutes is of --what=drift: leave it out"),
        (("--mouth=0,1,0,1",), "--mouth is of --what=generation or drift or footage: leave"),
        (("--top_k=3",), "--top_k is of --what=generation or drift or control: leave it out"),
        (("--seed=3",), "--seed is of --what=generation or drift or retrieval or control: leave"),
        (("--what=footage", "--output_dir=o"), "codec: leave it out. Received: --what=footage"),
        (("--what=all", "--output_dir=o"), "--output_dir is of --what=codec: leave it out"),
        (("--what=retrieval", "--sampling=auto"), "--sampling is of --what=generation or drift"),
        (("--about=hello",), "--about is a card's: give --card too. Received: --about=hello"),
        (("--split=train",), "--split is of --data_dir: leave it out. Received: --split=train"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(capsys, arguments, message):
    refused(capsys, message, "evaluate", "--preset=x", "--input_dir=y", *arguments)


def test_a_card_has_its_command_as_a_shell_takes_it():
    said = ["--preset=my preset", "--input_dir=it's $HOME", "--what=drift", "--mouth=0,1,0.5,1"]
    command.parse_flags(evaluate.FLAGS, [*said, "--card=my card.md", "--about=Nobody's."])
    words = shlex.split(evaluate._command_line())
    assert words[:2] == ["nwt", "evaluate"] and sorted(words[2:]) == sorted(said)
