"""The start of the installed script and of `python -m kahnd`: handles an interrupt from the first moment on."""

import errno
import resource
import sys
from typing import Final, NoReturn

_SCARCE_MEMORY: Final = 128 << 20
"""With less, Python may be unable to load all of kahnd's modules."""


def main() -> NoReturn:
    """Run the command line."""
    try:
        from kahnd.cli.main import main as command  # noqa: PLC0415 (imports take a while, and can be interrupted)

        command()
    except KeyboardInterrupt:
        sys.exit(130)
    except (MemoryError, OSError, ImportError, SystemError, BaseExceptionGroup) as error:
        if not _is_lack_of_memory(error):
            raise
        sys.stderr.write("kahnd: error: there is too little memory\n  see to the machine's, and to ulimit -v and -d\n")
        sys.exit(2)


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_lack_of_memory, error.exceptions))
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or _is_memory_scarce()  # the import system names no cause


def _is_memory_scarce() -> bool:
    limits = (resource.getrlimit(each)[0] for each in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return any(0 <= each < _SCARCE_MEMORY for each in limits)


if __name__ == "__main__":
    main()
