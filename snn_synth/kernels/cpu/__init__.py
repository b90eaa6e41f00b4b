"""The CPU path: numba, float32."""
