"""A bound on the template code that one text may hold: parsing takes time and memory in proportion to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

MOST_TOKENS: Final = 10_000
"""Words and signs; takes about a tenth of a second."""


class TooManyTokensError(Exception):
    """A text holds more template code than is parsed."""


class BoundedTokens(Extension):
    """Counts what Jinja's parser takes; `line` is how far it has come. One text at a time."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.line = 0

    @classmethod
    def added_to(cls, environment: Environment) -> BoundedTokens:
        """The environment's own from now on."""
        environment.add_extension(cls)
        added = environment.extensions[cls.identifier]
        assert isinstance(added, cls)  # noqa: S101 - it was just made of it
        return added

    def begin(self) -> None:
        """A text is about to be parsed."""
        self.line = 0

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The tokens as they are. Raises TooManyTokensError at the first beyond the limit."""
        for number, token in enumerate(stream):
            self.line = token.lineno
            if number >= MOST_TOKENS:
                raise TooManyTokensError
            yield token
