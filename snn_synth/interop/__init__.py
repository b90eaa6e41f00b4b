"""Formats of others: networks of ours written in them, and read from them."""
