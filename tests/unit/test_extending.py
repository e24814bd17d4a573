"""docs/EXTENDING.md, followed to the letter on a copy of the library.

A whole file of the page stands under its path: "`path`:" alone on a line, then a block of code. A
change stands under "In `path`, before the line `line`:", or "instead of the line".
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from ssl_collapse.config.pretrain import PretrainSpec
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.provenance.code import code_digest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/EXTENDING.md").read_text("utf-8")
FILE = re.compile(r"^`(?P<path>[\w/.]+)`:\n\n```python\n(?P<code>.*?)^```$", re.M | re.S)
FILES = {match["path"]: match["code"] for match in FILE.finditer(PAGE)}
CHANGE = re.compile(
    r"^In `(?P<path>[^`]+)`, (?P<how>before|instead of) the line\s`(?P<line>[^`]+)`:\n\n"
    r"```python\n(?P<code>.*?)^```$",
    re.M | re.S,
)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose library is ours with the files and the changes of the page."""
    project = tmp_path_factory.mktemp("extended")
    passed_over = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "workflow", project / "workflow", ignore=passed_over)
    for path, code in FILES.items():
        file = project / path
        assert not file.exists(), f"{path} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, "utf-8")
    for change in CHANGE.finditer(PAGE):
        file, line = project / change["path"], f"{change['line']}\n"
        before = file.read_text("utf-8")
        assert before.count(f"\n{line}") == 1, f"{change['path']}: {line}"
        after = change["code"] + (line if change["how"] == "before" else "")
        file.write_text(before.replace(f"\n{line}", f"\n{after}"), "utf-8")
    return project


def python(project: Path, *arguments: str | Path) -> str:
    """Run Python in the project with its own library; returns what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(project / "workflow")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=project, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def written_runs() -> dict[str, Any]:
    """All runs of the page's blocks of YAML."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    return {name: run for block in blocks for name, run in yaml.safe_load(block)["runs"].items()}


def draw(project: Path, spec: str, summary: Path, output: Path) -> dict[str, bytes]:
    """Draw a figure; returns its files."""
    files = {kind: output / f"figure.{kind}" for kind in ("pdf", "png", "csv", "txt")}
    arguments = ["--name", "figure", "--spec", spec, "--summary", summary]
    for option, kind in (("output-pdf", "pdf"), ("output-png", "png"), ("output-csv", "csv")):
        arguments += [f"--{option}", files[kind]]
    script = project / "workflow/scripts/figure.py"
    python(project, script, *arguments, "--caption", files["txt"])
    return {kind: file.read_bytes() for kind, file in files.items()}


def modules(project: Path, side: str) -> list[str]:
    """The modules of all methods and backbones, as a stage that builds them is given them."""
    library = project / "workflow"
    files = sorted((library / "ssl_collapse" / side).glob("[mb]*/*.py"))
    return [".".join(file.relative_to(library).with_suffix("").parts) for file in files]


def test_what_the_page_adds_is_a_file_or_two_each_and_a_test():
    assert list(FILES) == [
        "workflow/ssl_collapse/config/methods/mymethod.py",
        "workflow/ssl_collapse/models/methods/mymethod.py",
        "tests/unit/models/test_mymethod.py",
        "workflow/ssl_collapse/config/backbones/mybackbone.py",
        "workflow/ssl_collapse/models/backbones/mybackbone.py",
        "tests/unit/models/test_mybackbone.py",
        "tests/unit/evaluation/test_first_share.py",
        "workflow/ssl_collapse/figures/myfigure.py",
        "tests/unit/figures/test_myfigure.py",
    ]
    changed = [change["path"].rpartition("/")[2] for change in CHANGE.finditer(PAGE)]
    assert changed == ["spectral.py", "figures.py", "figures.py"]


