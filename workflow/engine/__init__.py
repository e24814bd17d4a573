"""All that knows Snakemake: params of rules, the judge in place of its triggers, the plan in words.

Carries.
"""
