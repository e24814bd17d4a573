"""The folder of results has any name, in a module too; no result is made from it."""

from pathlib import Path

from pretend import pretend
from snakemake_runs import planned, snakemake, succeed, write_config
from toy import experiment

OTHERS = "is there with another recipe and will be made again, e.g. runs/iid/seed0: "


def finished(folder: Path, **sections: object) -> Path:
    """A finished experiment that nobody computed; its config."""
    config = write_config(folder, experiment(**sections))
    pretend(folder, planned(succeed(folder, "-n", config=config)))
    return config


def test_results_lie_in_that_folder_and_may_be_moved(tmp_path: Path):
    finished(tmp_path, results="all/first")
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "all", ".snakemake"}
    (tmp_path / "all/first").rename(tmp_path / "results")
    moved = write_config(tmp_path, experiment())
    assert "Nothing to be done" in succeed(tmp_path, "-n", config=moved)


def test_another_experiment_in_the_same_folder_is_announced_and_so_is_a_slip(tmp_path: Path):
    finished(tmp_path)
    other = write_config(tmp_path, experiment(defaults={"base_lr": 0.1}))
    said = OTHERS + "base_lr 0.05 -> 0.1; `results: FOLDER` in the config keeps both"
    # nobody asks for a verdict on the training where what it is made from is made first
    (tmp_path / "results/data/textures/train.h5").unlink()
    assert succeed(tmp_path, "-n", config=other).count(said) == 1
    keys = {"base_lr": 0.1, "checkpoint_every": 7}
    printed = succeed(
        tmp_path, "-n", config=write_config(tmp_path, experiment(defaults=keys, results="other"))
    )
    slip = "warning: runs.iid.checkpoint_every: 7 exceeds epochs 1: the last epoch alone has one"
    assert OTHERS not in printed and printed.count(slip) == 1


def test_a_file_in_its_place_is_named(tmp_path: Path):
    config = write_config(tmp_path, experiment())
    (tmp_path / "results").touch()
    run = snakemake(tmp_path, "--cores", "1", config=config)
    assert run.returncode == 2
    *_, last = run.stdout.splitlines()
    assert last.startswith("error: results: is no folder, and results are to lie in results;")


def test_a_module_may_be_laid_into_a_folder_called_runs(tmp_path: Path):
    ours = Path(__file__).parents[2] / "Snakefile"
    (tmp_path / "theirs").write_text(
        f"""
configfile: "config.yaml"
module ours:
    snakefile: "{ours}"
    config: config
    prefix: "runs"
use rule * from ours as ours_*
rule mine:
    default_target: True
    input: rules.ours_all.input
"""
    )
    write_config(tmp_path, experiment(results="runs", evaluation={"probe": {"mode": "full"}}))
    snakefile = str(tmp_path / "theirs")
    jobs = planned(succeed(tmp_path, "-np", "--snakefile", snakefile))
    paths = [path for job in jobs for path in (*job.outputs, *job.request.inputs)]
    assert len(jobs) == 15 and all(path.startswith("runs/runs/") for path in paths)
    assert {job.request.results for job in jobs} == {"runs/runs"}
    pretend(tmp_path, jobs)
    assert "Nothing to be done" in succeed(tmp_path, "-np", "--snakefile", snakefile)
