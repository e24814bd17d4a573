"""The config keys and the results that README and docs/ name are there."""

import re
from pathlib import Path

import pytest

from ssl_collapse.config.reading.keys import below
from ssl_collapse.config.reading.schema import models
from ssl_collapse.plan.paths import Paths

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
KEY = re.compile(r"`((?:datasets|runs|defaults|evaluation|figures|runtime)(?:\.\w[\w-]*)+)")


def is_key(path: str) -> bool:
    nodes = [models()]
    for key in re.sub(r"^defaults", "runs.any", path).split("."):
        nodes = list(below(nodes, key))
    return bool(nodes)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_key_that_is_named_is_one(document: Path):
    named = [key for key in KEY.findall(document.read_text("utf-8")) if not is_key(key)]
    library = ROOT / "workflow/ssl_collapse"  # a module may be meant
    assert [key for key in named if not (library / f"{key.replace('.', '/')}.py").exists()] == []


def test_keys_are_found_and_wrong_ones_are_seen():
    assert len(KEY.findall(DOCUMENTS[0].read_text("utf-8"))) >= 5
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
