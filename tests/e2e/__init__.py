"""The installed command and the running daemon, judged from outside."""

import pytest

pytest.register_assert_rewrite("e2e.harness")
