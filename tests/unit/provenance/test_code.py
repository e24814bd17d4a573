"""What counts as a change of a stage's code, on a package of four modules.

scripts/stage.py -> pkg.a -> pkg.b        pkg.c is imported by nobody
"""

from pathlib import Path

import pytest

from ssl_collapse.provenance import code
from ssl_collapse.provenance.code import code_digest

STAGE = """\
import sys
from pkg import a


def main(n=1):
    \"\"\"Run.\"\"\"
    return a.helper(n) + LIMIT


LIMIT = 10
"""
A = "from pkg.b import constant\n\n\ndef helper(n):\n    return n * constant\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "scripts/stage.py": STAGE,
        "pkg/__init__.py": "",
        "pkg/a.py": A,
        "pkg/b.py": "constant = 3\n",
        "pkg/c.py": "other = 1\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def digest(tree: Path, *plugins: str) -> str:
    code.forget()
    return code_digest(tree / "scripts/stage.py", tree, plugins)


def edit(tree: Path, name: str, old: str, new: str) -> None:
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("scripts/stage.py", "LIMIT = 10", "# ten\nLIMIT = 10  # yes"),
        ("scripts/stage.py", '"""Run."""', '"""Run it."""'),
        ("scripts/stage.py", '    """Run."""\n', ""),
        ("scripts/stage.py", "a.helper(n) + LIMIT", "(\n        a.helper( n )+LIMIT\n    )"),
        ("scripts/stage.py", "LIMIT = 10", "LIMIT = 1_0"),
        ("scripts/stage.py", "import sys\nfrom pkg import a", "from pkg import a\nimport sys"),
        ("pkg/__init__.py", "", '"""A package."""'),
        ("pkg/c.py", "other = 1", "other = 2"),
    ],
)
def test_what_does_not_count(tree: Path, name: str, old: str, new: str):
    before = digest(tree)
    edit(tree, name, old, new)
    assert digest(tree) == before


LATE = ("    return n", "    from pkg import c\n    return c.other + n")
RELATIVE = ("from pkg.b import", "from .b import")


@pytest.mark.parametrize(
    ("name", "old", "new", "imports", "plugins"),
    [
        ("scripts/stage.py", "n=1", "n=2", None, ()),
        ("scripts/stage.py", "LIMIT = 10", "LIMIT = 11", None, ()),
        ("scripts/stage.py", "import sys", "import os", None, ()),
        ("pkg/a.py", "n * constant", "n + constant", None, ()),
        ("pkg/b.py", "constant = 3", "constant = 4", None, ()),
        ("pkg/b.py", "constant = 3", "constant = 3.0", None, ()),
        ("pkg/b.py", "constant = 3", "constant = 4", RELATIVE, ()),
        ("pkg/c.py", "other = 1", "other = 2", LATE, ()),  # imported inside a function
        ("pkg/c.py", "other = 1", "other = 2", None, ("pkg.c",)),  # which no import names
    ],
)
def test_what_counts(tree: Path, name: str, old: str, new: str, imports, plugins: tuple[str, ...]):
    if imports:
        edit(tree, "pkg/a.py", *imports)
    before = digest(tree, *plugins)
    edit(tree, name, old, new)
    assert digest(tree, *plugins) != before


def test_package_files_count_byte_by_byte(tree: Path):
    (tree / "pkg/page.html").write_text("<p>")
    before = digest(tree, "pkg/page.html")
    (tree / "pkg/page.html").write_text("<p >")
    assert digest(tree, "pkg/page.html") != before


def test_the_digest_does_not_depend_on_where_the_tree_lies(tree: Path, tmp_path: Path):
    before = digest(tree)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for part in ("scripts", "pkg"):
        (tree / part).rename(moved / part)
    assert digest(moved) == before
