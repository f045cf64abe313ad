"""The page of `nwt serve` in a browser: a voice goes in, and a video plays while it is made."""

import io
import json
import threading

import av
import numpy as np
import pytest

from data_pipeline.media import probe, read_audio, read_video
from data_pipeline.synthetic_voice import synthesize_voice
from nwt_tf.serving import making
from nwt_tf.serving.film import film
from tests.data_pipeline.test_uploads import wav
from tests.generation import tiny_task
from tests.integration.chromium import FOUND, Browser
from tests.serving.studio import Serving

pytestmark = pytest.mark.skipif(FOUND is None, reason="Chromium is not installed")

SECONDS = 3.0
HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# Whether the video's picture is more than one colour.
PIXELS = """(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [32, 24];
  const context = canvas.getContext("2d");
  context.drawImage(document.querySelector("#video"), 0, 0, 32, 24);
  return new Set(new Uint32Array(context.getImageData(0, 0, 32, 24).data.buffer)).size > 20;
})()"""


class Gate:
    """Lets a video's first events through, and the others when it is opened."""

    def __init__(self, monkeypatch, first):
        self.opened, self.ended, self.first = threading.Event(), threading.Event(), first
        monkeypatch.setattr(making, "film", self.film)

    def film(self, *arguments):
        try:
            for number, event in enumerate(film(*arguments)):
                while number >= self.first and not self.opened.wait(0.01):
                    arguments[-1]()
                if event.kind == "frames":  # as on a quick machine: it is safe to play at once
                    event = event._replace(facts=event.facts | {"generation_seconds": 0.5})
                yield event
        finally:
            self.ended.set()


@pytest.fixture(scope="module")
def serving():
    model = tiny_task.make(chunk_frames=8)
    model.episodes = {HOSTILE: 1} | model.episodes
    spoken = synthesize_voice(1.0, seed=1).waveform
    with Serving(model, lambda text: spoken, megabytes=0.3) as serving:
        assert serving.ask("POST", "/v1/video", wav(spoken))[0] == 200  # compiles everything
        yield serving


@pytest.fixture
def speech(tmp_path):
    path = tmp_path / "my speech.wav"
    path.write_bytes(wav(synthesize_voice(SECONDS, seed=4).waveform))
    return path


@pytest.fixture
def browser(tmp_path, serving):
    (tmp_path / "browser").mkdir()
    with Browser(tmp_path / "browser", further=MICROPHONE) as browser:
        browser.open(serving.url)
        browser.wait("document.querySelectorAll('#style input').length === 4")
        yield browser
        refused = "Failed to load resource: "  # what the page says in words
        assert [error for error in browser.errors if not error.startswith(refused)] == []
        own = (serving.url, f"blob:{serving.url}", "data:")
        assert [url for url in browser.requests if not url.startswith(own)] == []


def text(browser, selector):
    return browser(f"document.querySelector({json.dumps(selector)}).textContent")


def status(browser, begins):
    browser.wait(f"document.querySelector('#status').textContent.startsWith('{begins}')")


def error(browser):
    browser.wait("!document.querySelector('#error').hidden")
    return text(browser, "#error")


def choose(browser, source):
    browser.click(f"label:has([value={source}])")


def downloaded(browser):
    browser.click("#download")
    for _ in range(200):
        found = list(browser.downloads.glob("*.mp4"))
        if found:
            return found[0]
        browser("new Promise((done) => setTimeout(done, 50))")
    raise AssertionError("nothing was downloaded")


