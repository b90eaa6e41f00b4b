"""The fast twins on a GPU: Triton, float32. Only the dispatch imports them, and only when a tensor is on a GPU."""
