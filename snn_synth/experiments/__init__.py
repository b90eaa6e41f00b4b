"""Whole runs from data to pictures: the demo."""
