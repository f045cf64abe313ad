"""Words to sound by a text-to-speech program of the user's choice."""

import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

DEFAULT_COMMAND = "espeak-ng --stdin -w {wav}"


def installed(command: str) -> bool:
    """Whether a command's program is there."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return bool(words) and shutil.which(words[0]) is not None


def speak(text: str, command: str = DEFAULT_COMMAND, seconds: float | None = None):
    """What a program says.

    Args:
        text: what to say.
        command: the program and its arguments, split as a shell would, run without one. {wav} is
            the sound file that it must write, {text} the text; without {text} it reads the text
            from its standard input.
        seconds: that the program may take; None is any number.

    Returns:
        float32 [N], 24 kHz mono in [-1, 1].

    Raises:
        ValueError: no text, no {wav} in the command, no such program, or one that fails, takes
            too long or writes no sound.
    """
    from data_pipeline.media import read_audio

    if not text.strip():
        raise ValueError("--text is empty: there is nothing to say.")
    if "{wav}" not in command:
        raise ValueError(
            f"--tts_command={command} must name the file that it writes: put {{wav}} in its place."
        )
    try:
        program, *arguments = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"--tts_command={command}: {error}.") from None
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        filled = [word.replace("{wav}", str(wav)).replace("{text}", text) for word in arguments]
        try:
            done = subprocess.run(
                [program, *filled],
                input=None if "{text}" in command else text,
                stdin=subprocess.DEVNULL if "{text}" in command else None,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"--tts_command: {program} took over {seconds:g} seconds.") from None
        except FileNotFoundError:
            raise ValueError(
                f"--tts_command: {program} is not installed: install it "
                "(apt install espeak-ng, brew install espeak-ng), or name another program."
            ) from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it does not say why"]
            raise ValueError(
                f"--tts_command: {program} failed with code {done.returncode}: {said[-1]}"
            )
        if not wav.exists():
            raise ValueError(f"--tts_command: {program} wrote no sound to {{wav}}.")
        try:
            return read_audio(wav)
        except ValueError as error:
            reason = str(error).removeprefix(f"{wav}: ")
            raise ValueError(f"--tts_command: the sound that {program} wrote {reason}.") from None
