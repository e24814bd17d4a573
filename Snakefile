# Has a self-supervised encoder collapsed, and why? From config.yaml to figures and a report.
#
#   snakemake --cores 8                                    the experiment of config.yaml
#   snakemake --cores 8 --configfile configs/smoke.yaml    another experiment
from snakemake.common.configfile import load_configfile
from snakemake.utils import min_version

min_version("9.0")

# A config with `runs` is an experiment of its own; one without is laid over config.yaml. Read here
# and not by `configfile:`, which Snakemake passes over in a module that is given its config.
if "runs" not in config:
    default = load_configfile(workflow.source_path("config.yaml"))
    update_config(default, config)
    config = default


include: "rules/place.smk"
include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/figures.smk"


rule all:
    """Figures, tables and the report."""
    default_target: True
    input:
        "results/tables/summary.csv",
        "results/report.html",
        figure_files(),


rule verify:
    """Read every image and result again, and name what is not as recorded."""
    log:
        "results/logs/verify.log",
    conda:
        "envs/environment.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(12 * 60),
    params:
        command=command("verify", folders=USERS_FOLDERS, results=RESULTS),
    shell:
        "{params.command} --log {log:q}"


include: "rules/takeover.smk"
