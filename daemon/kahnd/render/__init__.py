"""Renderers: how a document becomes its output, and how its dependencies are found."""
