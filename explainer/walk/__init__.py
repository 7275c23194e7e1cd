"""Relevance handed from the target to the input."""
