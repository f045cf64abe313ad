"""Text to sound by another program: what it is given, and what goes wrong."""

import shlex
import sys

import numpy as np
import pytest

from nwt_tf.bin.generating import speech

SPEAKER = """
import pathlib, sys, wave
wav, mode, *words = sys.argv[1:]
text = words[0] if words else sys.stdin.read()
pathlib.Path(__file__).with_name("heard.txt").write_text(text)
if mode == "fail":
    print("a hint", file=sys.stderr)
    sys.exit("no such voice")
if mode == "silent":
    sys.exit(0)
with wave.open(wav, "wb") as file:
    file.setparams((1, 2, 22050, 0, "NONE", ""))
    file.writeframes(bytes(range(1, 101)) * 441 if mode == "speak" else b"")
"""


@pytest.fixture
def speaker(tmp_path):
    """A command line of a program that says it all in one second at 22,050 Hz."""
    (tmp_path / "speaker.py").write_text(SPEAKER)
    return shlex.join([sys.executable, str(tmp_path / "speaker.py")])


@pytest.mark.parametrize("words", ["", " {text}"], ids=["stdin", "argument"])
@pytest.mark.parametrize("text", ["Hello there.", "-x 'a' \"b\" $(id); {wav} *", "Grüße,\n再见"])
def test_the_text_arrives_as_it_is_and_the_sound_at_24_kilohertz(speaker, tmp_path, words, text):
    waveform = speech.speak(text, f"{speaker} {{wav}} speak{words}")
    assert (tmp_path / "heard.txt").read_text() == text
    assert waveform.dtype == np.float32 and abs(len(waveform) - 24000) < 50
    assert np.abs(waveform).max() > 0.1


@pytest.mark.parametrize(
    ("text", "command", "message"),
    [
        (" \n", "SPEAKER {wav} speak", "--text is empty"),
        ("a", "SPEAKER speak", "must name the file that it writes: put {wav}"),
        ("a", "SPEAKER {wav} 'speak", "No closing quotation"),
        ("a", "no-such-speaker -w {wav}", "no-such-speaker is not installed: install it"),
        ("a", "SPEAKER {wav} fail", "failed with code 1: no such voice"),
        ("a", "SPEAKER {wav} silent", "wrote no sound"),
        ("a", "SPEAKER {wav} empty", "the sound that .* wrote has an audio stream without any"),
    ],
)
def test_what_goes_wrong_is_one_line(speaker, text, command, message):
    with pytest.raises(ValueError, match=message) as refusal:
        speech.speak(text, command.replace("SPEAKER", speaker))
    assert "\n" not in str(refusal.value)
