# Datasets: images in class folders -> dataset.json -> packed images and orderings.
#
# requires: a user's folders of images, or nothing for `kind: textures`
# produces: results/data/{dataset}/{dataset.json,train.h5,val.h5,ordering-seed{k}.npy}


rule textures:
    """Generate the embedded dataset as folders of PNG files."""
    output:
        directory("results/data/{dataset}/images"),
    log:
        "results/logs/{dataset}/textures.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    params:
        spec=spec("textures", "dataset"),
        code=code("textures"),
        command=command("textures"),
    shell:
        "{params.command} --spec {params.spec:q} --output {output:q}" " --log {log:q}"


rule dataset:
    """Check every image and describe the dataset: classes, counts, fingerprint."""
    input:
        images_of,
    output:
        "results/data/{dataset}/dataset.json",
    log:
        "results/logs/{dataset}/dataset.log",
    conda:
        "../envs/environment.yaml"
    threads: max(1, RUNTIME.workers)
    resources:
        mem_mb=per_attempt(2000 + 500 * RUNTIME.workers),
        runtime=per_attempt(6 * 60),
    params:
        spec=spec("dataset", "dataset"),
        code=code("dataset"),
        command=command("dataset", folders=FOLDERS),
    shell:
        "{params.command} --name {wildcards.dataset:q} --spec {params.spec:q}"
        " --output {output:q} --workers {threads} --log {log:q}"


rule pack:
    """Decode and resize the images of a split once, into one file."""
    input:
        images_of,
        dataset="results/data/{dataset}/dataset.json",
    output:
        "results/data/{dataset}/{split}.h5",
    log:
        "results/logs/{dataset}/pack-{split}.log",
    conda:
        "../envs/environment.yaml"
    threads: max(1, RUNTIME.workers)
    resources:
        mem_mb=per_attempt(4000 + 500 * RUNTIME.workers),
        runtime=per_attempt(6 * 60),
    params:
        spec=spec("pack", "dataset"),
        code=code("pack"),
        command=command("pack", folders=FOLDERS),
    shell:
        "{params.command} --split {wildcards.split} --spec {params.spec:q}"
        " --dataset {input.dataset:q} --workers {threads}"
        " --output {output:q} --log {log:q}"


rule ordering:
    """The order in which a data schedule meets the training images."""
    input:
        "results/data/{dataset}/dataset.json",
    output:
        "results/data/{dataset}/ordering-seed{seed}.npy",
    log:
        "results/logs/{dataset}/ordering-seed{seed}.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(15),
    params:
        spec=spec("ordering", "dataset", "seed"),
        code=code("ordering"),
        command=command("ordering", orderings=ORDERINGS),
    shell:
        "{params.command} --dataset {input:q} --spec {params.spec:q}"
        " --output {output:q} --log {log:q}"
