"""The file format of packed images: one HDF5 file per split.

For N images it holds
- `pixels` uint8, one-dimensional and contiguous, so that it can be memory-mapped: image i is
  pixels[offset[i]:offset[i+1]], of shape (shape[i, 0], shape[i, 1], 3) when the attribute
  `encoding` is "rgb8", and the original file's bytes when it is "file";
- `offset` int64 (N+1,), `shape` int32 (N, 2) height and width of the decoded image, `targets`
  int64 (N,), and `path` (N,) relative to the split, "class/name.png";
- attributes format_version, dataset, split, encoding, shorter_side (-1 for "file"), classes, and
  fingerprint, that of the dataset.
"""

FORMAT_VERSION = 1
