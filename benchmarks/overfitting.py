"""One clip learnt by heart: what a model can hold, whatever it generalises to.

    nwt build_dataset --input_dir=FOLDER_OF_ONE_VIDEO --output_dir=shards ...
    python benchmarks/overfitting.py --data_dir=shards --workdir=work

Trains dVAE-Adv and then priors on the shards' training split, without anything that keeps a model
from learning by heart (dropout, noise, moving averages). The last line is JSON: frame SSIM of the
reconstruction with arg max codes; of each prior, bits a code on the codes that it was trained on,
and the share of them that arg max sampling gives back from the sound and the clip's own style. A
workdir that exists goes on where it was.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from configs import dvae as dvae_configs
from configs import prior as prior_configs


def by_heart(config, steps, batch_size, **changes):
    """The config without what keeps a model from learning by heart."""
    config.train = dataclasses.replace(
        config.train,
        steps=steps,
        batch_size=batch_size,
        episode_dropout=0.0,
        ema=0.0,
        validate_every=max(1, steps // 2),
        **changes,
    )
    return config


def reconstruction(preset, shards):
    """Mean frame SSIM over the training split."""
    from data_pipeline.dataset import read_clips
    from nwt_tf.evaluation.reconstruction import measure_reconstruction
    from nwt_tf.models.dvae import DVAE

    clips = ((clip["video"], clip["episode"]) for clip in read_clips(shards, "train"))
    return measure_reconstruction(DVAE.from_preset(preset), clips)[0]["ssim"]


def recollection(preset, codes):
    """{bits_per_code, codes_given_back} over the training split."""
    import tensorflow as tf

    from data_pipeline.dataset import read_clips
    from nwt_tf.evaluation.prediction import code_bits
    from nwt_tf.generation.sampler import Sampler
    from nwt_tf.models import priors

    prior = priors.from_preset(preset)
    sampler, bits, given_back = Sampler(prior), [], []
    for clip in read_clips(codes, "train"):
        true = clip["codes"].astype(np.int32)
        style = prior.style_encoder(tf.constant(true)[None]).mean[0].numpy()
        bits.append(code_bits(prior, true, clip["mel"], style, clip["episode"]))
        conditioning = prior.condition(
            clip["mel"][None], style[None], tf.constant([clip["episode"]])
        )
        drawn = sampler(conditioning, [0, 0], temperature=0.0)[0].numpy()
        given_back.append((drawn == true).mean())
    return {
        "bits_per_code": float(np.mean(bits)),
        "codes_given_back": float(np.mean(given_back)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="shards of one clip")
    parser.add_argument("--workdir", required=True, type=Path)
    parser.add_argument("--dvae", default="small", help="variant of configs/dvae.py")
    parser.add_argument("--dvae_steps", type=int, default=1000)
    parser.add_argument("--preset", help="a trained dVAE, in place of one of the clip alone")
    parser.add_argument("--priors", default="small,small_mar", help="variants of configs/prior.py")
    parser.add_argument("--prior_steps", type=int, default=1000)
    parser.add_argument("--batch_size", type=int, default=8)
    arguments = parser.parse_args()

    from data_pipeline.shards import Manifest
    from nwt_tf.bin.training import stages
    from nwt_tf.bin.training.extraction import extract_codes

    work = arguments.workdir
    preset = arguments.preset or work / "dvae"
    if not arguments.preset:
        config = dvae_configs.get_config(arguments.dvae)
        by_heart(config, arguments.dvae_steps, arguments.batch_size)
        stages.train_dvae(arguments.data_dir, preset, config)
    figures = {"ssim": reconstruction(preset, arguments.data_dir)}
    print(json.dumps(figures), flush=True)
    if not (work / "codes" / "dataset.json").exists():
        extract_codes(preset, arguments.data_dir, work / "codes")
    frames = min(Manifest.load(work / "codes").clip_frames("train").values())
    for variant in arguments.priors.split(","):
        config = prior_configs.get_config(variant)
        config.loss = prior_configs.Loss()
        by_heart(config, arguments.prior_steps, arguments.batch_size, clip_frames=frames)
        stages.train_prior(work / "codes", work / variant, config)
        figures[variant] = recollection(work / variant, work / "codes")
        print(json.dumps({variant: figures[variant]}), flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
