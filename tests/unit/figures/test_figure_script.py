"""workflow/scripts/figure.py and report.py: the files they write, twice the same bytes."""

from pathlib import Path

import pandas as pd
import pytest
from commands import Run, run_here

SPEC = '{"kind": "shares", "runs": ["s1", "s<100>"]}'


def draw(folder: Path, summary: Path, spec: str = SPEC) -> Run:
    pdf, png, csv, txt = (folder / f"shares.{suffix}" for suffix in ("pdf", "png", "csv", "txt"))
    return run_here(
        "figure", "--name", "shares", "--spec", spec, "--summary", summary, "--output-pdf", pdf,
        "--output-png", png, "--output-csv", csv, "--caption", txt,
    )  # fmt: skip


@pytest.fixture
def summary(run_rows, tmp_path: Path) -> Path:
    path = tmp_path / "results/tables/summary.csv"
    path.parent.mkdir(parents=True)
    small = run_rows("s1", share=1.0, auc=[0.70, 0.71], loss=[-0.8, -0.9], diverged=[False, True])
    large = run_rows("s<100>", auc=[0.80, 0.81])
    pd.concat([small, large]).to_csv(path, index=False)
    return path


def test_drawn_twice_every_file_has_the_same_bytes(summary: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert draw(tmp_path / name, summary).returncode == 0
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == ["shares.csv", "shares.pdf", "shares.png", "shares.txt"]
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    assert (tmp_path / "first/shares.pdf").read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in (tmp_path / "first/shares.pdf").read_bytes()


def test_a_wrong_spec_is_one_message_and_leaves_no_file(summary: Path, tmp_path: Path) -> None:
    missing = draw(tmp_path / "out", summary, SPEC.replace("s1", "gone"))
    assert missing.returncode == 2
    assert "figure shares: the summary has no row of run 'gone'" in missing.stderr
    assert draw(tmp_path / "out", summary, '{"kind": "pie"}').returncode == 2
    assert not (tmp_path / "out").exists()


def test_the_report_is_one_page_that_needs_no_other_file(summary: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    draw(results / "figures", summary)
    dataset = results / "dataset.json"
    dataset.write_text(
        '{"dataset": "toy", "classes": ["a", "b", "c", "d"], "splits": {'
        '"train": {"images": 1000, "per_class": {"a": 1000}},'
        '"val": {"images": 10, "per_class": {"a": 7, "b": 1, "c": 1, "d": 1}}}}'
    )
    spec = '{"title": "T & co", "description": "One.\\n\\nTwo.", "runs": ["s1", "s<100>"]}'
    png = results / "figures/shares.png"
    pages = []
    for name in ("report.html", "again.html"):
        done = run_here(
            "report", "--spec", spec, "--summary", summary, "--figures", png,
            "--datasets", dataset, "--output", results / name,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        pages.append((results / name).read_text())
    page = pages[0]
    assert pages[1] == page
    assert "<h1>T &amp; co</h1>" in page and "<p>Two.</p>" in page
    assert "s&lt;100&gt;" in page and "s<100>" not in page
    assert 'src="data:image/png;base64,' in page and "://" not in page
    assert 'href="figures/shares.pdf"' in page and 'href="tables/summary.csv"' in page
    assert "Chance is 25 %" in page and "the largest class scores 70 %" in page
    # two seeds, -0.8 and -0.9: half width 12.7062 x 0.05
    assert "-0.850 ± 0.635" in page
    assert "2, diverged: seed 1" in page
    assert str(tmp_path) not in page


def test_a_figure_without_caption_is_named(summary: Path, tmp_path: Path) -> None:
    (tmp_path / "lonely.png").write_bytes(b"png")
    done = run_here(
        "report", "--spec", '{"title": "T", "runs": ["s1"]}', "--summary", summary,
        "--figures", tmp_path / "lonely.png", "--output", tmp_path / "report.html",
    )  # fmt: skip
    assert done.returncode == 2 and "lonely.txt" in done.stderr
    assert not (tmp_path / "report.html").exists()
