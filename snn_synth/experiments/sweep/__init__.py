"""W&B's sweep files, run on this machine without its server."""
