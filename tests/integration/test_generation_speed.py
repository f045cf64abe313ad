"""`nwt benchmark --what=generate`: every part measured, and counts that can be checked by hand."""

import pytest

from configs import both, dvae, prior
from nwt_tf.bin.benchmarks import generation_speed
from nwt_tf.generation.choice import Options
from nwt_tf.models import priors
from tests.integration.commands import refused, run

SIZES = ("--config=tiny_mar", "--height=32", "--width=24")


def test_every_part_of_random_weights_at_config_sizes():
    line, printed = run(
        "benchmark", "--what=generate",
        *SIZES, "--batch_sizes=2", "--chunk_frames=3", "--repeats=2", "--precision=float32",
        "--sampling=sequential,parallel", "--terabytes=0.001", "--teraflops=0.001",
    )  # fmt: skip
    assert "A bound is the least time a part could take" in printed
    parts = line["batch_2"]
    assert line["prior"] == "MAR" and set(parts) == {
        "sound_to_conditioning", "prior", "prior_parallel", "decoder", "mp4", "sound_to_pixels",
        "whole",
    }  # fmt: skip
    for figures in parts.values():
        assert figures["frames_per_second"] > 0 and figures["p95_ms"] >= figures["p50_ms"] > 0
        # Two streams of three frames in the median chunk.
        assert figures["frames_per_second"] * figures["p50_ms"] / 1e3 == pytest.approx(6, rel=1e-3)
    prior = parts["prior"]
    assert prior["elements_per_pass"] == 1
    assert parts["prior_parallel"]["percent_of_other_codes"] == 0
    bound_ms = 1e3 * prior["weight_megabytes"] * 1e6 / 0.001e12
    assert prior["percent_of_bandwidth"] == pytest.approx(
        100 * bound_ms / prior["p50_ms"], rel=1e-3
    )
    assert prior["percent_of_arithmetic"] == pytest.approx(
        100 * 1e3 * prior["gflop"] * 1e9 / 0.001e12 / prior["p50_ms"], rel=1e-3
    )
    assert parts["whole"]["first_frame_ms"] > 0
    assert parts["whole"]["first_frame_sound_seconds"] > 3 / 30


def test_a_preset_s_guidance_draws_two_rows_a_clip():
    sizes = both.BothConfig(dvae.get_config("tiny"), prior.get_config("tiny_mar"))
    model = generation_speed.random_model(sizes, 32, 24, 25, "float32", 3)
    plain = generation_speed.measure(model, 1, 1, ["sequential"], (1e9, 1e9))
    model.draws = Options(guidance=2.0)
    guided = generation_speed.measure(model, 1, 1, ["sequential"], (1e9, 1e9))
    assert guided["prior"]["gflop"] == 2 * plain["prior"]["gflop"] > 0
    assert guided["prior"]["weight_megabytes"] == plain["prior"]["weight_megabytes"]
    assert set(guided) == set(plain) and guided["whole"]["frames_per_second"] > 0


def test_the_paper_s_loops_read_what_their_tables_hold():
    """Table 6's decoder, layer by layer, in two bytes a number."""
    sizes = both.BothConfig(dvae.get_config("tiny"), prior.get_config("paper_mar"))
    model = generation_speed.random_model(sizes, 32, 24, 25, "bfloat16", 4)
    convs = [(512, 1024), (1024, 2048), (2048, 1024)] * 2
    convs += [(512, 1024), (1024, 1024), (1024, 1024), (1024, 1024)]
    expected = sum(4 * read * made + made for read, made in convs)
    expected += 3 * 512 + 512 * (64 + 2 * 1024 + 3 * (64 + 64 + 64))
    heads, codes = model.prior.num_heads, model.prior.num_codes
    expected += heads * codes * 64 + (1024 + 1) * heads * codes
    assert generation_speed._decoder_bytes(model.prior) == 2 * expected
    assert isinstance(model.prior, priors.KINDS["mar"])


@pytest.mark.parametrize("sizes", ["0", "1,x", "-1"])
def test_batch_sizes_that_are_none_are_refused(sizes, capsys):
    message = "give whole numbers from 1 on"
    refused(capsys, message, "benchmark", "--what=generate", f"--batch_sizes={sizes}")
