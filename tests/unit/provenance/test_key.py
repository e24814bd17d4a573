"""What a key in the store is made from, and what is no part of it."""

import json
from pathlib import Path

import pytest

from ssl_collapse.provenance.key import Input, digest_of, ingredients, lineage
from ssl_collapse.provenance.sidecar import Request

REQUEST = Request(
    rule="pretrain",
    code="c",
    plugins=[],
    inputs=["results/data/d/train.h5", "results/data/d/ordering-seed0.npy"],
    outputs=["results/runs/a/seed0/training.csv", "results/runs/a/seed0/checkpoints"],
    roles=["images", "ordering"],
    parts=["training", "checkpoints"],
    store="results/store",
)
READ = [Input("1", "pack", Path("train.h5")), Input("2", "ordering", Path("o.npy"))]


def key(spec: str = "{}", read: list[Input] = READ, **changes: object) -> str:
    return digest_of(ingredients(REQUEST.model_copy(update=changes), spec, read))


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": ["elsewhere/x.h5", "y.npy"], "outputs": ["b.csv", "b"], "results": "b"},
        {"store": "/lab/store", "everyone": True},
        {"plugins": ["a module, whose code is in `code`"]},
    ],
)
def test_no_path_is_part_of_it(changes: dict[str, object]):
    assert key(**changes) == key()


def test_everything_else_is():
    read = [Input("2", "pack", Path("train.h5")), Input("1", "ordering", Path("o.npy"))]
    keys = [
        key(),
        key(rule="probe"),
        key(code="d"),
        key('{"lr": 1}'),
        key(label="val"),
        key(roles=["ordering", "images"]),
        key(parts=["training"]),
        key(read=read),
    ]
    assert len(set(keys)) == len(keys)


def description(folder: Path, name: str, fingerprint: str) -> Input:
    """dataset.json: its bytes differ with the name."""
    file = folder / f"{name}-{fingerprint}.json"
    file.write_text(json.dumps({"dataset": name, "fingerprint": fingerprint}))
    return Input(file.stem, "dataset", file)


def test_the_name_of_a_dataset(tmp_path: Path):
    mine, yours = description(tmp_path, "mine", "f"), description(tmp_path, "yours", "f")
    other = description(tmp_path, "mine", "g")
    reads_one = {"roles": [""], "parts": [""]}
    # an ordering does not hold it, packed images and the report do
    assert key(rule="ordering", read=[mine], **reads_one) == key(
        rule="ordering", read=[yours], **reads_one
    )
    for stage, read in (("pack", yours), ("report", yours), ("ordering", other)):
        one = key(rule=stage, read=[mine], **reads_one)
        assert one != key(rule=stage, read=[read], **reads_one)
    # by lineage packed images are known without it
    pack = REQUEST.model_copy(update={"rule": "pack", **reads_one})
    of_mine, of_yours, of_other = (lineage(pack, "{}", [read]) for read in (mine, yours, other))
    assert of_mine == of_yours != of_other
    val = pack.model_copy(update={"label": "val"})
    assert len({of_mine, lineage(pack, '{"side": 8}', [mine]), lineage(val, "{}", [mine])}) == 3


def test_packed_images_by_lineage():
    renamed = [Input("9", "pack", Path("train.h5")), READ[1]]
    one = ingredients(REQUEST, "{}", READ, {"1": "lineage"})
    assert one == ingredients(REQUEST, "{}", renamed, {"9": "lineage"})
    assert digest_of(one) != key()
