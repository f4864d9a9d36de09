from e2e.conftest import project

__all__ = ["project"]
