# Measurements: encoders -> representations -> k-NN accuracy, collapse and linear probe.
#
# requires: results/runs/{run}/seed{k}/epoch{e}/encoder.safetensors, packed images
# produces: representations-{split}.h5, knn.{csv,json}, spectrum.csv, {collapse,probe}.json beside it

EPOCH = "results/runs/{run}/seed{seed}/epoch{epoch}"
EPOCH_LOG = "results/logs/{run}/seed{seed}/epoch{epoch}"


rule represent:
    """Take the representations of a whole split."""
    input:
        images=lambda w: f"{dataset_of(w)}/{w.split}.h5",
        encoder=f"{EPOCH}/encoder.safetensors",
    output:
        f"{EPOCH}/representations-{{split}}.h5",
    log:
        f"{EPOCH_LOG}/represent-{{split}}.log",
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.threads + RUNTIME.workers
    resources:
        gpu=gpus(),
        mem_mb=per_attempt(6000 + 1000 * RUNTIME.workers),
        runtime=per_attempt(4 * 60),
    params:
        spec=spec("represent", "run"),
        code=code("represent"),
        command=command(
            "represent",
            device=RUNTIME.device,
            batch_size=RUNTIME.extract_batch_size,
            workers=RUNTIME.workers,
            threads=RUNTIME.threads,
            scratch=SCRATCH,
        ),
    shell:
        "{params.command} --spec {params.spec:q}"
        " --run {wildcards.run:q}/seed{wildcards.seed} --images {input.images:q}"
        " --encoder {input.encoder:q} --output {output:q} --log {log:q}"


rule knn:
    """k-NN accuracy of val in train, for every k."""
    input:
        train=f"{EPOCH}/representations-train.h5",
        val=f"{EPOCH}/representations-val.h5",
    output:
        csv=f"{EPOCH}/knn.csv",
        json=f"{EPOCH}/knn.json",
    log:
        f"{EPOCH_LOG}/knn.log",
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.threads
    resources:
        gpu=gpus(),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        spec=constant(PLAN.knn()),
        code=code("knn"),
        command=command("knn", device=RUNTIME.device),
    shell:
        "{params.command} {input.train:q} {input.val:q} --spec {params.spec:q}"
        " --json {output.json:q} --csv {output.csv:q} --threads {threads} --log {log:q}"


rule collapse:
    """Spectrum of the training representations and every measure of collapse."""
    input:
        f"{EPOCH}/representations-train.h5",
    output:
        spectrum=f"{EPOCH}/spectrum.csv",
        json=f"{EPOCH}/collapse.json",
    log:
        f"{EPOCH_LOG}/collapse.log",
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.threads
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        spec=constant(PLAN.collapse()),
        code=code("collapse"),
        command=command("collapse"),
    shell:
        "{params.command} {input:q} --spec {params.spec:q}"
        " --spectrum {output.spectrum:q} --json {output.json:q} --threads {threads} --log {log:q}"


rule probe:
    """Train a linear classifier on the frozen backbone, or on its stored representations."""
    input:
        unpack(probed),
    output:
        f"{EPOCH}/probe.json",
    log:
        f"{EPOCH_LOG}/probe.log",
    conda:
        "../envs/environment.yaml"
    threads: 1 + RUNTIME.workers
    resources:
        gpu=gpus(),
        mem_mb=per_attempt(12000 + 1000 * RUNTIME.workers),
        runtime=24 * 60,
    params:
        spec=spec("probe", "run"),
        code=code("probe"),
        command=command(
            "probe",
            device=RUNTIME.device,
            workers=RUNTIME.workers,
            state=state_of,
            scratch=SCRATCH,
        ),
    shell:
        "{params.command} {input.representations:q} --spec {params.spec:q}"
        " --encoder {input.encoder:q} --images-train {input.train:q} --images-val {input.val:q}"
        " --code {params.code} --json {output:q} --log {log:q}"
