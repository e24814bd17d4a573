"""The wall, tried with edits of every module in a copy of the library: who must run again?

What carries changes no stage's `code`. What decides changes that of exactly the stages that load
it, which Python itself is asked (`loaded_modules`). Nothing is run: digests are compared.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
import toy
from expected_jobs import ALL
from loaded_modules import loaded_modules

from engine.stage import REPORT_PAGES
from ssl_collapse.config.families import all_backbone_modules
from ssl_collapse.config.figures import Figure
from ssl_collapse.plan.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.code import carries, code_digest

WORKFLOW = Path(__file__).parents[3] / "workflow"
BACKBONES = {
    "small": {"backbone": toy.MODEL["backbone"]},
    "large": {"backbone": {"arch": "resnet18"}},
    "vit": {"backbone": {"arch": "vit_small", "depth": 1}},
    "timm": {"backbone": {"arch": "timm:resnet18"}},
}
METHODS = {
    path.stem: {"method": {"name": path.stem}, "warmup_epochs": 0}
    for path in sorted((WORKFLOW / "ssl_collapse/config/methods").glob("*.py"))
    if path.stem not in ("__init__", "simsiam")
}
# a teacher of another family than the student
METHODS["distillation"]["method"]["teacher"] = {"run": "small", "epoch": 1}
METHODS["distillation"] |= BACKBONES["large"]
RUNS = {**BACKBONES, **METHODS}
PLAN = Plan(
    load_experiment(
        toy.experiment(runs=RUNS, figures={"spectra": {"kind": "spectra", "runs": ["small"]}})
    )
)
NO_STAGES = ("estimate", "fetch", "prune", "so_far", "verify", "watch", "why")
KINDS = [get_args(f.model_fields["kind"].annotation)[0] for f in get_args(get_args(Figure)[0])]
WITH_MODEL = {  # stage -> the modules that it imports by computed name
    "pretrain": PLAN.model_modules,
    "export_checkpoint": PLAN.model_modules,
    "export_projector": PLAN.model_modules,
    "represent": PLAN.backbone_modules,
    "view_measures": PLAN.backbone_modules,
    "probe": PLAN.backbone_modules,
}

Digests = dict[str, str]


def variants() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Every stage, once per run where it builds a model: name -> (script, plugins)."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for path in sorted((WORKFLOW / "scripts").glob("*.py")):
        stage = path.stem
        if stage in WITH_MODEL:
            for run in RUNS if stage == "pretrain" else BACKBONES:
                found[f"{stage} {run}"] = (stage, WITH_MODEL[stage](run))
        elif stage == "import_encoder":  # a file may hold any backbone
            found[stage] = (stage, all_backbone_modules())
        elif stage == "figure":
            for kind in KINDS:
                found[f"{stage} {kind}"] = (stage, (f"ssl_collapse.figures.{kind}",))
        elif stage not in NO_STAGES:
            found[stage] = (stage, REPORT_PAGES if stage == "report" else ())
    return found


VARIANTS = variants()


def digests(workflow: Path) -> Digests:
    """The `code` of every stage, of the library and scripts in a folder."""
    code_digest.cache_clear()
    return {
        name: code_digest(workflow / "scripts" / f"{script}.py", workflow, plugins)
        for name, (script, plugins) in VARIANTS.items()
    }


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {name for name in VARIANTS if one[name] != other[name]}


def name_of(path: Path, workflow: Path) -> str:
    """The dotted name of a module of the library."""
    parts = path.relative_to(workflow).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path, WORKFLOW): path.relative_to(WORKFLOW).as_posix()
    for path in sorted((WORKFLOW / "ssl_collapse").rglob("*.py"))
}
CARRYING = {name: path for name, path in MODULES.items() if carries(name)}
DECIDING = {name: path for name, path in MODULES.items() if not carries(name)}
SCRIPTS = {name: f"scripts/{script}.py" for name, (script, _) in VARIANTS.items()}


@pytest.fixture(autouse=True)
def _no_memory_of_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the project's `.snakemake/`, in which digests of copies have no place."""
    monkeypatch.chdir(tmp_path)


