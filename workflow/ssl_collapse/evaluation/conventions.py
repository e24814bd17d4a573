"""What each number of collapse.json means, in one sentence that travels with the number."""

from ssl_collapse.config.evaluation import CollapseSpec


def conventions(spec: CollapseSpec, groups: int) -> dict[str, str]:
    """Convention of each measure, given the settings and the number of bootstrap groups."""
    return {
        "auc": "mean_j sum_{i<=j} sigma_i / sum sigma over j = 1..dim (arXiv 2209.15007, eq. 2); "
        "representations centred, not normalised; (dim+1)/(2 dim) for a flat spectrum, 1 for a "
        "single direction",
        "auc_low, auc_high": "95 % interval of auc for the choice of rows, not of the training "
        f"run: -+ 1.96 standard errors from {spec.bootstrap_resamples} random halves of {groups} "
        "groups of rows; null below 200 rows",
        "*_l2": "the same measure of representations first divided by their Euclidean norm; null "
        "if all point one way",
        "rankme": "exp(-sum p log p), p = sigma / sum sigma, no epsilon (arXiv 2210.02885); "
        "representations not centred",
        "effective_rank": "as rankme, representations centred (Roy & Vetterli 2007)",
        "participation_ratio": "(sum lambda)^2 / sum lambda^2, lambda = sigma^2; representations "
        "centred",
        "nesum": "sum lambda / lambda_1, lambda = sigma^2 (stable rank); representations centred",
        "alpha": "minus the least-squares slope of log lambda_j on log j, ranks "
        f"{spec.alpha_first_rank} to {spec.alpha_last_rank} as far as above the noise floor, at "
        "least ten; representations centred",
        "alpha_r2": "R^2 of that fit",
        "numerical_rank": "number of sigma > max(max(n, dim) eps sigma_1, noise_floor), "
        "eps = 2^-52; representations centred",
        "std_per_dimension": "mean_d std(z_d / norm(z)), ddof 0; ideal 1/sqrt(dim)",
        "mean_cosine": "(norm(sum u)^2 - n) / (n (n-1)), u = z / norm(z); not centred",
        "uniformity": "log mean_{i<j} exp(-2 norm(u_i - u_j)^2) over "
        f"{spec.uniformity_samples} rows (or all, if fewer) drawn with seed {spec.seed}; "
        "u = z / norm(z)",
        "sigma_max": "sigma_1 of the centred, not normalised representations",
        "noise_floor": "singular values at or below it cannot be told from rounding: the larger of "
        "noise_floor_gram = sqrt(8 eps) sigma_1, eps = 2^-52 (eigenvalues of a second moment in "
        "float64), and noise_floor_rounding (storing the representations in their dtype)",
        "rank_bound": "min(n - 1, dim), the largest rank that centred representations can have",
        "dead_dimensions": "dimensions that are constant to within rounding",
        "zero_rows": "rows of zeros; they stay zero under normalisation",
    }
