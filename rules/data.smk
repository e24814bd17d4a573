# Datasets: images in class folders -> dataset.json -> packed images and orderings.
#
# requires: a user's folders of images, or archives for `unpack`, or nothing for `kind: textures`
# produces: results/data/{dataset}/{dataset.json,train.h5,val.h5,ordering-seed{k}.npy}


rule textures:
    """Generate the embedded dataset as folders of PNG files."""
    output:
        directory(PATHS.images),
    log:
        f"{PATHS.logs}/{{dataset}}/textures.log",
    wildcard_constraints:
        dataset=RESULTS.images_made_by("textures"),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    params:
        spec=STAGES.spec("textures", "dataset"),
        code=STAGES.code("textures"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("textures"),
    shell:
        "{params.scripts}/textures.py --spec {params.spec:q} --output {output:q}"
        " --log {log:q} {params.runtime}"


rule unpack:
    """Write the images of archives or arrays into class folders; download what may be."""
    output:
        directory(PATHS.images),
    log:
        f"{PATHS.logs}/{{dataset}}/unpack.log",
    wildcard_constraints:
        dataset=RESULTS.images_made_by("unpack"),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(6 * 60),
    params:
        spec=STAGES.spec("unpack", "dataset"),
        code=STAGES.code("unpack"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("unpack", sources=SOURCES),
    shell:
        "{params.scripts}/unpack.py --name {wildcards.dataset:q} --spec {params.spec:q}"
        " --output {output:q} --log {log:q} {params.runtime}"


rule dataset:
    """Check every image and describe the dataset: classes, counts, fingerprint."""
    input:
        INPUTS.images,
    output:
        PATHS.description,
    log:
        f"{PATHS.logs}/{{dataset}}/dataset.log",
    conda:
        "../envs/environment.yaml"
    threads: max(1, RUNTIME.workers)
    resources:
        mem_mb=per_attempt(2000 + 500 * RUNTIME.workers),
        runtime=per_attempt(6 * 60),
    params:
        spec=STAGES.spec("dataset", "dataset"),
        code=STAGES.code("dataset"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("dataset", folders=FOLDERS, subsets=SUBSETS),
    shell:
        "{params.scripts}/dataset.py --name {wildcards.dataset:q} --spec {params.spec:q}"
        " --output {output:q} --workers {threads} --log {log:q} {params.runtime}"


rule pack:
    """Decode and resize the images of a split once, into one file."""
    input:
        INPUTS.images,
        dataset=PATHS.description,
    output:
        PATHS.packed,
    log:
        f"{PATHS.logs}/{{dataset}}/pack-{{split}}.log",
    conda:
        "../envs/environment.yaml"
    threads: max(1, RUNTIME.workers)
    resources:
        mem_mb=per_attempt(4000 + 500 * RUNTIME.workers),
        runtime=per_attempt(6 * 60),
    params:
        spec=STAGES.spec("pack", "dataset"),
        code=STAGES.code("pack"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "pack",
            folders=FOLDERS,
            subsets=SUBSETS,
            state=f"{RESULTS_FOLDER}/state/packing",
        ),
    shell:
        "{params.scripts}/pack.py --split {wildcards.split} --spec {params.spec:q}"
        " --dataset {input.dataset:q} --workers {threads}"
        " --output {output:q} --log {log:q} {params.runtime}"


rule ordering:
    """The order in which a data schedule meets the training images."""
    input:
        PATHS.description,
    output:
        PATHS.ordering,
    log:
        f"{PATHS.logs}/{{dataset}}/ordering-seed{{seed}}.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(15),
    params:
        spec=STAGES.spec("ordering", "dataset", "seed"),
        code=STAGES.code("ordering"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("ordering", orderings=ORDERINGS),
    shell:
        "{params.scripts}/ordering.py --dataset {input:q} --spec {params.spec:q}"
        " --output {output:q} --log {log:q} {params.runtime}"
