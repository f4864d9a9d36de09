from __future__ import annotations

from collections.abc import Callable

from kahnd.config.loader import Config
from kahnd.config.tables import RendererSchema
from kahnd.render.renderers import registry

Loader = Callable[..., Config]


def schemas() -> dict[str, RendererSchema]:
    """The schemas of the built-in renderers, as the composition root passes them."""
    types = {name: registry.parameters_type(name) for name in registry.BUILT_IN}
    return {
        name: RendererSchema(kind, getattr(kind, "default_output", ""), registry.check, registry.check_outputs)
        for name, kind in types.items()
        if kind is not None
    }
