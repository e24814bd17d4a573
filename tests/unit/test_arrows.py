"""The arrows between the rooms, read from the imports: which room may know which.

A room is a folder of the library, and `engine` and `scripts` beside it. DESIGN ("The rooms") draws
the arrows; here each room is listed with all rooms that it may import.
"""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from ssl_collapse.provenance.code import CARRIES

WORKFLOW = Path(__file__).parents[2] / "workflow"
LIBRARY = WORKFLOW / "ssl_collapse"

# What decides results takes values, errors and files from the other side, and its own lower rooms.
BASE = {"config", "runtime"}
IMAGES = {*BASE}
VIEWS = {*IMAGES, "images"}
MODELS = {*VIEWS, "views"}
TRAINING = REPRESENTATIONS = {*MODELS, "models"}  # beside each other
EVALUATION = {*MODELS, "models", "training", "representations"}
TABLES = {*EVALUATION, "evaluation"}
FIGURES = {*TABLES, "tables"}
SCIENCE = {*FIGURES, "figures"} - BASE
ARROWS = {
    "runtime": set[str](),
    "config": {"runtime"},
    "plan": {"config", "runtime", *SCIENCE},  # asks the schedule and the registries
    "provenance": {"config", "runtime", "plan"},
    "images": IMAGES,
    "views": VIEWS,
    "models": MODELS,
    "training": TRAINING,
    "representations": REPRESENTATIONS,
    "evaluation": EVALUATION,
    "tables": TABLES,
    "figures": FIGURES,
    "engine": {"plan", "provenance", "config", "runtime", *SCIENCE},
    "scripts": {"engine", "plan", "provenance", "config", "runtime", *SCIENCE},
}
ROOMS = sorted(ARROWS)
BESIDE = {"engine", "scripts"}  # they lie beside the library


def files_of(room: str) -> list[Path]:
    """The Python files of a room."""
    folder = WORKFLOW / room if room in BESIDE else LIBRARY / room
    return sorted(folder.rglob("*.py"))


def imported_modules(path: Path) -> Iterator[str]:
    """The dotted name of every import statement, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows_of(room: str) -> set[tuple[str, str]]:
    """(file, imported room) for every import of another room."""
    root = WORKFLOW if room in BESIDE else LIBRARY
    arrows = set()
    for path in files_of(room):
        for name in imported_modules(path):
            package, *inside = name.split(".")
            to = inside[0] if package == "ssl_collapse" else package
            if to in ARROWS and to != room:
                arrows.add((path.relative_to(root).as_posix(), to))
    return arrows


def test_every_folder_is_a_room():
    folders = {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    assert folders == set(ROOMS) - BESIDE


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str):
    assert sorted(arrow for arrow in arrows_of(room) if arrow[1] not in ARROWS[room]) == []


def test_the_allowed_arrows_make_no_circle():
    order = list(TopologicalSorter(ARROWS).static_order())  # raises CycleError
    assert order.index("runtime") < order.index("config") < order.index("plan")


def test_only_the_engine_knows_snakemake():
    for room in set(ROOMS) - {"engine"}:
        for path in files_of(room):
            names = {name.split(".")[0] for name in imported_modules(path)}
            assert "snakemake" not in names, path


@pytest.mark.parametrize("room", sorted(set(ROOMS) - BESIDE))
def test_a_room_says_on_which_side_of_the_wall_it_stands(room: str):
    says = ast.get_docstring(ast.parse((LIBRARY / room / "__init__.py").read_text("utf-8")))
    assert says is not None
    side = "Carries." if room in CARRIES else "Decides results."
    assert says.splitlines()[0].endswith(side)


def test_the_rooms_that_carry_are_rooms():
    assert set(CARRIES) == set(ROOMS) - SCIENCE - BESIDE
