"""Files: HDF5, checkpoints, atomic writes."""
