"""Reasons in the user's words."""

from ssl_collapse.provenance.why import planned_jobs, spec_changes

DRY_RUN = """\
rule pretrain:
    input: results/data/t/train.h5
    output: results/runs/a/seed0/training.csv, results/runs/a/seed0/checkpoints
    reason: Params have changed since last execution
    wildcards: run=a, seed=0
Shell command: env PYTHONPATH=w python w/scripts/pretrain.py --provenance '{}' --spec '{}'

localrule collapse_all:
    input: results/report.html
    reason: Input files updated by another job: results/report.html

Job stats:
"""


def test_jobs_are_read_from_a_dry_run():
    (job,) = planned_jobs(DRY_RUN)
    assert (job.rule, job.reason) == ("pretrain", "Params have changed since last execution")
    assert job.script().name == "pretrain.py"


def test_each_differing_key_is_named_with_both_values():
    before = '{"base_lr":0.05,"backbone":{"width":8},"epochs":10}'
    now = '{"base_lr":0.1,"backbone":{"width":16},"epochs":10}'
    assert list(spec_changes(before, now)) == ["backbone.width 8 -> 16", "base_lr 0.05 -> 0.1"]


def test_keys_that_come_and_go_are_named():
    before, now = '{"epochs":1,"share":20.0}', '{"epochs":1}'
    assert list(spec_changes(before, now)) == ["share 20.0 -> (none)"]


def test_rows_are_known_by_run_seed_and_epoch():
    row = '[{"run":"a","seed":0,"epoch":4,"final":%s}]'
    assert list(spec_changes(row % "true", row % "false")) == [
        "a/seed0/epoch0004.final true -> false"
    ]
