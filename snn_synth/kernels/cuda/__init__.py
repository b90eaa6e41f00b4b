"""The kernels for a GPU, in Triton and float32. Only the dispatch imports them, and only when a tensor is on a GPU."""
