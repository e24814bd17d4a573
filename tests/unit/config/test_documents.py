"""What README and docs/ name is there: config keys, results, pages and their sections."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssl_collapse.config.checkpoints import CheckpointRun
from ssl_collapse.config.files import FileRun
from ssl_collapse.config.paths import Paths
from ssl_collapse.config.reading.keys import below
from ssl_collapse.config.reading.schema import models

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
KEY = re.compile(r"`((?:datasets|runs|defaults|evaluation|figures|runtime)(?:\.\w[\w-]*)+)")


def is_key(path: str) -> bool:
    nodes = [models()]
    for key in re.sub(r"^defaults", "runs.any", path).split("."):
        nodes = list(below(nodes, key))
    return bool(nodes)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_key_that_is_named_is_one(document: Path):
    named = [key for key in KEY.findall(document.read_text("utf-8")) if not is_key(key)]
    library = ROOT / "workflow/ssl_collapse"  # a module may be meant
    assert [key for key in named if not (library / f"{key.replace('.', '/')}.py").exists()] == []


def test_keys_are_found_and_wrong_ones_are_seen():
    assert len(KEY.findall((ROOT / "README.md").read_text("utf-8"))) >= 4
    assert is_key("datasets.any.source.root") and is_key("defaults.backbone.width")
    assert not is_key("datasets.any.sourc") and not is_key("evaluation.knn.k")


def test_the_table_of_results_names_the_files_that_the_plan_knows():
    table = (ROOT / "README.md").read_text("utf-8").partition("| result under")[2]
    cells = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()[2:]]
    named = {name for cell in cells for name in re.findall(r"`(?:\S*/)?([\w.{},-]+)`", cell)}
    patterns = [pattern.replace("{layer}", "") for pattern in vars(Paths()).values()]
    known = {pattern.rpartition("/")[2] for pattern in patterns}
    as_written = {
        "{figure}.{kind}": "{name}.{pdf,png,csv,txt}", "{split}.h5": "{train,val}.h5",
        "ordering-seed{seed}.npy": "ordering-seed{k}.npy", "{probe}.json": "probe.json",
        "representations-{split}.h5": "representations-{train,val}.h5",
    }  # fmt: skip
    others = {"speed.csv", "epoch{e}.pt"}  # of the same job as training.csv, in checkpoints/
    assert named - {as_written.get(name, name) for name in known} <= others


def keys(config: dict[str, Any], above: str = "") -> Iterator[str]:
    """The path of every key of a part of a config."""
    for key, value in config.items():
        yield f"{above}{key}"
        if isinstance(value, dict) and not above.startswith("figures"):
            yield from keys(value, f"{above}{key}.")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_examples_of_configs_have_keys_that_are_there(document: Path):
    blocks = re.findall(r"^```yaml\n(.*?)^```$", document.read_text("utf-8"), re.M | re.S)
    written = [key for block in blocks for key in keys(yaml.safe_load(block))]
    new = {"runs.mine.backbone.depth"}  # of the backbone that EXTENDING.md adds
    for name in (*CheckpointRun.model_fields, *FileRun.model_fields):  # runs in place of a recipe
        new |= {key for key in written if re.match(rf"runs\.[\w-]+\.{name}\b", key)}
    assert [key for key in written if not is_key(key) and key not in new] == []


def anchors(document: Path) -> set[str]:
    """The names by which GitHub links to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(document: Path):
    links = re.findall(r"\]\((?!https?:)([^)\s#]*)(?:#([\w-]+))?\)", document.read_text("utf-8"))
    for path, anchor in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text("utf-8")
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in pages if f"({page}" not in index] == ["README.md"]
