"""Whole experiments, from data to numbers and pictures."""
