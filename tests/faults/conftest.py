from e2e.conftest import corner, project

__all__ = ["corner", "project"]
