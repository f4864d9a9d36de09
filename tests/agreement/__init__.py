"""Whole projects under random edits: a live daemon's outputs against a naive evaluation and a fresh build."""

import pytest

pytest.register_assert_rewrite("agreement.checks", "e2e.harness")
