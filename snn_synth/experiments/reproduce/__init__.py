"""The paper's table and figures, each by its name."""
