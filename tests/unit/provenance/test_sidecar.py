"""What lies beside a result, and what is made of it where no record came along."""

from pathlib import Path

import pytest

from ssl_collapse.provenance.adopt import Expected, assess, existing_results
from ssl_collapse.provenance.sidecar import (
    Request,
    lineage,
    located,
    measure,
    named,
    path_of,
    read_sidecar,
    write_sidecars,
)
from ssl_collapse.provenance.verify import damaged_results


@pytest.fixture
def made(tmp_path: Path, monkeypatch) -> Path:
    """results/runs/a (made from nothing) and results/runs/b (made from a), with sidecars."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "stage.py"
    script.write_text("x = 1\n")
    for name, inputs in (("a", []), ("b", ["results/runs/a"])):
        path = Path("results/runs") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        request = Request(
            rule=name, spec="{}", code="c", plugins=[], inputs=inputs, outputs=[str(path)]
        )
        write_sidecars(request, script, tmp_path)
    return tmp_path


ABOVE = lineage("{}", "c", [])
B = Expected(lineage("{}", "c", [ABOVE]), 2)


def test_a_sidecar_says_what_the_result_was_made_from(made: Path):
    sidecar = read_sidecar(Path("results/runs/b"))
    assert sidecar is not None
    assert (sidecar.rule, sidecar.spec, sidecar.code, sidecar.bytes) == ("b", "{}", "c", 1)
    assert sidecar.inputs == {"results/runs/a": measure(Path("results/runs/a"))[1]}
    assert list(sidecar.modules) == ["stage (script)"]


def test_equal_results_have_equal_sidecars(made: Path):
    before = path_of(Path("results/runs/a")).read_bytes()
    request = Request(
        rule="a", spec="{}", code="c", plugins=[], inputs=[], outputs=["results/runs/a"]
    )
    write_sidecars(request, made / "stage.py", made)
    assert path_of(Path("results/runs/a")).read_bytes() == before


def test_sidecars_are_the_same_wherever_the_folder_of_results_lies(made: Path):
    before = path_of(Path("results/runs/b")).read_bytes()
    Path("analysis").mkdir()
    Path("results").rename("analysis/results")
    assert assess("analysis/results/runs/b", B, "analysis/results").stale is None
    request = Request(
        rule="b",
        spec="{}",
        code="c",
        plugins=[],
        inputs=["analysis/results/runs/a"],
        outputs=["analysis/results/runs/b"],
        results="analysis/results",
    )
    write_sidecars(request, made / "stage.py", made)
    assert path_of(Path("analysis/results/runs/b")).read_bytes() == before


@pytest.mark.parametrize("results", ["results", "analysis/results", "/scratch/results"])
def test_a_result_has_one_name_in_every_place(results: str):
    assert named(f"{results}/runs/a", results) == "results/runs/a"
    assert located("results/runs/a", results) == f"{results}/runs/a"
    assert named("elsewhere/a", results) == located("elsewhere/a", results) == "elsewhere/a"


def test_a_result_that_fits_is_current(made: Path):
    assert assess("results/runs/b", B).stale is None


def test_a_result_of_another_recipe_is_stale_also_when_only_what_lies_above_differs(made: Path):
    other = Expected(lineage("{}", "c", [lineage('{"lr":1}', "c", [])]), 2)
    assert "another recipe" in str(assess("results/runs/b", other).stale)


def test_a_changed_a_truncated_and_a_bare_result_are_stale(made: Path):
    result = Path("results/runs/b")
    result.write_text("c")
    assert "changed after it was made" in str(assess("results/runs/b", B).stale)
    result.write_text("")
    assert "changed after it was made" in str(assess("results/runs/b", B).stale)
    path_of(result).unlink()
    assert "b.provenance.json" in str(assess("results/runs/b", B).stale)


def test_a_result_made_from_another_input_is_stale(made: Path):
    sidecar = path_of(Path("results/runs/a"))
    sidecar.write_text(sidecar.read_text().replace('"sha256": "', '"sha256": "0'))
    assert "made from another results/runs/a" in str(assess("results/runs/b", B).stale)


def test_verify_names_what_is_not_as_written(made: Path):
    assert list(damaged_results(Path("results"))) == []
    Path("results/runs/b").write_text("")
    assert list(damaged_results(Path("results"))) == [
        ("results/runs/b", "has 0 bytes where 1 were written")
    ]


def test_folders_of_results_count_as_one(made: Path):
    checkpoints = Path("results/runs/checkpoints")
    checkpoints.mkdir()
    (checkpoints / "epoch0001.pt").write_text("weights")
    size, before = measure(checkpoints)
    assert size == 7
    assert "results/runs/checkpoints" in list(existing_results(Path("results")))
    (checkpoints / "epoch0001.pt").rename(checkpoints / "epoch0002.pt")
    assert measure(checkpoints)[1] != before
