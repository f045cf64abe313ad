"""Make a video of a talking person from a voice, at once, with the preset that comes along.

The sound is a sentence that a speech synthesiser said (it comes along too), or --audio; the preset
is grid-s1. Leaves an mp4 and a contact sheet in --output_dir. It needs no network and about a
minute on two CPU cores.

--train does the whole path instead, on footage that the program draws itself: shards, dVAE-Adv with
its three critics, Memcodes, the FAR prior with its style encoder, an mp4 from sound that neither
model has heard, and a sheet that shows truth, reconstruction and generation. Five to ten minutes.
Its last line says how closely the generated mouth follows the true one: mouth_correlation, read
from pixels by a rule whose own correlation on true frames is rule_correlation; both on unseen
sound.

Every run starts anew: what an earlier demo left in --output_dir is removed, without --train when
the new video is drawn. A folder that holds anything else is refused.
"""

import re
import shutil
import time
from pathlib import Path

from absl import flags

from nwt_tf.bin import command

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "output_dir", "demo", "Folder for the mp4, the sheet and all between.", flag_values=FLAGS
)
flags.DEFINE_bool("train", False, "Train models of its own first.", flag_values=FLAGS)
flags.DEFINE_string(
    "audio", None, "Any file with sound, in place of the sentence.", flag_values=FLAGS
)
flags.DEFINE_string("episode", "none", "Whose look, of the preset's.", flag_values=FLAGS)
flags.DEFINE_integer(
    # 2 leaves the most room above r = 0.7 of the three that docs/results.md has.
    "seed", 2, "Of footage, trainings and generation.", 0, 2**31 - 1, flag_values=FLAGS
)

MARKER = ".made_by_nwt_demo"
MADE = ("footage", "shards", "dvae", "codes", "prior", "demo.mp4", "contact_sheet.png", MARKER)


def check_room(output_dir: str, audio: str | None = None) -> Path:
    """The folder that a demo may empty.

    Args:
        output_dir: new, empty, or of an earlier demo.
        audio: a file that the demo reads.

    Raises:
        ValueError: for a folder with other content, or with `audio` in it, or a file of that name.
    """
    folder = Path(output_dir)
    if audio is not None and folder.resolve() in Path(audio).resolve().parents:
        raise ValueError(
            f"--audio={audio} lies in --output_dir={output_dir}, which is emptied: name another."
        )
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output_dir={output_dir} is a file: name a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        marked = (folder / MARKER).exists()
        # What a demo that was killed was writing is named NAME.PID.tmp (nwt_tf.files.whole).
        names = {path.name: re.sub(r"\.\d+\.tmp$", "", path.name) for path in folder.iterdir()}
        others = [name for name, made in names.items() if made not in MADE]
        if others or not marked:
            raise ValueError(
                f"--output_dir={output_dir} holds files that no demo made"
                f"{f' ({others[0]})' if others else ''}: name a new folder."
            )
    return folder


def make_room(output_dir: str) -> Path:
    """An empty folder for a demo: what an earlier one left there is removed.

    Raises:
        ValueError: as check_room, before anything is removed.
    """
    folder = check_room(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != MARKER:
            path.unlink()
    (folder / MARKER).touch()
    return folder


def main() -> None:
    started = time.monotonic()
    if FLAGS.train and (FLAGS.audio is not None or FLAGS.episode != "none"):
        raise ValueError("--audio and --episode are of the shipped preset: leave them, or --train.")
    if FLAGS.audio is not None and not Path(FLAGS.audio).is_file():
        raise FileNotFoundError(f"--audio={FLAGS.audio}: no such file")
    folder = check_room(FLAGS.output_dir, FLAGS.audio)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    print("Starting TensorFlow ...", flush=True)
    command.start_tensorflow()
    if FLAGS.train:
        from nwt_tf.bin.demos import demonstration

        figures = demonstration.demonstrate(make_room(FLAGS.output_dir), FLAGS.seed)
    else:
        from nwt_tf.bin.demos import speaking

        video = speaking.speak(FLAGS.audio, FLAGS.episode, FLAGS.seed)
        figures = speaking.write(make_room(FLAGS.output_dir), video)
    command.report(**figures, seconds=time.monotonic() - started)


if __name__ == "__main__":
    command.run("demo", main, FLAGS, __doc__)
