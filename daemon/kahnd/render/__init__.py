"""The renderers, how they find dependencies, and the one place that writes outputs."""
