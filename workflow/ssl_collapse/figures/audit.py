"""The page of an audit: verdict, spectra, measures, in one HTML file that needs no other."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ssl_collapse.config.figures import SpectraFigure
from ssl_collapse.evaluation.baseline import UNTRAINED
from ssl_collapse.evaluation.measures.measure import Measure
from ssl_collapse.evaluation.measures.registry import MEASURES
from ssl_collapse.evaluation.spectrum import explained
from ssl_collapse.evaluation.verdict import percent
from ssl_collapse.figures.page import embedded, render
from ssl_collapse.figures.theme import DPI, GREY, categorical, new_panels, sequential, style
from ssl_collapse.tables.columns import quantity

TEMPLATE = "audit.html.jinja"
# AUC (eq. 2) and effective rank of the six spectra (D = 512) that the authors of arXiv 2209.15007
# released with their code, by percent of ImageNet: SimSiam, ResNet-18
PUBLISHED = {
    1: (0.610, 465.2),
    5: (0.748, 323.5),
    10: (0.845, 186.5),
    20: (0.879, 140.0),
    50: (0.871, 161.3),
    100: (0.858, 165.6),
}
LOOK = SpectraFigure.model_validate({"kind": "spectra", "runs": ["encoder"]})
NO_DIFFERENCE = 0.1  # of the value of random weights, and of its distance from the Gaussian's
SIDES = {"encoder": "this encoder", "untrained": "random weights", "gaussian": "flat (Gaussian)"}

Spectra = Mapping[int, NDArray[np.float64]]  # percent of ImageNet -> singular values


def page(content: Mapping[str, Any], published: Spectra) -> str:
    """The page as HTML.

    Args:
        content: what audit.json holds.
        published: the authors' spectra, where their files are at hand.
    """
    return render(
        TEMPLATE,
        content=content,
        image=_png(draw(content, published)),
        facts=facts(content),
        rows=measure_rows(content),
        auc=_auc_rows(content),
        has_published=bool(published),
        caution=UNTRAINED,
    )


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    with style(LOOK):
        figure.savefig(buffer, format="png", dpi=DPI)
    return embedded(buffer.getvalue())


def draw(content: Mapping[str, Any], published: Spectra) -> Figure:
    """Spectra divided by their largest value, and their cumulative shares, over the part of D."""
    with style(LOOK):
        figure, panels = new_panels(LOOK, "Spectrum of the representations", 2)
        for share, color in zip(published, sequential(len(published)), strict=False):
            _line(panels, published[share], f"published, {share} %", color=color, linewidth=0.9)
        colors = dict(zip(SIDES, (categorical(1)[0], "#000000", GREY), strict=True))
        dashes = {"encoder": "-", "untrained": "--", "gaussian": ":"}
        for side, label in SIDES.items():
            if "spectrum" in content[side]:
                sigma = np.array(content[side]["spectrum"])
                _line(panels, sigma, label, color=colors[side], linestyle=dashes[side])
        panels[0].set_yscale("log")
        panels[0].set_ylim(bottom=1e-5, top=1.5)
        panels[0].set_ylabel("Singular value / largest")
        panels[1].set_ylabel("Explained(j) of eq. 2")
        for axes in panels:
            axes.set_xlabel("Index of the singular value / dimensions")
        if panels[1].lines:  # none where neither side told images apart
            panels[1].legend(loc="lower right", fontsize=8)
    return figure


def _line(panels: list[Axes], sigma: NDArray[np.float64], label: str, **look: Any) -> None:
    fraction = np.arange(1, len(sigma) + 1) / len(sigma)
    positive = sigma > np.finfo(np.float32).eps * sigma[0]  # below: rounding
    panels[0].plot(fraction[positive], sigma[positive] / sigma[0], **look)
    panels[1].plot(fraction, explained(sigma), label=label, **look)


def facts(content: Mapping[str, Any]) -> list[str]:
    """What the spectrum and the neighbours say, a sentence each."""
    encoder, untrained = content["encoder"], content["untrained"]
    if "failure" in encoder:
        return ["There is no spectrum to measure."]
    dim = encoder["measures"]["dim"]
    sentences = [
        f"{share} of the variance lies in {count:,} of {dim:,} directions ({percent(count / dim)})"
        + _beside(untrained, "directions", share, "; with random weights in {:,}")
        + "."
        for share, count in encoder["directions"].items()
    ]
    dead = encoder["measures"]["dead_dimensions"]
    sentences.append(
        f"{dead:,} of {dim:,} dimensions are dead: the same for every image"
        + _beside(untrained, "measures", "dead_dimensions", " (with random weights: {:,})")
        + "."
    )
    chance = content["images"]["chance"]
    for k, knn in encoder.get("knn", {}).items():
        other = untrained.get("knn", {}).get(k)
        beside = f"; with random weights {other['accuracy']:.1%}" if other else ""
        low, high = knn["interval"]
        sentences.append(
            f"k-NN by folder names, k = {k}, each image by all others: {knn['accuracy']:.1%} "
            f"[{low:.1%}, {high:.1%}]{beside}; always guessing the largest class {chance:.1%}."
        )
    if not encoder.get("knn"):
        sentences.append("No k-NN: the images do not lie in two or more class folders.")
    return sentences


def _beside(side: Mapping[str, Any], key: str, name: str, words: str) -> str:
    return "" if "failure" in side else words.format(side[key][name])


def measure_rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row for every measure that has a value: its name, values, interval, and what it says."""
    encoder = content["encoder"].get("measures", {})
    conventions = {
        name: text
        for names, text in encoder.get("conventions", {}).items()
        for name in names.split(", ")
    }
    return [
        {
            "name": quantity(measure.name).name,
            **{side: _value(content, side, measure.name) for side in SIDES},
            "interval": _interval(content, measure.name),
            "says": _says(content, measure, conventions.get(measure.name, "")),
            "convention": conventions.get(measure.name, ""),
        }
        for measure in MEASURES
        if encoder.get(measure.name) is not None and not measure.name.startswith("auc_")
    ]


