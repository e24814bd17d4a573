"""docs/REFERENCE.md names every flag of the authors' programs."""

import re
from pathlib import Path

import pytest
from authors_code import Reference

PAGE = (Path(__file__).parents[2] / "docs/REFERENCE.md").read_text("utf-8")
SECTIONS = {  # program -> heading
    "main_simsiam.py": "Training",
    "main_moco.py": "Training",
    "distill.py": "Training",
    "main_lincls.py": "Linear probe",
    "save_reprs_clean.py": "Representations, k-NN, collapse",
    "compute_nn.py": "Representations, k-NN, collapse",
    "test_collapse.py": "Representations, k-NN, collapse",
}


@pytest.mark.parametrize("program", SECTIONS)
def test_every_flag_has_its_line(reference: Reference, program: str):
    section = PAGE.split(f"\n## {SECTIONS[program]}\n")[1].split("\n## ")[0]
    named = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", section))
    calls = re.findall(r"add_argument\(([^\n]*)", reference.file(program).read_text("utf-8"))
    flags = {flag for call in calls for flag in re.findall(r"'(--?[a-zA-Z][\w-]*)'", call)}
    assert flags and flags <= named, sorted(flags - named)