def test_the_tests_of_the_page_pass(extended: Path):
    shown = python(extended, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert "7 passed" in shown


def test_the_page_keeps_the_rules_of_the_project(extended: Path):
    config = ROOT / "pyproject.toml"
    files = [extended / path for path in FILES]
    files += {extended / change["path"] for change in CHANGE.finditer(PAGE)}
    python(extended, "-m", "ruff", "check", "--no-cache", "--config", config, *files)
    python(extended, "-m", "ruff", "format", "--no-cache", "--check", "--config", config, *files)


def test_the_new_method_trains_on_the_new_backbone(
    extended: Path, images: PackedImages, tmp_path: Path
):
    """Two epochs of three steps on twelve images, and the encoder that comes of it."""
    toy = {"epochs": 2, "batch_size": 4, "seed": 0, "crop": 8}
    normal = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    spec = canonical({**written_runs()["mine"], **toy, **normal})
    scripts = extended / "workflow/scripts"
    ordering = tmp_path / "ordering.npy"
    python(
        extended, "-c",
        "import sys, numpy; numpy.save(sys.argv[1], numpy.arange(12))", ordering,
    )  # fmt: skip
    arguments = ["--spec", spec, "--images", images.path, "--ordering", ordering]
    arguments += ["--state", tmp_path / "state", "--checkpoints", tmp_path / "checkpoints"]
    arguments += ["--training", tmp_path / "training.csv", "--device", "cpu"]
    python(extended, scripts / "pretrain.py", *arguments)
    training = pd.read_csv(tmp_path / "training.csv")
    assert training["epoch"].tolist() == [1, 2]
    # a cross entropy over 7 others: positive, and about log 7 = 1.9 where nothing is learned yet
    assert training["loss"].between(0, 5).all()

    encoder = tmp_path / "encoder.safetensors"
    arguments = ["--checkpoints", tmp_path / "checkpoints", "--output", encoder]
    python(extended, scripts / "export_checkpoint.py", "--spec", '{"epoch":2}', *arguments)
    rebuild = (
        "import sys, pathlib, torch\n"
        "from ssl_collapse.models.encoder_file import read_encoder\n"
        "encoder, about = read_encoder(pathlib.Path(sys.argv[1]))\n"
        "print(about['arch'], tuple(encoder(torch.zeros(3, 3, 8, 8)).shape))"
    )
    assert python(extended, "-c", rebuild, encoder).strip() == "mybackbone (3, 16)"


def test_the_new_figure_is_drawn_and_those_that_exist_keep_their_bytes(
    extended: Path, tmp_path: Path
):
    run = {"epoch": 2, "final": True, "schedule": "last", "start_run": None, "steps": 6}
    shares = {"share": [5.0, 5.0, 100.0, 100.0], "auc": [0.6, 0.7, 0.8, 0.9]}
    accuracy = {"knn_cosine_k20": [0.4, 0.3, 0.2, 0.1], "arch": "resnet18"}
    names = {"run": ["few", "few", "all", "all"], "seed": [0, 1, 0, 1]}
    summary = tmp_path / "summary.csv"
    pd.DataFrame({**names, **shares, **accuracy, **run}).to_csv(summary, index=False)

    new = draw(extended, '{"kind":"myfigure","runs":["few","all"]}', summary, tmp_path / "new")
    assert new["csv"].count(b"\n") == 1 + 4  # a header, and a line per training
    old = '{"kind":"shares","runs":["few","all"]}'
    before = draw(ROOT, old, summary, tmp_path / "before")
    assert draw(extended, old, summary, tmp_path / "after") == before


def test_the_new_measure_is_measured_and_may_be_shown(extended: Path, tmp_path: Path):
    x = np.array([[2.0, 1.0], [-2.0, 1.0], [2.0, -1.0], [-2.0, -1.0]])  # sigma in the ratio 2 : 1
    np.save(tmp_path / "x.npy", x)
    script = extended / "workflow/scripts/collapse.py"
    python(extended, script, tmp_path / "x.npy", "--json", tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["first_share"] == pytest.approx(0.8)  # 4 / (4 + 1)
    assert content["first_share_l2"] == pytest.approx(0.8)  # all rows are equally long
    shown = (
        "from ssl_collapse.evaluation.measures.registry import measure_columns\n"
        "print('first_share' in measure_columns())"
    )
    assert python(extended, "-c", shown).strip() == "True"


def test_only_the_stages_that_the_page_names_have_other_code(extended: Path):
    existing = (*modules(ROOT, "models"), *modules(ROOT, "figures"))
    assert "ssl_collapse.models.methods.simsiam" in existing
    others = []
    for script in sorted((ROOT / "workflow/scripts").glob("*.py")):
        copy = extended / "workflow/scripts" / script.name
        before = code_digest(script, ROOT / "workflow", existing)
        if code_digest(copy, extended / "workflow", existing) != before:
            others.append(script.stem)
    # those that measure, and what follows from them
    assert others == [
        "audit",
        "collapse",
        "figure",
        "import_spectrum",
        "report",
        "so_far",
        "summarize",
    ]
    new = ("ssl_collapse.models.methods.mymethod",)
    pretrain = extended / "workflow/scripts/pretrain.py"
    library = extended / "workflow"
    assert code_digest(pretrain, library, new) != code_digest(pretrain, library)


def test_runs_that_exist_are_read_as_before(extended: Path):
    # With a second method `name` tells them apart; the default is SimSiam all the same.
    recipe = '{"backbone": {"arch": "small_resnet"}, "seed": 0, "crop": 8,'
    recipe += ' "mean": [0, 0, 0], "std": [1, 1, 1]}'
    read = (
        "import sys\n"
        "from ssl_collapse.config.pretrain import PretrainSpec\n"
        "print(PretrainSpec.model_validate_json(sys.argv[1]).model_dump_json())"
    )
    expected = PretrainSpec.model_validate_json(recipe).model_dump_json()
    assert python(extended, "-c", read, recipe).strip() == expected
