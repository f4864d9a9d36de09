"""What docs/reference tells from the code, so that the two can't disagree. `make reference` writes it."""
