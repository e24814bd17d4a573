"""Datasets, packing, ordering, augmentation."""
