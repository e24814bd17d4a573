"""Whatever a config says, there is a plan, or one message: never another error, and soon."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import yaml
from golden_specs import CONFIGS, specs_of_plan
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ssl_collapse.plan.cautions import cautions
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.runtime.errors import UserError

VALID = [yaml.safe_load(config.read_text("utf-8")) for config in CONFIGS]
WORDS = [
    *("", " ", "0", "-1", "1e3", "true", "null", "a" * 80, "x.log", "images", "last", "iid"),
    *("shares", "textures", "resnet18", "simsiam", "full", "cached", "knn_cosine_k200", "auc_low"),
    *("../x", "~nosuchuser/x", "/dev/zero", "/dev/null", "a\0b", "\ud800", "ä€𝄞", "{x}", "$(x)"),
    *("kind", "arch", "name", "start", "run", "epoch", "runs", "defaults", "sweeps", "share"),
    *("representations", "spectrum", "targets", "folder", "files", "train", "val"),
    *("checkpoint", "backbone", "preprocessing", "timm:resnet18", "timm:", "**/[", "vit_small"),
    *("n" * 300, "d" * 140_000),
]
NUMBERS = [
    *(0, -1, 1, 2, 3, 4, 8, 10, 16, 20, 50, 64, 100),
    *(10**5, 10**6, 2**31, 2**63, 10**12, 10**30),
]
FLOATS = [0.0, -0.0, 0.1, 0.5, 1.0, 1e-320, 1e308, float("nan"), float("inf")]
SCALARS = st.sampled_from([None, True, False, *NUMBERS, *FLOATS, *WORDS])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*WORDS, 1, None, True]), inner, max_size=3)
    ),
    max_leaves=5,
)
Place = tuple[Any, ...]


def places(node: Any, above: Place = ()) -> Iterator[Place]:
    """The paths of all keys and list items."""
    items = enumerate(node) if isinstance(node, list) else getattr(node, "items", tuple)()
    for key, value in items:
        yield (*above, key)
        yield from places(value, (*above, key))


def inside(config: Any, place: Place) -> Any:
    for key in place:
        config = config[key]
    return config


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A shipped config with one to three of its values replaced, copied, renamed or taken out."""
    config = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(config))
        if not known:
            break
        *above, key = draw(st.sampled_from(known))
        parent = inside(config, tuple(above))
        match draw(st.sampled_from(["replace", "copy", "sweep", "remove", "rename", "add"])):
            case "replace":
                parent[key] = draw(VALUES)
            case "copy":
                parent[key] = copy.deepcopy(inside(config, draw(st.sampled_from(known))))
            case "sweep":
                parent[key] = [parent[key], draw(VALUES), *draw(st.lists(SCALARS, max_size=8))]
            case "remove":
                del parent[key]
            case "rename" if isinstance(parent, dict):
                parent[draw(st.sampled_from([*WORDS, 1, None]))] = parent.pop(key)
            case "add" if isinstance(parent, dict):
                parent[draw(st.sampled_from(WORDS))] = draw(VALUES)
    return config


@given(mutated())
@settings(
    max_examples=300,
    derandomize=True,  # the same examples every time
    database=None,
    deadline=None,  # measured below, for the whole of an example
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
def test_a_plan_or_one_message(config: Any):
    start = time.process_time()
    try:
        experiment = load_experiment(config)
        plan = Plan(experiment)
        for stage, jobs in specs_of_plan(plan).items():
            for spec in jobs.values():
                assert canonical(spec).encode(), stage
        for caution in cautions(experiment, cores=2, gpus=0):
            assert len(str(caution)) < 5000
    except UserError as error:
        message = str(error)
        assert message.strip()
        assert max(map(len, message.splitlines())) < 5000
    assert time.process_time() - start < 10
