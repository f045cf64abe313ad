"""The review in a browser, and the build that takes it: `nwt build_dataset --review`."""

import json
import re
import shutil

import numpy as np
import pytest

from configs.footage import get_config
from data_pipeline import clips as cutting_clips
from data_pipeline.review import read_review, write_review
from data_pipeline.shards import Manifest
from data_pipeline.synthetic import write_footage
from nwt_tf.bin import build_dataset as program
from nwt_tf.bin import command
from tests.data_pipeline.test_review import clip, preview
from tests.integration.chromium import FOUND, Browser

needs_chromium = pytest.mark.skipif(FOUND is None, reason="Chromium is not installed")

STRANGE = "<img src=x onerror=\"document.title='broken'\">&amp;'\"`${1} \u202e日本\\ \udcff"
IDS = ["a_0000", "a_0001", "a_0002", STRANGE, "__proto__", "b_0005"]
REASONS = {
    "a_0001": ["cut: picture jumps at 0.40 s"],
    STRANGE: ["cut: picture jumps at 0.40 s", "no face: <b>none</b>"],
}
PICKER = "delete window.showSaveFilePicker;"


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "a page?#%20.html"
    shown = preview(clip())
    make = [
        shown.__class__(
            **vars(shown) | {"clip_id": name, "reasons": REASONS.get(name, ()), "episode": name[0]}
        )
        for name in IDS
    ]
    write_review(path, make, "0123")
    return path


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path) as browser:
        yield browser
        assert browser.errors == []
        asked = [url for url in browser.requests if not url.startswith(("data:", "blob:"))]
        assert {url.split(":")[0] for url in asked} <= {"file"} and len(set(asked)) <= 1


def text(browser, selector):
    return browser(f"document.querySelector({json.dumps(selector)}).textContent")


def decided(browser):
    return browser("Object.fromEntries(decisions)")


def saved(browser, name="review.json"):
    path = browser.downloads / name
    browser.wait("document.getElementById('status').textContent.startsWith('Saved')")
    for _ in range(100):
        if path.exists():
            return path
        browser("new Promise((done) => setTimeout(done, 50))")
    raise AssertionError("nothing was downloaded")


@needs_chromium
def test_clips_are_shown_as_text(browser, page):
    browser.open(page, PICKER)
    assert text(browser, "#filters label:has(:checked)") == "Flagged 2"
    assert browser("document.querySelectorAll('article').length") == 2
    browser.click("#filters label:first-of-type")
    names = browser("[...document.querySelectorAll('article h2')].map((e) => e.textContent)")
    assert names == IDS
    assert browser("document.title") == "Review of clips"
    assert browser("document.querySelectorAll('article img, article b b').length") == 0
    assert text(browser, "li:nth-child(4) .reasons li:nth-child(2)") == "no face: <b>none</b>"
    label = browser("document.querySelectorAll('article')[3].getAttribute('aria-label')")
    assert label == f"{STRANGE}, undecided, {', '.join(REASONS[STRANGE])}"


@needs_chromium
def test_keys_decide_and_the_file_holds_it(browser, page, tmp_path):
    browser.open(page, PICKER)
    assert "Clips without a decision are kept, flagged ones too." in text(browser, "#status")
    browser.click("#filters label:first-of-type")
    browser.keys("Home", "k", "d", "j", "2", "1")
    assert decided(browser) == {
        "a_0000": "keep",
        "a_0001": "drop",
        STRANGE: "drop",
        "__proto__": "keep",
    }
    browser.keys("u")
    assert "__proto__" not in decided(browser)
    assert text(browser, "#counts") == "3 of 6 decided · 2 dropped · 0 flagged clips left"
    browser.keys("End", "d", "Home", "0", "n", "d", "u", "Home", "n", "k", "s")
    decisions = read_review(saved(browser), "0123", IDS)
    assert decisions == {"a_0001": "drop", "a_0002": "keep", STRANGE: "drop", "b_0005": "drop"}
    assert list(decisions) == ["a_0001", "a_0002", STRANGE, "b_0005"]  # in the footage's order


@needs_chromium
def test_the_mouse_decides_plays_and_filters(browser, page):
    browser.open(page, PICKER)
    browser.click("article .drop")
    assert decided(browser) == {"a_0001": "drop"}
    assert browser("document.querySelector('article .drop').ariaPressed") == "true"
    browser.click("article .drop")
    assert decided(browser) == {}
    browser("document.activeElement.blur()")
    browser.point("#status")
    places = "document.querySelector('article .picture').style.backgroundPositionX"
    assert browser("playing") is None
    browser.point("article .picture")
    browser.wait("playing && playing.id === 'a_0001'")
    first = browser(places)
    browser.wait(f"{places} !== '{first}'")
    assert browser("document.querySelector('article .picture').style.backgroundImage").startswith(
        'url("data:image/webp;base64,'
    )
    browser("document.getElementById('reason').value = '=no face', filter()")
    assert text(browser, "#shown") == "1 shown"
    browser.click("#drop-shown")
    assert decided(browser) == {STRANGE: "drop"}
    browser.click("#undo")
    assert decided(browser) == {}
    browser("document.getElementById('reason').value = ''")
    browser("document.getElementById('episode').value = '=b', filter()")
    assert text(browser, "#shown") == "0 shown" and browser("!nothing.hidden")


