from __future__ import annotations

from collections.abc import Callable

from kahnd.config.schema import RendererSchema
from kahnd.config.values import Config
from kahnd.render import registry

Loader = Callable[..., Config]


def schemas() -> dict[str, RendererSchema]:
    """The built-in renderers, as a composition root tells them."""
    types = {name: registry.parameters_type(name) for name in registry.BUILT_IN}
    return {
        name: RendererSchema(kind, getattr(kind, "default_output", ""), registry.check)
        for name, kind in types.items()
        if kind is not None
    }
