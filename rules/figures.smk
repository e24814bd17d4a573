# Tables, figures and the report.
#
# requires: collapse.json, knn.json, training.csv (and probe.json) of every analysed epoch
# produces: results/tables/summary.csv, results/figures/{figure}.{pdf,png,csv,txt}, report.html


rule summarize:
    """One tidy row per run, seed and analysed epoch."""
    input:
        INPUTS.summarized(),
    output:
        PATHS.summary,
    log:
        f"{PATHS.logs}/summarize.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        spec=STAGES.spec("summarize"),
        code=STAGES.code("summarize"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "summarize", results=RESULTS_FOLDER, spec=STAGES.long_spec("summarize")
        ),
    shell:
        "{params.scripts}/summarize.py --output {output:q} --log {log:q} {params.runtime}"


rule figure:
    """Draw one figure: PDF, PNG, the plotted numbers and the caption."""
    input:
        summary=PATHS.summary,
        spectra=INPUTS.spectra,
        trainings=INPUTS.trainings,
    output:
        pdf=fill(PATHS.figure, figure="{figure}", kind="pdf"),
        png=fill(PATHS.figure, figure="{figure}", kind="png"),
        csv=fill(PATHS.figure, figure="{figure}", kind="csv"),
        caption=fill(PATHS.figure, figure="{figure}", kind="txt"),
    log:
        f"{PATHS.logs}/figures/{{figure}}.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        spec=STAGES.spec("figure", "figure"),
        code=STAGES.code("figure"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "figure", results=RESULTS_FOLDER, spec=STAGES.long_spec("figure")
        ),
    shell:
        "{params.scripts}/figure.py --name {wildcards.figure:q}"
        " --summary {input.summary:q} --output-pdf {output.pdf:q}"
        " --output-png {output.png:q} --output-csv {output.csv:q} --caption {output.caption:q}"
        " --log {log:q} {params.runtime}"


# `snakemake figure_NAME` makes one figure, `snakemake figures` all of them.
for name in RESULTS.plan.experiment.figures:

    rule:
        """One figure of the config."""
        name:
            f"figure_{name}"
        input:
            RESULTS.figure(name),


rule figures:
    """Every figure."""
    input:
        [
            path
            for name in RESULTS.plan.experiment.figures
            for path in RESULTS.figure(name)
        ],


rule report:
    """All figures with their captions and the table of runs, in one file."""
    input:
        figures=INPUTS.figures("png"),
        captions=INPUTS.figures("txt"),
        summary=PATHS.summary,
        datasets=INPUTS.descriptions(),
    output:
        PATHS.report,
    log:
        f"{PATHS.logs}/report.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        spec=STAGES.spec("report"),
        code=STAGES.code("report"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("report", spec=STAGES.long_spec("report")),
    shell:
        "{params.scripts}/report.py --summary {input.summary:q}"
        " --figures {input.figures:q} --datasets {input.datasets:q} --output {output:q}"
        " --log {log:q} {params.runtime}"
