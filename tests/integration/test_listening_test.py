"""A listening test from clips to figures: `nwt mos`, and three raters in a browser.

The careful rater uses the keyboard alone, and loses the server for a while; the careless one taps
the same score on a phone, without listening; the malicious one obeys the traps and turns the scale
upside down. Others, over HTTP, make a population. The cleaning must find who is who, and the
figures must be those of a sheet that the test keeps for itself.
"""

import json
import math
import statistics
import wave

import cv2
import numpy as np
import pytest

from data_pipeline.media import write_mp4
from data_pipeline.synthetic import make_clip
from nwt_tf.bin import command, mos
from nwt_tf.evaluation.mos import survey as surveys
from tests.evaluation.mos.serving import Serving
from tests.evaluation.mos.small_survey import HUMAN, right_answer
from tests.integration.chromium import FOUND, Browser
from tests.integration.listening_person import FAST, Person, heading

T_14 = 2.144787  # t(0.975, 14), from a table: 3 raters with 5 clips of each system
TITLE = "<b>Study</b> & more"
GOLD = "episode_05_0000"
# What each careful rater thinks of the five clips of a system.
OPINIONS = {
    "careful": {"blurred": (1, 2, 2, 1, 3), "ground_truth": (5, 5, 4, 5, 5)},
    "second": {"blurred": (2, 2, 3, 1, 2), "ground_truth": (4, 5, 5, 4, 5)},
    "third": {"blurred": (1, 1, 2, 2, 2), "ground_truth": (5, 4, 4, 5, 3)},
}
FLAGS = {"clips": 5, "experiments": "overall", "gold": GOLD, "contact": "someone@example.org"}


def nwt(capsys, **flags):
    """Runs the command; returns its figures."""
    argv = [f"--{name}={value}" for name, value in flags.items()]
    command.run("mos", mos.main, mos.FLAGS, mos.__doc__, argv)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def write_systems(folder):
    """Six episodes of a quarter of a second: true, and blurred."""
    for episode in range(6):
        clip = make_clip(episode=episode, seed=episode, seconds=0.28)
        frames = np.stack(list(clip.frames(height=64, width=56)))
        blurred = [cv2.GaussianBlur(frame, (0, 0), 3) for frame in frames]
        for system, video in (("ground_truth", frames), ("blurred", blurred)):
            (folder / system).mkdir(parents=True, exist_ok=True)
            path = folder / system / f"episode_{episode:02d}_0000.mp4"
            write_mp4(path, video, 25, clip.voice.waveform)
    return folder


