# Has a self-supervised encoder collapsed, and why? From config.yaml to figures and a report.
#
#   snakemake --cores 8                                    the experiment of config.yaml
#   snakemake --cores 8 --configfile configs/smoke.yaml    another experiment
from snakemake.common.configfile import load_configfile
from snakemake.utils import min_version

min_version("9.24")


include: "rules/place.smk"


from engine.planning import checked_file

# A config with `runs` is an experiment of its own; one without is laid over config.yaml. Read here
# and not by `configfile:`, which Snakemake passes over in a module that is given its config.
if "runs" not in config:
    default = load_configfile(checked_file(workflow.source_path("config.yaml")))
    update_config(default, config)
    config = default


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/figures.smk"


rule all:
    """Every result: figures, tables, the report, and all that they are made from."""
    default_target: True
    input:
        RESULTS.everything(),


engage(workflow, rules, STAGES, RESULTS)
