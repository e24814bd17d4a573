"""docs/SCIENCE.md says what the code does: its numbers are the code's, no measure is left out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import run_script

from ssl_collapse.config.evaluation import CollapseSpec, KnnSpec, ProbeSpec
from ssl_collapse.config.methods.barlow_twins import Config as Barlow
from ssl_collapse.config.methods.byol import Config as Byol
from ssl_collapse.config.methods.distillation import Config as Distillation
from ssl_collapse.config.methods.lejepa import Config as LeJepa
from ssl_collapse.config.methods.moco_v3 import Config as Moco
from ssl_collapse.config.methods.nnsiam import Config as NnSiam
from ssl_collapse.config.methods.simsiam import Config as SimSiam
from ssl_collapse.config.methods.vicreg import Config as Vicreg
from ssl_collapse.config.pretrain import Augmentation, Recipe

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs/SCIENCE.md").read_text("utf-8").split())  # without line breaks

RECIPE = Recipe.model_validate({"backbone": {"arch": "resnet18"}})
VIEWS, KNN, PROBE, COLLAPSE = Augmentation(), KnnSpec(), ProbeSpec(), CollapseSpec()


@pytest.mark.parametrize(
    "text",
    [
        f"base_lr {RECIPE.base_lr}, batch_size {RECIPE.batch_size}",
        f"final_lr {RECIPE.final_lr:g}",
        f"with momentum {RECIPE.momentum} and weight decay 1e-4",
        f"w = `warmup_epochs` ({RECIPE.warmup_epochs})",
        f"U(`min_scale`, 1) of the image ({VIEWS.min_scale})",
        f"Horizontal flip with p {VIEWS.flip_probability}",
        f"Colour jitter with p {VIEWS.jitter_probability}",
        f"f = {VIEWS.brightness}, hue by U(-{VIEWS.hue}, {VIEWS.hue}) turns",
        f"Greyscale with p {VIEWS.grayscale_probability}",
        f"blur with p {VIEWS.blur_probability}, sigma U({', '.join(map(str, VIEWS.blur_sigma))})",
        f"`projection_dim` {SimSiam().projection_dim:,}",
        f"`predictor_hidden_dim` {SimSiam().predictor_hidden_dim}",
        f"rows ({NnSiam().queue_size:,}, a multiple",
        f"Projector d -> {Byol().hidden_dim:,} -> {Byol().projection_dim} and",
        f"first = `ema_momentum` {Byol().ema_momentum} and final = `final_ema_momentum` 1 ",
        f"each query's own key being right; T = {Moco().temperature:g}",
        f"BYOL's and MoCo v3's: base_lr {Byol.recipe['base_lr']}, weight decay b = 1e-6",
        f"in the w = {Byol.recipe['warmup_epochs']} warm-up epochs",
        f"Expander d -> {Vicreg().projection_dim:,} -> ",
        f"{Vicreg().invariance_weight:g} mean (z1 - z2)^2 + {Vicreg().variance_weight:g}/2 sum",
        f"LARS, base_lr {Vicreg.recipe['base_lr']}, as the authors have",
        f"(1 - C_ii)^2 + {Barlow().off_diagonal_weight} sum",
        f"base_lr {Barlow.recipe['base_lr']} and `base_lr_1d` {Barlow.recipe['base_lr_1d']},",
        f"d -> {LeJepa().hidden_dim:,} -> {LeJepa().hidden_dim:,} -> {LeJepa().projection_dim}, BN",
        f"lambda = `sigreg_weight` {LeJepa().sigreg_weight}",
        f"over views and {LeJepa().directions:,} directions",
        "AdamW, base_lr 5e-4 ending at a thousandth, weight decay 5e-4 (the authors'",
        f"a = `ema_alpha` {Distillation().ema_alpha}.",
        f"`k_max` ({KNN.k_max})",
        f"T = {KNN.temperature} (Wu",
        f"| {PROBE.base_lr} batch/256, half cosine",
        f"| {PROBE.epochs}; {PROBE.batch_size:,}, at most the training set",
        f"SGD, momentum {PROBE.momentum}, no weight decay",
        f"(area from {PROBE.min_scale}), flip p {PROBE.flip_probability}",
        f"each of {COLLAPSE.bootstrap_resamples} resamples",
        f"ranks {COLLAPSE.alpha_first_rank} to {COLLAPSE.alpha_last_rank} as far as",
        f"at most {COLLAPSE.uniformity_samples:,} rows",
    ],
)
def test_defaults_are_those_of_the_page(text: str):
    assert text in PAGE


def test_the_strengths_that_the_page_gives_as_one_number_are_one():
    assert VIEWS.brightness == VIEWS.contrast == VIEWS.saturation
    assert RECIPE.weight_decay == 1e-4
    assert PROBE.weight_decay == 0


def test_every_number_of_collapse_json_is_defined(tmp_path: Path):
    rows = np.random.default_rng(0).normal(size=(40, 3))
    np.save(tmp_path / "rows.npy", rows)
    run_script("collapse", tmp_path / "rows.npy", "--json", tmp_path / "collapse.json")
    content = json.loads((tmp_path / "collapse.json").read_text())
    names = {name.removesuffix("_l2") for name in content} - {"notes", "conventions"}
    assert {"auc", "rankme", "noise_floor"} <= names
    defined = set(re.findall(r"`([a-z0-9_]+)`", PAGE)) | {"format_version"}
    assert names <= defined


def test_modules_that_the_page_names_are_there():
    names = re.findall(r"`([a-z_]+/[a-z_/*]+\.py)`", PAGE)
    assert len(names) > 10
    for name in names:
        assert list((ROOT / "workflow/ssl_collapse").glob(name)), name


def test_the_library_cites_this_page_and_no_paper_that_readers_have_not():
    modules = sorted((ROOT / "workflow").rglob("*.py"))
    texts = {str(module.relative_to(ROOT)): module.read_text("utf-8") for module in modules}
    assert any("docs/SCIENCE.md" in text for text in texts.values())
    assert [name for name, text in texts.items() if re.search(r"\bSPEC\b", text)] == []