def _value(content: Mapping[str, Any], side: str, name: str) -> str:
    value = content[side].get("measures", {}).get(name)
    return "" if value is None else f"{value:.4g}"


def _interval(content: Mapping[str, Any], name: str) -> str:
    interval = content["encoder"].get("intervals", {}).get(name)
    return f"{interval[0]:.4g} to {interval[1]:.4g}" if interval else ""


def _says(content: Mapping[str, Any], measure: Measure, convention: str) -> str:
    """Against random weights, where the measure has a direction."""
    mine = content["encoder"]["measures"][measure.name]
    other = content["untrained"].get("measures", {}).get(measure.name)
    if not measure.collapse or other is None:
        return ""
    low, high = content["encoder"]["intervals"].get(measure.name, (mine, mine))
    flat = content["gaussian"]["measures"][measure.name]
    size = abs(other) if flat is None else min(abs(other), abs(other - flat))
    # other random weights would have given another value, which no interval knows of
    if low <= other <= high or abs(mine - other) <= NO_DIFFERENCE * size:
        return "about as with random weights"
    more = (mine - other) * measure.collapse > 0
    with_mean = any(words in convention for words in ("not centred", "norm(z)"))
    doubt = ", but the mean is in it" if with_mean else ""
    return f"{'more' if more else 'less'} collapsed than with random weights{doubt}"


def _auc_rows(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """AUC, and the effective rank as a part of the dimensions, of all that is compared."""
    rows = []
    for side, label in SIDES.items():
        measures = content[side].get("measures")
        if measures:
            fraction = measures["effective_rank"] / measures["dim"]
            rows.append((label, f"{measures['auc']:.3f}", f"{fraction:.0%}"))
    for share, (auc, rank) in PUBLISHED.items():
        label = f"published, SimSiam ResNet-18 on {share} % of ImageNet"
        rows.append((label, f"{auc:.3f}", f"{rank / 512:.0%}"))
    return rows
