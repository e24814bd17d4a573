# Tables, figures and the report.
#
# requires: collapse.json, knn.json, training.csv (and probe.json) of every analysed epoch
# produces: results/tables/summary.csv, results/figures/{figure}.{pdf,png,csv,txt}, report.html


PROBES = EXPERIMENT.evaluation.probe is not None


SUMMARY_ROWS = argument(canonical(PLAN.summarize()))


rule summarize:
    """One tidy row per run, seed and analysed epoch."""
    input:
        [f"results/{point.folder}/collapse.json" for point in PLAN.points],
        [f"results/{point.folder}/knn.json" for point in PLAN.points],
        [f"results/{point.folder}/probe.json" for point in PLAN.points if PROBES],
        sorted({f"results/runs/{p.run}/seed{p.seed}/training.csv" for p in PLAN.points}),
        [f"results/data/{name}/dataset.json" for name in used_datasets()],
    output:
        "results/tables/summary.csv",
    log:
        "results/logs/summarize.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        spec=constant(PLAN.summarize()),
        code=code("summarize"),
        command=command("summarize", results=RESULTS, rows=SUMMARY_ROWS),
    shell:
        "{params.command} --output {output:q} --log {log:q}"


rule figure:
    """Draw one figure: PDF, PNG, the plotted numbers and the caption."""
    input:
        summary="results/tables/summary.csv",
        spectra=lambda w: [
            f"results/{point.folder}/spectrum.csv"
            for point in PLAN.figure_points(w.figure)
        ],
    output:
        pdf="results/figures/{figure}.pdf",
        png="results/figures/{figure}.png",
        csv="results/figures/{figure}.csv",
        caption="results/figures/{figure}.txt",
    log:
        "results/logs/figures/{figure}.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        spec=spec("figure", "figure"),
        code=code("figure"),
        command=command("figure", results=RESULTS),
    shell:
        "{params.command} --name {wildcards.figure:q} --spec {params.spec:q}"
        " --summary {input.summary:q} --output-pdf {output.pdf:q}"
        " --output-png {output.png:q} --output-csv {output.csv:q} --caption {output.caption:q}"
        " --log {log:q}"


rule report:
    """All figures with their captions and the table of runs, in one file."""
    input:
        figures=[f"results/figures/{name}.png" for name in EXPERIMENT.figures],
        captions=[f"results/figures/{name}.txt" for name in EXPERIMENT.figures],
        summary="results/tables/summary.csv",
        datasets=[f"results/data/{name}/dataset.json" for name in used_datasets()],
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        spec=constant(PLAN.report()),
        code=code("report"),
        command=command("report"),
    shell:
        "{params.command} --spec {params.spec:q} --summary {input.summary:q}"
        " --figures {input.figures:q} --datasets {input.datasets:q} --output {output:q}"
        " --log {log:q}"
