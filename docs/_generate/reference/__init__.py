"""Generates the parts of docs/reference that come from the code. `make reference` writes them."""