def write_voices(folder):
    """Tones instead of voices: the scripts know what a trap asks for. None asks for a 3."""
    folder.mkdir()
    for score in (1, 2, 4, 5):
        tone = np.sin(np.arange(6000) * (0.02 + 0.01 * score)) * 9000
        with wave.open(str(folder / f"{score}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(24000)
            file.writeframes(tone.astype("<i2").tobytes())
    return folder


def think(survey, name):
    """Opinions of a careful rater, as a function of what is shown."""
    clips = sorted({stimulus.clip for stimulus in survey.select("overall", "sample")})
    return lambda shown: OPINIONS[name][shown.system][clips.index(shown.clip)]


def over_http(serving, survey, token, opinion):
    """A rater without a browser."""
    serving.json("POST", "/api/join", HUMAN | {"token": token, "consent": True})
    for _ in range(3):
        due = serving.json("POST", "/api/next", token=token)[1]
        for position, item in enumerate(due["items"]):
            answer = right_answer(survey, item["videos"], opinion)
            click = {"section": due["section"], "position": position, "answer": answer}
            assert serving.json("POST", "/api/answer", click, token)[0] == 200
        assert serving.json("POST", "/api/finish", {"section": due["section"]}, token)[1]["passed"]


def obeying(opinion, gold=5):
    """Does as traps say; gives gold clips a score; else has an opinion."""
    return lambda s: {"trap": s.score, "gold": gold, "training": 3}.get(s.role) or opinion(s)


@pytest.mark.skipif(FOUND is None, reason="Chromium is not installed")
def test_three_raters_and_what_becomes_of_them(tmp_path, capsys):
    systems, voices = write_systems(tmp_path / "systems"), write_voices(tmp_path / "voices")
    folder = tmp_path / "survey"
    figures = nwt(
        capsys,
        action="build",
        survey=folder,
        systems=systems,
        trap_speech=voices,
        title=TITLE,
        num_workers=1,
        **FLAGS,
    )
    assert figures["samples"] == {"overall": 10} and figures["ratings"] == {"overall": 300}
    survey = surveys.load(folder)
    serving = Serving(folder)
    sheet = {}
    with Browser(tmp_path) as browser:
        try:
            browser.open(serving.url, FAST)
            assert browser("document.querySelector('#title').textContent") == TITLE
            assert browser("document.querySelectorAll('header b').length") == 0

            def lose_the_server(position, answer):
                nonlocal serving
                if position == 4:  # Answers are given while nobody hears them.
                    serving.kill()
                    browser.keys("3", "1", str(answer))  # the last key counts
                    browser.wait(
                        "status.textContent.startsWith('No connection')".replace(
                            "status", "document.getElementById('status')"
                        )
                    )
                    assert browser("document.querySelector('#next').disabled")
                    serving = Serving(folder, serving.port)
                    browser.wait("!document.querySelector('#next').disabled")
                if position == 7:  # The page is closed in the middle of a task.
                    browser.open(serving.url)
                    browser.wait("document.querySelector('.count') !== null")
                    text = browser("document.querySelector('.count').textContent")
                    assert text == "Video 9 of 12"
                    browser.click("#back")
                    assert browser("document.querySelector('.scores :checked') !== null")

            careful = Person(browser, survey, serving.url, obeying(think(survey, "careful")))
            sheet["careful"] = careful.take_part(lose_the_server)
            browser.click("#data")
            browser.wait("document.querySelector('#mine').open")
            stored = json.loads(browser("document.querySelector('#stored').textContent"))
            told = [answer["answer"] for answer in stored["parts"][-1]["answers"]]
            assert told == [answer for _, answer in sheet["careful"]]

            browser.resize(390, 844)
            careless = Person(browser, survey, serving.url, lambda shown: 3, taps=True)
            sheet["careless"] = careless.take_part()
            assert browser("document.documentElement.scrollWidth") <= 390
            browser.resize(1280, 900)

            upside_down = obeying(lambda s: 6 - think(survey, "careful")(s), gold=1)
            malicious = Person(browser, survey, serving.url, upside_down)
            sheet["malicious"] = malicious.take_part()
            for number, name in enumerate(("second", "third")):
                over_http(serving, survey, f"{number:032x}", obeying(think(survey, name)))
            contrary = obeying(lambda s: 6 - think(survey, "second")(s))
            over_http(serving, survey, "cc" * 16, contrary)
        finally:
            serving.kill()
        ours = f"http://127.0.0.1:{serving.port}/"
        assert [url for url in browser.requests if not url.startswith((ours, "data:"))] == []
        lost = "Failed to load resource: net::ERR_CONNECTION_REFUSED"
        assert [error for error in browser.errors if error != lost] == []

    found = nwt(capsys, action="analyse", survey=folder)
    assert found["cleaning"] == {"raters": 6, "trap": 1, "gold": 1, "correlation": 1, "kept": 3}
    raters = json.loads((folder / "analysis" / "mos.json").read_text())["raters"]
    reasons = [rater["discarded"] for rater in raters]  # in the order in which they took part
    assert reasons == ["", "trap", "gold", "", "", "correlation"]
    scores = {system: [] for system in OPINIONS["careful"]}
    clips = sorted({s.clip for s in survey.select("overall", "sample")})
    for shown, answer in sheet["careful"]:
        if shown.role == "sample":
            scores[shown.system].append(answer)
    for name in ("second", "third"):
        for system in scores:
            scores[system] += [OPINIONS[name][system][clips.index(clip)] for clip in clips]
    for system, values in scores.items():
        mean, half = found["mos"]["overall"][system]
        assert len(values) == 15
        assert mean == pytest.approx(statistics.mean(values), abs=1e-5)
        expected = T_14 * statistics.stdev(values) / math.sqrt(15)
        assert half == pytest.approx(expected, abs=1e-5)
    names = {path.name for path in (folder / "analysis").iterdir()}
    assert names == {"mos.md", "mos.tex", "mos.json", "mos.png", "ratings.csv", "pay.csv"}
    _export_and_import(capsys, folder, tmp_path, found)


def _export_and_import(capsys, folder, tmp_path, found):
    """The ratings come back from Mechanical Turk's form as they went."""
    listed = nwt(capsys, action="export", survey=folder, base_url="https://clips.example.org/study")
    assert len(listed["files"]) == 7
    (folder / surveys.ANSWERS).unlink()
    results = folder / "export" / "mturk_results.csv"
    again = nwt(
        capsys, action="analyse", survey=folder, results=results, output_dir=tmp_path / "again"
    )
    assert again["mos"] == found["mos"] and again["cleaning"] == found["cleaning"]


@pytest.mark.skipif(FOUND is None, reason="Chromium is not installed")
def test_who_does_not_qualify_and_who_fails_the_check(tmp_path, capsys):
    folder = tmp_path / "survey"
    systems, voices = write_systems(tmp_path / "systems"), write_voices(tmp_path / "voices")
    nwt(
        capsys,
        action="build",
        survey=folder,
        systems=systems,
        trap_speech=voices,
        num_workers=1,
        **FLAGS,
    )
    survey = surveys.load(folder)
    with Serving(folder) as serving, Browser(tmp_path) as browser:
        browser.open(serving.url, FAST)
        person = Person(browser, survey, serving.url, None)
        browser.click("#agree")
        browser.click("#begin")
        browser("document.querySelector('select').value = 'German'")
        browser.click("input[value=loudspeaker]")
        browser.click("input[value=normal]")
        browser.click("form button.main")
        heading(browser, "Thank you, but this study does not suit you")
        browser.open(serving.url)
        heading(browser, "Thank you, but this study does not suit you")

        person = Person(browser, survey, serving.url, None)
        person.join()
        person.start("Check of your headphones and screen")
        for _ in range(4):
            _, answer = person.answer()
            browser.keys("ab"[2 - answer])  # changes to the worse one
            browser.wait("document.querySelector('.scores :checked').value !== " + f"'{answer}'")
            browser.wait("!document.querySelector('#next').disabled")
            person.go_on()
        heading(browser, "Not enough pairs were told apart")
        assert "in 30 minutes" in browser("document.querySelector('#main').textContent")
        browser.click("#data")
        browser.wait("document.querySelector('#mine').open")
        browser.click("#erase")
        browser.click("#erase")
        heading(browser, "Your data are erased")

        token = (folder / "admin_token").read_text().strip()
        browser.open(serving.url + "admin")
        browser("document.querySelector('#token').value = 'wrong'")
        browser.click("form button.main")
        browser.wait("document.querySelector('#status').textContent.includes('admin token')")
        browser(f"document.querySelector('#token').value = {json.dumps(token)}")
        browser.click("form button.main")
        browser.wait("!document.querySelector('#inside').hidden")
        cells = browser("[...document.querySelectorAll('#experiments td')].map((e) => e.innerText)")
        assert cells == ["overall", "0", "10", "0", "0", "0", "0"]
        browser.resize(320, 568)  # A phone: the tables scroll by themselves, the page does not.
        assert browser("document.documentElement.scrollWidth") <= 320