def copy_of_workflow(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    return shutil.copytree(WORKFLOW, folder / "workflow", ignore=ignored)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for all edits that leave it as it was."""
    return copy_of_workflow(tmp_path_factory.mktemp("wall"))


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A copy of one's own, where files may come and go."""
    return copy_of_workflow(tmp_path)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Stage -> the modules that it loads, as Python says."""
    teacher = toy.save_teacher(tmp_path_factory.mktemp("teacher") / "encoder.safetensors")
    recipes = {name: {**toy.RECIPE, **keys} for name, keys in RUNS.items()}
    stages = {}
    for name, (script, _) in VARIANTS.items():
        run, every = name.partition(" ")[2], script == "import_encoder"
        specs = [recipe for at, recipe in recipes.items() if every or at == run]
        specs += [f"ssl_collapse.figures.{run}"] * (script == "figure")
        inputs = {"teacher": str(teacher)} if name == "pretrain distillation" else {}
        with_method = script in ("pretrain", "export_checkpoint", "export_projector")
        stages[name] = (script, specs, inputs if with_method else None)
    return loaded_modules(WORKFLOW, stages)


# --- edits ---------------------------------------------------------------------------------------
def other_message(text: str) -> str:
    """Another word in the first text that stands in a call or a raise, if there is one."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    part.value += " (edited)"
                    return ast.unparse(tree)
    return text


def new_constant(text: str) -> str:
    return f"{text}\nEDITED = True\n"


def everything(text: str) -> str:
    """A message, a constant and a function."""
    return (
        f"{new_constant(other_message(text))}\n\ndef edited(x: int = 1) -> int:\n    return x + 1\n"
    )


@contextmanager
def edited(path: Path, change: Callable[[str], str]) -> Iterator[None]:
    """The file as `change` makes it, for a while."""
    before = path.read_text("utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, "utf-8")
    try:
        yield
    finally:
        path.write_text(before, "utf-8")


@pytest.fixture(scope="session")
def unedited(shared: Path) -> Digests:
    return digests(shared)


@pytest.mark.parametrize("module", CARRYING)
def test_an_edit_of_what_carries_changes_no_code(shared: Path, unedited: Digests, module: str):
    with edited(shared / CARRYING[module], everything):
        assert differing(digests(shared), unedited) == set()


@pytest.mark.parametrize("module", DECIDING)
def test_an_edit_of_what_decides_changes_the_code_of_the_stages_that_load_it(
    shared: Path, unedited: Digests, loaded: dict[str, set[str]], module: str
):
    users = {stage for stage, modules in loaded.items() if module in modules}
    assert users, f"no stage loads {module}"
    with edited(shared / DECIDING[module], new_constant):
        assert differing(digests(shared), unedited) == users


@pytest.mark.parametrize("stage", SCRIPTS)
def test_an_edit_of_a_script_changes_the_code_of_its_stage(
    shared: Path, unedited: Digests, stage: str
):
    same_script = {name for name in SCRIPTS if SCRIPTS[name] == SCRIPTS[stage]}
    with edited(shared / SCRIPTS[stage], new_constant):
        assert differing(digests(shared), unedited) == same_script


@pytest.mark.parametrize("page", REPORT_PAGES)
def test_an_edit_of_the_reports_page_changes_the_report(shared: Path, unedited: Digests, page: str):
    with edited(shared / page, lambda text: f"{text}<!-- edited -->\n"):
        assert differing(digests(shared), unedited) == {"report"}


def test_rooms_on_both_sides_were_edited():
    assert len(CARRYING) > 20 and len(DECIDING) > 40
    assert "ssl_collapse" in CARRYING  # its __init__ names the version


# --- what no edit is -----------------------------------------------------------------------------
def redocument(text: str) -> str:
    """Another docstring in every module, class and function."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node) is not None:
                node.body.pop(0)
            node.body.insert(0, ast.Expr(ast.Constant("Other words.")))
    return ast.unparse(ast.fix_missing_locations(tree))


def reorder_imports(text: str) -> str:
    """Neighbouring imports the other way round, in other line breaks and quotes."""
    blocks: list[list[str]] = [[]]
    for line in ast.unparse(ast.parse(text)).split("\n"):
        if not re.match(r"(import|from) ", line):
            blocks.append([line])
            blocks.append([])
        else:
            blocks[-1].insert(0, line)
    return "\n".join(line for block in blocks for line in block)


def test_words_and_formatting_everywhere_change_no_code(fresh: Path, unedited: Digests):
    for path in fresh.rglob("*.py"):
        text = redocument(reorder_imports(path.read_text("utf-8")))
        path.write_text(f"# a comment\n{text}\n# another comment\n", "utf-8")
    assert differing(digests(fresh), unedited) == set()


# --- maintenance, replayed -----------------------------------------------------------------------
def replace(workflow: Path, name: str, pattern: str, by: str) -> None:
    """Rewrite every place of a file that fits; there must be one."""
    path = workflow / "ssl_collapse" / name
    text, n = re.subn(pattern, by, path.read_text("utf-8"), flags=re.MULTILINE)
    assert n, f"{name} has nothing like {pattern}"
    path.write_text(text, "utf-8")


def moved_carrying_module(workflow: Path) -> None:
    """runtime/files.py, which nearly everything imports, becomes runtime/disk/writing.py."""
    library = workflow / "ssl_collapse"
    (library / "runtime/disk").mkdir()
    (library / "runtime/disk/__init__.py").write_text('"""Files. Carries."""\n')
    (library / "runtime/files.py").rename(library / "runtime/disk/writing.py")
    for path in workflow.rglob("*.py"):
        text = path.read_text("utf-8")
        moved = text.replace("ssl_collapse.runtime.files", "ssl_collapse.runtime.disk.writing")
        path.write_text(moved, "utf-8")


def new_run_key(workflow: Path) -> None:
    """An optional key of the recipe, which nothing that decides reads at its neutral value."""
    replace(
        workflow,
        "config/pretrain.py",
        "^    fix_pred_lr: bool = False",
        "    n_views: Annotated[int, Neutral(2)] = 2\n    fix_pred_lr: bool = False",
    )


def new_method(workflow: Path) -> None:
    library = workflow / "ssl_collapse"
    for room in ("config", "models"):
        text = (library / room / "methods/simsiam.py").read_text("utf-8")
        (library / room / "methods/other.py").write_text(text.replace("simsiam", "other"), "utf-8")


def new_measure(workflow: Path) -> None:
    with (workflow / "ssl_collapse/evaluation/measures/spectral.py").open("a") as file:
        file.write("\n\ndef largest(sigma: FloatArray) -> float:\n    return float(sigma[0])\n")


# what a commit changes, and the stages that it makes run
MAINTENANCE: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "a new version": (
        lambda w: replace(w, "__init__.py", r'__version__ = ".*"', '__version__ = "99.0.0"'),
        set(),
    ),
    "a message": (
        lambda w: replace(w, "runtime/command_line.py", '"failed"', '"the job failed"'),
        set(),
    ),
    "the patience of a lock": (
        lambda w: replace(w, "runtime/gpus.py", r"^PATIENCE = \S+", "PATIENCE = 5.0"),
        set(),
    ),
    "a moved carrying module": (moved_carrying_module, set()),
    "a new run key": (new_run_key, set()),
    "a new method": (new_method, set()),
    "a new measure": (
        new_measure,
        {"audit", "import_spectrum", "collapse", "summarize", "figure", "report"},
    ),
}


def with_what_follows(stages: set[str]) -> set[str]:
    """Stages, and all that are made from what they make; files of others are not in `ALL`."""
    ours = [stage for stage in stages if not stage.startswith(("import_", "audit"))]
    return stages | {job.split()[0] for stage in ours for job in ALL.below(f"{stage}*")}


@pytest.mark.parametrize("commit", MAINTENANCE)
def test_the_stages_that_a_typical_commit_makes_run(fresh: Path, unedited: Digests, commit: str):
    change, stages = MAINTENANCE[commit]
    change(fresh)
    changed = {name.split()[0] for name in differing(digests(fresh), unedited)}
    assert with_what_follows(changed) == stages


_SPECS = """
import sys
from golden_specs import canonical, specs_of
from pathlib import Path
print(canonical(specs_of(Path(sys.argv[1]))))
"""


def specs(workflow: Path, config: Path) -> dict[str, dict]:
    """Stage -> the specs of its jobs, as the library in a folder plans them."""
    path = os.pathsep.join(map(str, (workflow, Path(__file__).parents[1] / "plan")))
    told = subprocess.run(
        [sys.executable, "-c", _SPECS, config],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(told.stdout))


def test_a_new_run_key_changes_specs_only_where_it_is_set(fresh: Path, tmp_path: Path):
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(toy.experiment()))
    before = specs(fresh, config)
    new_run_key(fresh)
    assert specs(fresh, config) == before
    config.write_text(json.dumps(toy.experiment(runs={"iid": {"n_views": 4}})))
    after = specs(fresh, config)
    assert {stage for stage in before if after[stage] != before[stage]} == {"pretrain", "summarize"}