STORED = "Object.entries(localStorage)"
# An empty store is given what the page stored before: in some whole runs of the tests, for a reason
# not found, Chromium came back from a reload without it. What the page writes and reads is tested.
HAND_OVER = """if (!localStorage.length && window.name)
  for (const [key, text] of JSON.parse(window.name)) localStorage.setItem(key, text);"""


@needs_chromium
def test_decisions_survive_a_reload_and_can_be_loaded(browser, page, tmp_path):
    browser.open(page, PICKER + HAND_OVER)
    browser.keys("d", "k")
    browser.wait("decisions.size === 2")
    ((key, stored),) = browser(STORED)
    assert json.loads(stored)["decisions"] == {"a_0001": "drop", STRANGE: "keep"}
    browser(f"window.name = JSON.stringify({STORED})")
    browser.reload()
    assert browser(STORED) == [[key, stored]]
    assert browser("unkept.hidden")
    assert decided(browser) == {"a_0001": "drop", STRANGE: "keep"}
    assert text(browser, "#status").startswith("2 decisions of an earlier visit are back.")
    content = {"format": "nwt review", "version": 1, "dataset": "0123"}
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(content | {"decisions": {"a_0002": "drop"}}))
    browser.choose_file("#file", earlier)
    browser.wait("decisions.size === 1")
    assert decided(browser) == {"a_0002": "drop"}
    for broken, words in [
        ("{", "it is not JSON"),
        ("[]", "it is no review"),
        (json.dumps(content | {"dataset": "9", "decisions": {}}), "it is of other clips"),
        (json.dumps(content | {"version": 2, "decisions": {}}), "it has version 2, not 1"),
        (json.dumps(content | {"decisions": {"x": "drop"}}), "unknown clip or decision: x"),
    ]:
        earlier.write_text(broken)
        browser.choose_file("#file", earlier)
        browser.wait(f"document.getElementById('status').textContent.includes({json.dumps(words)})")
        assert decided(browser) == {"a_0002": "drop"}
    browser.keys("u")
    assert decided(browser) == {"a_0001": "drop", STRANGE: "keep"}


@needs_chromium
@pytest.mark.parametrize("what", ["throws", "forgets"])
def test_a_browser_that_keeps_nothing(browser, page, what):
    """The page says so, and the browser asks before unsaved decisions are left."""
    method = {"throws": "() => { throw new DOMException('no', 'SecurityError'); }"}.get(
        what, "() => null"
    )
    browser.open(page, PICKER + f"Storage.prototype.getItem = {method};")
    assert browser("unkept.hidden") == (what == "forgets")  # an empty store is no sign of it
    browser.keys("d")
    browser.wait("decisions.size === 1")
    assert not browser("unkept.hidden")
    leave = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert browser(leave)
    browser.keys("s")
    saved(browser)
    assert not browser(leave)


@needs_chromium
def test_a_file_picker_is_asked_once(browser, page):
    browser.open(
        page,
        """window.asked = 0; window.written = [];
        window.showSaveFilePicker = async () => (asked++, { name: "mine.json",
          createWritable: async () => ({ write: async (text) => { written.push(text); },
                                         close: async () => {} }) });""",
    )
    browser.keys("d", "s")
    browser.wait("written.length === 1")
    browser.keys("k", "s")
    browser.wait("written.length === 2")
    assert browser("asked") == 1
    assert "mine.json" in text(browser, "#status")
    decisions = json.loads(browser("written[1]"))["decisions"]
    assert decisions == {"a_0001": "drop", STRANGE: "keep"}
    browser("showSaveFilePicker = async () => { throw new DOMException('', 'AbortError'); }")
    browser("handle = null")
    browser.keys("s")
    assert browser("handle") is None and "mine.json" in text(browser, "#status")


@needs_chromium
def test_two_thousand_clips(browser, tmp_path):
    shown = preview(clip())
    names = (f"a_{n:04d}" for n in range(2000))
    many = (shown.__class__(**vars(shown) | {"clip_id": name}) for name in names)
    path = tmp_path / "review.html"
    assert write_review(path, many, "0123") == 2000
    browser.open(path, PICKER)
    assert browser("document.querySelectorAll('article').length") == 2000
    browser.wait("document.querySelectorAll('.picture[style*=url]').length > 0")
    assert browser("document.querySelectorAll('.picture[style*=url]').length") < 100
    browser.keys("End")
    browser.wait("clips.at(-1).card.querySelector('.picture').style.backgroundImage !== ''")
    assert browser("document.activeElement === clips.at(-1).article")


def nwt(**flags):
    command.run("build_dataset", program.main, program.FLAGS, program.__doc__, argv(**flags))