def test_a_file_plays_while_its_video_is_made_and_is_downloaded(browser, speech, monkeypatch):
    gate = Gate(monkeypatch, first=3)
    choose(browser, "file")
    browser.choose_file("#file", speech)
    assert text(browser, "#chosen-name") == "my speech.wav"
    assert browser("document.querySelector('#download').hidden")
    browser.click("#make")
    # The gate is shut: what plays is not the whole video.
    status(browser, "Made")
    browser.wait("document.querySelector('#video').currentTime > .1")
    assert text(browser, "#status").endswith(" of 75 frames.") and not gate.ended.is_set()
    assert browser("document.querySelector('#video').buffered.end(0)") < SECONDS - 0.5
    browser.wait(PIXELS)
    assert browser("document.querySelector('#video').webkitAudioDecodedByteCount") > 0
    assert browser("!document.querySelector('#badge').hidden") and not browser("video.muted")
    gate.opened.set()
    status(browser, "Done: 3.0 s of video")
    browser.wait("document.querySelector('#video').ended")
    assert abs(browser("document.querySelector('#video').duration") - SECONDS) < 0.1
    assert "bits" in text(browser, "#bits") and text(browser, "#rate").endswith("kbit/s")
    assert text(browser, "#bits-note") == "by the codec; 8 plain"
    path = downloaded(browser)
    assert path.name == "generated_0.mp4"
    assert probe(path, require=("video", "audio")).fps == tiny_task.FPS
    assert read_video(path).shape == (75, 32, 24, 3)
    assert abs(len(read_audio(path)) / 24_000 - SECONDS) < 0.1
    with av.open(str(path)) as file:
        assert file.metadata["comment"] == "generated by nwt_tf"
    # It can be seen again.
    browser.click("#play")
    browser.wait("document.querySelector('#play').ariaLabel === 'Pause'")
    browser.click("#play")
    browser.wait("document.querySelector('#play').ariaLabel === 'Play'")
    assert browser("video.paused && video.currentTime < 3")


