"""Whole projects under random edits: what a live daemon comes to, against a naive evaluation and a fresh build."""

import pytest

pytest.register_assert_rewrite("agreement.judge", "e2e.harness")
