"""Photographs kahnd and its themes in Chromium. `make screenshots` writes the pictures into docs/images."""
