"""Rate and distortion: picture measures, BD-rate, curves and tables (section 3.6, Table 2)."""

import dataclasses
import math

import numpy as np

from nwt_tf.evaluation.metrics import frame_ms_ssim, frame_psnr, frame_ssim

MEASURES = ("ssim", "ms_ssim", "psnr")


@dataclasses.dataclass
class Point:
    """A coder at one setting, over all clips: add them one by one.

    setting: quality or CRF.
    """

    setting: float
    size: int = 0  # bytes
    seconds: float = 0.0
    frames: int = 0
    sums: dict = dataclasses.field(default_factory=lambda: dict.fromkeys(MEASURES, 0.0))

    def add(self, size, measured, fps):
        """Adds a clip of `size` bytes and its frame measures (`picture_measures`)."""
        frames = len(measured["ssim"])
        self.size, self.frames = self.size + size, self.frames + frames
        self.seconds += frames / fps
        for name in MEASURES:
            self.sums[name] += float(np.sum(measured[name], dtype=np.float64))

    def figures(self):
        """{"setting", "bytes", "kbps", "ssim", "ms_ssim", "psnr"}, means over frames."""
        means = {name: self.sums[name] / self.frames for name in MEASURES}
        kbps = 8e-3 * self.size / self.seconds
        return {"setting": self.setting, "bytes": self.size, "kbps": kbps, **means}


def picture_measures(truth, other):
    """Each of MEASURES a frame: {name: float32 [T]}; uint8 [T, H, W, 3] each."""
    return {
        "ssim": frame_ssim(truth, other),
        "ms_ssim": frame_ms_ssim(truth, other),
        "psnr": frame_psnr(truth, other),
    }


def bd_rate(anchor, other):
    """Bjontegaard's mean difference of rates at equal SSIM, in percent.

    Logarithms of the rates are interpolated by monotone cubics (PCHIP) over the SSIM.

    Args:
        anchor, other: curves, lists of Point.figures(), two points and more.

    Returns:
        Percent, negative where `other` takes fewer bits; None where the curves share no quality.
    """
    curves = [_monotone(curve) for curve in (anchor, other)]
    low = max(quality[0] for quality, _ in curves)
    high = min(quality[-1] for quality, _ in curves)
    if min(len(quality) for quality, _ in curves) < 2 or high <= low:
        return None
    from scipy.interpolate import PchipInterpolator

    means = [
        float(PchipInterpolator(quality, rate).integrate(low, high)) / (high - low)
        for quality, rate in curves
    ]
    return 100.0 * (math.exp(means[1] - means[0]) - 1.0)


def rate_at(curve, ssim):
    """Kilobits a second that a curve takes for an SSIM, interpolated as for bd_rate; None where
    it does not reach there."""
    qualities, rates = _monotone(curve)
    if len(qualities) < 2 or not qualities[0] <= ssim <= qualities[-1]:
        return None
    from scipy.interpolate import PchipInterpolator

    return math.exp(float(PchipInterpolator(qualities, rates)(ssim)))


def _monotone(curve):
    """(quality ascending, log rate) of the points that no cheaper point reaches."""
    quality, rates, best = [], [], -math.inf
    for point in sorted(curve, key=lambda point: (point["kbps"], -point["ssim"])):
        if point["ssim"] > best:
            best = point["ssim"]
            quality.append(best)
            rates.append(math.log(point["kbps"]))
    return np.array(quality), np.array(rates)


def draw_curves(path, curves, title):
    """Writes a PNG: each measure over the rate, on a logarithmic axis.

    Args:
        path: of the PNG.
        curves: {coder: list of Point.figures()}.
        title: above.
    """
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5.5), layout="tight")
    axes = figure.subplots(1, len(MEASURES))
    colours = matplotlib.colormaps["tab20"].colors
    for axis, measure, label in zip(axes, MEASURES, ("SSIM", "MS-SSIM", "PSNR / dB"), strict=True):
        for i, (name, points) in enumerate(curves.items()):
            points = sorted(points, key=lambda point: point["kbps"])
            own = not name.startswith(("x264", "x265", "svt"))
            axis.plot(
                [point["kbps"] for point in points],
                [point[measure] for point in points],
                "o-" if own else ".--",
                color=colours[(2 * i if own else 2 * i + 1) % 20],
                linewidth=2 if own else 1,
                label=name,
            )
        axis.set_xscale("log")
        axis.set_xlabel("kilobits a second, without the sound")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3, which="both")
    axes[-1].legend(fontsize=8)
    figure.suptitle(title)
    figure.savefig(path, format="png", dpi=110)


def table(coders):
    """The coders' figures as a Markdown table.

    Args:
        coders: {name: {"points": list of Point.figures(), "bd_rate": percent or None}}.
    """
    lines = [
        "| coder | setting | kbit/s | SSIM | MS-SSIM | PSNR | BD-rate (SSIM) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, figures in coders.items():
        rate = figures.get("bd_rate")
        for i, point in enumerate(figures["points"]):
            shown = "" if i else ("none" if rate is None else f"{rate:+.1f} %")
            lines.append(
                f"| {'' if i else name} | {point['setting']:g} | {point['kbps']:.2f} "
                f"| {point['ssim']:.4f} | {point['ms_ssim']:.4f} | {point['psnr']:.2f} | {shown} |"
            )
    return "\n".join(lines) + "\n"
