"""kahnd keeps rendered documents up to date with their sources while you write."""

__version__ = "0.1.0"