def test_the_settings_are_those_of_the_interface(browser, serving, speech):
    choose(browser, "file")
    browser.choose_file("#file", speech)
    browser("episode.value = 'third', episode.dispatchEvent(new Event('change'))")
    browser("seed.value = '7', seed.dispatchEvent(new Event('change', { bubbles: true }))")
    for slider, value in (("style-1", 2.5), ("temperature", 0.5)):
        browser(f"(e => (e.value = {value}, e.oninput()))(document.getElementById('{slider}'))")
    assert text(browser, "#style-1 + output") == "2.50"
    command = text(browser, "#curl")
    assert "style=0.1%2C2.5%2C0.3%2C0.4" in command and "seed=7" in command
    browser.click("#make")
    status(browser, "Done")
    asked = {"episode": "third", "style": "0.1,2.5,0.3,0.4", "seed": 7, "temperature": 0.5}
    expected = serving.ask("POST", "/v1/video", speech.read_bytes(), **asked)[2]
    mine = read_video(downloaded(browser))
    with av.open(io.BytesIO(expected)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    np.testing.assert_array_equal(mine, np.stack(frames))
    browser.click("#mean")
    assert text(browser, "#style-1 + output") == "0.20"
    browser.click("#copy-style")
    assert text(browser, "#style-1 + output") == "2.50"


def test_words_and_the_microphone(browser):
    choose(browser, "text")
    browser.click("#make")
    assert error(browser) == "Write what is to be said first."
    browser.click("#text")
    browser.call("Input.insertText", text="Hello there")
    assert text(browser, "#text-limits") == "11 of 60 characters"
    browser.click("#make")
    status(browser, "Done: 1.0 s of video")
    assert browser("document.querySelector('#error').hidden")
    choose(browser, "record")
    browser.click("#make")
    assert error(browser) == "Record something first."
    browser.click("#record")
    browser.wait("parseFloat(document.querySelector('#timer').textContent) > 1.2")
    assert browser("document.querySelector('#record').ariaPressed") == "true"
    browser.click("#record")
    browser.wait("!document.querySelector('#chosen').hidden")
    assert text(browser, "#chosen-name").startswith("Recording, ")
    browser.click("#make")
    status(browser, "Done")
    browser.wait(PIXELS)


def test_a_recording_ends_at_the_limit(browser):
    browser.click("#record")
    browser.wait("document.querySelector('#chosen-name').textContent.startsWith('Recording, 3.')")
    browser.click("#make")
    status(browser, "Done")


def test_errors_are_words_and_the_page_goes_on(browser, tmp_path, speech):
    choose(browser, "file")
    browser.click("#make")
    assert error(browser) == "Choose a sound file first."
    for name, content, words in (
        ("notes.txt", b"These are no sounds.\n" * 30, "This is no sound that can be read."),
        ("silent.wav", wav(np.zeros(24_000)), "The sound is silent"),
        ("short.wav", wav(tiny_task.noise(0.1)), "at least 0.2 s are needed"),
        ("long.wav", wav(tiny_task.noise(4.5)), "The sound is longer than 4 seconds."),
        ("large.wav", bytes(400_000), "The file is larger than 0.3 MB."),
    ):
        (tmp_path / name).write_bytes(content)
        browser.choose_file("#file", tmp_path / name)
        if name != "large.wav":  # refused before it is sent
            browser.click("#make")
        assert words in error(browser)
        assert browser("document.querySelector('#download').hidden")
    browser.choose_file("#file", speech)
    assert browser("document.querySelector('#error').hidden")
    browser.click("#make")
    status(browser, "Done")


def test_stop_and_a_lost_server(browser, serving, speech, monkeypatch):
    choose(browser, "file")
    browser.choose_file("#file", speech)
    gate = Gate(monkeypatch, first=2)
    browser.click("#make")
    status(browser, "Made")
    browser.click("#stop")
    status(browser, "Stopped.")
    assert gate.ended.wait(100)
    serving.wait(lambda: serving.jobs.taken == 0)
    gate.ended.clear()
    browser.click("#make")
    status(browser, "Made")
    serving.jobs._running.stop()
    assert error(browser) == "The server ended before the video was done."
    nothing = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.call("Network.emulateNetworkConditions", offline=True, **nothing)
    browser.click("#make")
    browser.wait("document.querySelector('#error').textContent.startsWith('The connection to the')")


def test_names_are_text(browser):
    assert browser("document.title") == "Speech in, a talking person out"
    assert text(browser, "#model").startswith("tiny & <b>small</b> · FAR · 24×32 · 25 fps")
    assert browser("[...episode.options].map((each) => each.value)") == [
        "none", HOSTILE, "first", "third"
    ]  # fmt: skip
    assert HOSTILE in text(browser, "#about") and text(browser, "#card") == "# Card"
    assert browser("document.querySelectorAll('img, #model b, #about b').length") == 0


def test_every_control_is_named_and_a_phone_is_wide_enough(browser):
    named = """(e) => e.labels?.length || e.ariaLabel || e.textContent.trim()
      || e.getAttribute("aria-labelledby")"""
    controls = "document.querySelectorAll('button, input, select, textarea, video, audio')"
    assert browser(f"[...{controls}].filter((e) => !({named})(e)).map((e) => e.id)") == []
    browser.resize(360, 740)
    for source in ("text", "file", "record"):
        choose(browser, source)
        assert browser("document.documentElement.scrollWidth <= innerWidth")
    make = browser("document.querySelector('#make').getBoundingClientRect().bottom")
    assert make <= 740  # The button is at hand wherever one has scrolled to.


def test_keys_alone_make_a_video(browser):
    browser("document.querySelector('[name=source]:checked').focus()")
    # CDP's key events need codes for what a browser itself does with arrows and Enter.
    for key, code in (("ArrowRight", 39), ("ArrowRight", 39), ("Tab", 9)):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)
    assert browser("document.activeElement.id") == "text"
    browser.call("Input.insertText", text="Good morning")
    browser("document.querySelector('#make').focus()")
    for kind in ("keyDown", "keyUp"):
        enter = {"key": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        browser.call("Input.dispatchKeyEvent", type=kind, **enter)
    status(browser, "Done")
