"""The workflow as a module of another Snakefile, with that one's config and another prefix."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from equal_results import contents, differences
from snakemake_runs import ROOT, finish, planned, succeed, write_config
from toy import experiment

SOURCES = ("Snakefile", "config.yaml", "rules", "workflow", "envs")

pytestmark = pytest.mark.thorough

USER = """\
configfile: "config.yaml"


module collapse:
    snakefile: {snakefile}
    config: config["collapse"]
    prefix: "analysis"


use rule * from collapse as collapse_*


module second:
    snakefile: {snakefile}
    config: config["second"]
    prefix: "deep/er"


use rule * from second as second_*


rule mine:
    default_target: True
    input: rules.collapse_all.input
    output: "mine.txt"
    shell: "cat {{input[0]:q}} > {{output}}"


rule theirs:
    input: rules.second_all.input
"""


def write_user(folder: Path, snakefile: str, **changes: object) -> None:
    """A person's own workflow with two modules; the second is laid over our config.yaml."""
    both = {"collapse": experiment(defaults=changes), "second": {"runtime": {"log_every": 7}}}
    folder.mkdir(exist_ok=True)
    (folder / "Snakefile").write_text(USER.format(snakefile=snakefile))
    write_config(folder, both)


def run(folder: Path, *arguments: str) -> str:
    """Snakemake in a person's folder; what it prints."""
    return succeed(folder, "--cores", "2", *arguments, snakefile=folder / "Snakefile")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results without a module."""
    folder = tmp_path_factory.mktemp("plain")
    succeed(folder, "--cores", "2", config=write_config(folder, experiment()))
    return folder / "results"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a person whose workflow has run through."""
    folder = tmp_path_factory.mktemp("user")
    write_user(folder, f'"{ROOT}/Snakefile"')
    run(folder)
    return folder


def test_results_are_the_bytes_of_the_plain_run(plain: Path, user: Path):
    one, other = contents(plain), contents(user / "analysis/results")
    assert len(one) > 30  # with the figure, the report and all sidecars
    assert differences(other, one) == []


def test_nothing_is_written_outside_the_prefix(user: Path):
    names = {path.name for path in user.iterdir()}
    assert names == {"Snakefile", "config.yaml", ".snakemake", "analysis", "mine.txt"}
    assert {path.name for path in (user / "analysis").iterdir()} == {"results"}


def test_a_second_run_has_nothing_to_do(user: Path):
    assert "Nothing to be done" in run(user, "--dry-run")


def test_a_second_module_stands_beside_the_first(user: Path):
    jobs = planned(run(user, "--dry-run", "theirs", "mine"))
    assert not [job for job in jobs if job.rule.startswith("collapse_")], "these are made already"
    # the default experiment: iid, current, accumulate, two shares, hybrid, four seeds each
    assert sum(job.rule == "second_pretrain" for job in jobs) == 24
    assert all(path.startswith("deep/er/results/") for job in jobs for path in job.outputs)


@pytest.fixture
def on_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The workflow as `github(...)`, which git is told to find on this machine."""
    repository = tmp_path / "hosted/lab/collapse"
    repository.mkdir(parents=True)
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, repository / name)
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"], ["tag", "v1"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/hosted/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return 'github("lab/collapse", path="Snakefile", tag="v1")'


def test_copied_plain_results_are_taken_over_by_a_module_from_github(
    plain: Path, tmp_path: Path, on_github: str
):
    write_user(tmp_path / "user", on_github)
    results = tmp_path / "user/analysis/results"
    shutil.copytree(plain, results, copy_function=shutil.copyfile)
    (results / "report.html").unlink()
    plan = run(tmp_path / "user", "collapse_all")
    assert "2 of 2 steps (100%) done" in plan  # the report and the target
    report = "report.html.provenance.json"
    assert contents(results)[report] == contents(plain)[report]


def say(name: str, folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of `why` or `verify` in a person's folder."""
    words = [sys.executable, str(ROOT / f"workflow/scripts/{name}.py"), *arguments]
    answer = finish(words, folder)
    return answer.returncode, answer.stdout.splitlines()


def test_why_names_key_and_values_of_both_modules(user: Path, tmp_path: Path):
    shutil.copytree(user, tmp_path / "copy")
    write_user(tmp_path / "copy", f'"{ROOT}/Snakefile"', base_lr=0.1)
    _, lines = say("why", tmp_path / "copy", "mine", "theirs")
    assert "analysis/results/runs/iid/seed0: base_lr 0.05 -> 0.1" in lines
    assert "deep/er/results/report.html: not there yet" in lines


def test_verify_names_a_damaged_result(user: Path, tmp_path: Path):
    shutil.copytree(user, tmp_path / "copy")
    summary = tmp_path / "copy/analysis/results/tables/summary.csv"
    summary.write_bytes(summary.read_bytes()[:-1])
    code, lines = say("verify", tmp_path / "copy")
    assert code == 2
    name = "analysis/results/tables/summary.csv"
    assert lines[0] == f"{name}: summary.csv was changed after it was made"
