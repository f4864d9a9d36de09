"""Fast paths: they rely on private parts of libraries, and each has a plain path with the same result, byte for byte.

| fast path | private parts | plain path |
| --- | --- | --- |
| `highlighting` | Pygments' token type and lexer tables, the parser in `re` | `pygments.highlight` |
| `inclusions` | a code object made by hand, the form of Jinja's compiled templates | Jinja's parser and compiler |

Each is compared with its plain path on a small input when it is first used. If the results differ or an exception is
raised, as may happen after an upgrade of a library, the process warns once and uses the plain path from then on.
`switch` turns all of them off and on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")


class _Switch:
    def __init__(self) -> None:
        self.on = True


_SWITCH: Final = _Switch()


def switch(*, on: bool) -> None:
    """Turn all fast paths of this process on or off; at first they are on."""
    _SWITCH.on = on


def is_on() -> bool:
    """Tell whether fast paths may be used."""
    return _SWITCH.on


class FastPath(Generic[Given, Result]):
    """A fast function and its plain counterpart, called as if they were one.

    `make` imports and creates the fast function; the two must give the same for `sample`.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Callable[[Given], Result]],
        plain: Callable[[Given], Result],
        sample: Given,
    ) -> None:
        self._name = name
        self._plain = plain
        self._fast: Callable[[Given], Result] | None = None

        def agrees() -> bool:
            self._fast = make()
            return self._fast(sample) == plain(sample)

        if not passes(name, agrees):
            self._fast = None

    def __call__(self, given: Given) -> Result:
        """The result of the fast function, or of the plain one if that is off or has failed."""
        if self._fast is not None and is_on():
            try:
                return self._fast(given)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - it may be anything when a private part has changed
                self._fast = None
                _warn(self._name, error)
        return self._plain(given)


def passes(name: str, check: Callable[[], bool]) -> bool:
    """Tell whether a fast path's check holds. Warns if it does not, or raises an exception."""
    try:
        if check():
            return True
        _warn(name, "its result differs from the plain path's")
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - it may be anything when a private part has changed
        _warn(name, error)
    return False


def _warn(name: str, reason: object) -> None:
    reason = f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else reason
    warnings.warn(f"kahnd's fast path for {name} is not used: {reason}", RuntimeWarning, stacklevel=2)
