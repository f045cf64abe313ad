"""`nwt mos`: mistakes are one line, before anything is written."""

import json
import re

import pytest

from data_pipeline.media import write_mp4
from nwt_tf.bin import command, mos, nwt
from nwt_tf.bin.surveys import listening
from tests.bin.test_stimuli import FPS, RATE, clicks, pictures, write_wav
from tests.evaluation.mos.small_survey import join, make_study, make_survey, take, write_survey

SYSTEMS = ("ground_truth", "nwt_far", "wav2lip")


def fails(capsys, **flags):
    """Runs the command; returns its one line."""
    argv = [f"--{name}={value}" for name, value in flags.items()]
    with pytest.raises(SystemExit) as stop:
        command.run("mos", mos.main, mos.FLAGS, mos.__doc__, argv)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1
    return error.removeprefix("nwt mos: error: ")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Systems of two episodes, and a voice."""
    root = tmp_path_factory.mktemp("mos")
    write_mp4(root / "clip.mp4", pictures(4), FPS, clicks(0.16, 0.05), RATE)
    for system in SYSTEMS:
        for name in ("e1/a", "e2/a", "e3/a"):
            path = root / "systems" / system / f"{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((root / "clip.mp4").read_bytes())
    (root / "voices").mkdir()
    write_wav(root / "voices" / "2.wav", clicks(0.1, 0.05))
    return root


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contact": ""}, "--contact must be given to build"),
        ({"gold": ""}, "--gold must be given"),
        ({"gold": "e9/x"}, "--gold=e9/x: ground_truth has no such clip"),
        ({"truth": "ground_thruth"}, "no such folder among .*; did you mean ground_truth"),
        ({"experiments": "lipsink"}, "no experiment 'lipsink'; did you mean lipsync"),
        ({"experiments": ""}, "--experiments must name .* overall, face, lipsync, not ''"),
        ({"only": "nwt_mar:face"}, "nwt_mar is none of the systems"),
        ({"only": "wav2lip:fase"}, "--only=wav2lip:fase: .*, not 'fase'; did you mean face"),
        ({"only": "wav2lip"}, "--only=wav2lip: .* as SYSTEM:EXPERIMENT, not ''"),
        (
            {"only": "wav2lip:face", "experiments": "overall,lipsync"},
            "--only=wav2lip:face: .* --experiments=overall,lipsync, .*, not 'face'",
        ),
        ({"only": "wav2lip:face,nwt_far:face"}, "overall has no system to compare"),
        ({"clips": 50}, "--clips=50 needs as many episodes.*of 2 in common"),
        ({"clips": 2}, "overall has 6 samples; a task takes 10"),
        ({"systems": "nowhere"}, "nowhere: no such folder"),
        ({"trap_speech": "nowhere"}, "holds none of 1.wav to 5.wav"),
        ({"consent": "nowhere.txt"}, "nowhere.txt: No such file"),
        ({"consent": "VIDEO"}, "^--consent must be a text file.*UTF-8.*, not .*clip.mp4$"),
        ({"consent": "/dev/null"}, "^--consent must be a text file.*, not /dev/null$"),
        ({"language": "x" * 41}, "^--language must be .* 40 characters.*, not 'x{41}'$"),
        ({"language": " "}, "^--language must be .*, not ''$"),
        ({"upper_share": 0}, "upper_share"),
        ({"upper_share": "nan"}, "^--upper_share must be .* from 0.1 to 1, not nan$"),
        ({"action": "mend"}, "action"),
    ],
)
def test_mistakes_of_a_build(folders, tmp_path, capsys, change, words):
    flags = {
        "action": "build",
        "survey": tmp_path / "survey",
        "systems": folders / "systems",
        "trap_speech": folders / "voices",
        "gold": "e1/a",
        "contact": "x@example.org",
    }
    if change.get("consent") == "VIDEO":
        change = {"consent": folders / "clip.mp4"}
    assert re.search(words, fails(capsys, **flags | change))
    assert not (tmp_path / "survey").exists()


def test_help_says_what_a_build_needs():
    for flag in ("systems", "gold", "contact"):
        assert mos.FLAGS[flag].help.startswith("build, which needs it: ")


def test_a_survey_with_answers_is_not_built_anew(folders, tmp_path, capsys):
    survey = make_survey()
    folder = write_survey(tmp_path / "survey", survey)
    make_study(folder, survey).store.close()
    build = {"action": "build", "survey": folder, "systems": folders / "systems"}
    build |= {"gold": "e1/a", "contact": "x", "trap_speech": folders / "voices"}
    assert "has answers already" in fails(capsys, **build)


def test_mistakes_of_the_other_actions(tmp_path, capsys):
    for action in ("serve", "analyse", "export"):
        assert "no such survey" in fails(capsys, action=action, survey=tmp_path / "none")
    folder = write_survey(tmp_path / "survey", make_survey())
    assert "no ratings yet" in fails(capsys, action="analyse", survey=folder)
    for pay in ("1,2", "1,2,x", "nan,1,1", "1,inf,1", "-1,0.4,0.6"):
        error = fails(capsys, action="analyse", survey=folder, pay=pay)
        assert "three amounts" in error and error.endswith(f", not {pay}\n")
    assert "none.csv" in fails(capsys, action="export", survey=folder, results="none.csv")
    assert not (folder / "analysis").exists() and not (folder / "export").exists()
    assert "survey must" in fails(capsys, action="serve")
    error = fails(capsys, action="serve", survey=folder, host="")
    assert error.startswith("--host must name") and error.endswith("not ''\n")
    assert not (folder / "answers.sqlite").exists()  # a survey with answers is not built anew


def test_ratings_that_are_given_twice_are_refused(tmp_path, capsys):
    """The server's own ratings once more, or a file named twice, would make intervals narrow."""
    survey = make_survey()
    folder = write_survey(tmp_path / "survey", survey)
    study = make_study(folder, survey)
    rater = join(study, "ab" * 16, experiment="overall")
    for _ in range(3):
        take(study, rater)
    study.store.close()
    nwt.main(["mos", "--action=export", f"--survey={folder}"])
    results = folder / "export" / "ratings.csv"
    given = {"action": "analyse", "survey": folder}
    assert "is there already" in fails(capsys, results=results, **given)
    for other in ("mturk_results.csv", "p910_votes.csv"):  # which name tasks otherwise
        assert "is there already" in fails(capsys, results=results.with_name(other), **given)
    (folder / "answers.sqlite").unlink()
    assert "is there already" in fails(capsys, results=f"{results},{results}", **given)
    nwt.main(["mos", "--action=analyse", f"--survey={folder}", f"--results={results}"])
    kept = json.loads((folder / "analysis" / "mos.json").read_text())["cleaning"]["kept"]
    assert kept == 1


def test_baselines_of_one_experiment():
    """Table 1: Talking Face only for the face, Wav2Lip only for the lips, the truth last."""
    systems = ["ground_truth", "nwt", "talking_face", "wav2lip"]
    chosen = listening.experiments_of(
        systems,
        ["lipsync", "overall", "face"],
        ["talking_face:face", "wav2lip:lipsync"],
        "ground_truth",
    )
    assert chosen == {
        "overall": ("nwt", "ground_truth"),
        "face": ("nwt", "talking_face", "ground_truth"),
        "lipsync": ("nwt", "wav2lip", "ground_truth"),
    }
    assert list(chosen) == ["overall", "face", "lipsync"]
