"""A model card states the model, its training, the figures and what must be disclosed."""

from nwt_tf.evaluation.card import model_card

CONFIG = {
    "dvae": {"height": 128, "width": 112, "stages": [1, 2, 3], "num_heads": 8, "num_codes": 8},
    "prior": {"kind": "far"},
    "footage": {"fps": 25.0, "episodes": {"anna": 0, "otto": 1}},
    "training": {"train": {"steps": 4500, "learning_rate": 3e-4}},
}
FIGURES = {
    "reconstruction": {"ssim": 0.96612, "used_per_head": [8, 7], "ms_ssim": None},
    "generation": {
        "peak_lag": 1,
        "systems": {"ground_truth": {"sharpness": 3388.4}, "still_frame": {"sharpness": 12.0}},
        "correlations_by_lag": {"generated": [None] * 15 + [0.25] + [0.125] * 15},
    },
    "retrieval": {"distance_and_loss": {"l1": {"pearson": 0.98}}},
}


def test_a_card_has_everything_that_was_measured():
    text = model_card(
        "grid", CONFIG, {"dvae": 13_200_000, "prior": 500}, FIGURES, {"retrieval": "card_r.png"},
        "nwt evaluate --preset=grid", "Footage: somebody's, CC BY 4.0.",
    )  # fmt: skip
    for line in (
        "# grid",
        "Footage: somebody's, CC BY 4.0.",
        "| frames | 128x112 at 25 a second |",
        "| Memcodes a frame | 16x14 of 8 heads with 8 codes: 24 bits each |",
        "| episodes | anna, otto |",
        "| dVAE parameters | 13,200,000 |",
        "| prior | FAR |",
        "| learning_rate | 0.0003 |",
        "nwt evaluate --preset=grid",
        "| ssim | 0.9661 |",
        "| used per head | 8 7 |",
        "| ground truth | 3388 |",
        "| peak lag | 1 |",
        "| generated | - | - | - | - | - | 0.25 | 0.125 | 0.125 | 0.125 | 0.125 | 0.125 |",
        "| distance and loss, l1, pearson | 0.98 |",
        "![retrieval](card_r.png)",
    ):
        assert line in text.splitlines(), line
    assert "ms ssim" not in text and "Consent" in text


def test_a_card_of_a_dvae_says_what_is_not_known():
    config = {key: CONFIG[key] for key in ("dvae", "footage")}
    text = model_card("a", config, {"dvae": 7}, {}, {}, "nwt evaluate")
    assert "was not stated" in text and "prior" not in text and "Training" not in text