def argv(**flags):
    return [f"--{name.replace('__', '.')}={value}" for name, value in flags.items()]


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("footage")
    write_footage(folder, num_episodes=2, clips_per_episode=3)
    return folder


def split_of(manifest):
    return {name: split for split in manifest.splits for name in manifest.clip_frames(split)}


def write_decisions(page, path, decisions):
    (dataset,) = re.findall(r'id="dataset">(.*?)</script>', page.read_text())
    content = {"format": "nwt review", "version": 1, "decisions": decisions}
    path.write_text(json.dumps(content | {"dataset": json.loads(dataset)["fingerprint"]}))
    return path


@needs_chromium
def test_from_footage_over_the_page_to_shards(footage, tmp_path, browser, capsys, monkeypatch):
    out = tmp_path / "out"
    common = {"input_dir": footage, "output_dir": out, "config": "demo", "num_workers": 1}
    nwt(**common, review=True)
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["clips"] == 6 and figures["review"] == str(out / "review.html")
    assert not list(out.glob("*.tfrecord")) and not (out / "dataset.json").exists()
    browser.open(out / "review.html", PICKER)
    browser.click("#filters label:first-of-type")
    browser.keys("j", "d", "End", "d", "s")
    path = saved(browser)
    monkeypatch.setattr(cutting_clips, "decode_frames", None)  # nothing is decoded again
    nwt(**common, review_file=path)
    assert "left out episode_00_0001: dropped by the review" in capsys.readouterr().out
    manifest = Manifest.load(out)
    left_out = [skip.name for skip in manifest.skipped_clips]
    assert left_out == ["episode_00_0001", "episode_01_0002"]
    assert sorted(split_of(manifest)) == [
        *("episode_00_0000", "episode_00_0002", "episode_01_0000", "episode_01_0001")
    ]
    assert (out / "review.html").exists()


def test_undecided_flagged_clips(footage, tmp_path, monkeypatch, capsys):
    """They are kept by default; clips that were decided on are not asked about again."""

    def flagged(sound):
        return ("music: loud",) if abs(float(np.abs(sound).mean()) - means[1]) < 1e-7 else ()

    means = []
    monkeypatch.setattr(
        cutting_clips,
        "sound_reasons",
        lambda sound: means.append(float(np.abs(sound).mean())) or (),
    )
    common = {"input_dir": footage, "config": "demo", "num_workers": 1}
    nwt(**common, output_dir=tmp_path / "first", review=True)
    monkeypatch.setattr(cutting_clips, "sound_reasons", flagged)
    out = tmp_path / "out"
    nwt(**common, output_dir=out, review=True)
    assert "music: 1 clips" in capsys.readouterr().out
    shutil.copytree(out, tmp_path / "copy")
    nothing = write_decisions(out / "review.html", tmp_path / "nothing.json", {})
    nwt(**common, output_dir=out, review_file=nothing)
    manifest = Manifest.load(out)
    assert len(split_of(manifest)) == 6
    assert manifest.suggestions == {"episode_00_0001": ["music: loud"]}
    drop = common | {"config__undecided_flagged": "drop", "output_dir": tmp_path / "copy"}
    nwt(**drop, review_file=nothing)
    manifest = Manifest.load(tmp_path / "copy")
    assert "episode_00_0001" not in split_of(manifest) and len(split_of(manifest)) == 5
    (skip,) = manifest.skipped_clips
    assert skip.reason == "not decided on in the review (music: loud)"
    keep = write_decisions(out / "review.html", tmp_path / "keep.json", {"episode_00_0001": "keep"})
    nwt(**drop, review_file=keep, overwrite=True)
    assert len(split_of(Manifest.load(tmp_path / "copy"))) == 6


def test_a_review_of_a_whole_episode_and_mistakes(footage, tmp_path, capsys):
    out, common = tmp_path / "out", {"input_dir": footage, "config": "demo", "num_workers": 1}
    nwt(**common, output_dir=out, review=True)
    page = out / "review.html"
    every = {f"episode_00_{n:04d}": "drop" for n in range(3)}
    path = write_decisions(page, tmp_path / "review.json", every)
    with pytest.raises(SystemExit) as code:
        nwt(**common, output_dir=out, review_file=path, config__segment_seconds=6.0)
    assert code.value.code == 2
    assert "is a review of other clips than these" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        nwt(**common, output_dir=out, review_file=tmp_path / "none.json")
    assert "none.json" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        nwt(**common, output_dir=out, review_file=path, review=True)
    assert "give one of them" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        nwt(**common, output_dir=out, config__undecided_flagged="perhaps")
    assert "undecided_flagged must be keep or drop" in capsys.readouterr().err
    assert not list(out.glob("*.tfrecord"))
    nwt(**common, output_dir=out, review_file=path, config__height=32, config__width=32)
    manifest = Manifest.load(out)
    assert {name[:10] for name in split_of(manifest)} == {"episode_01"}
    assert get_config("demo").undecided_flagged == "keep"
