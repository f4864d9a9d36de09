"""The start of the installed script and of `python -m kahnd`: handles an interrupt from the first moment on."""

import errno
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    try:
        from kahnd.cli.main import main as command  # noqa: PLC0415 (imports take a while, and can be interrupted)

        command()
    except KeyboardInterrupt:
        sys.exit(130)
    except (MemoryError, OSError, ImportError, BaseExceptionGroup) as error:
        if not _is_lack_of_memory(error):
            raise
        sys.stderr.write("kahnd: error: there is too little memory\n  see to the machine's, and to ulimit -v and -d\n")
        sys.exit(2)


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_lack_of_memory, error.exceptions))
    if isinstance(error, ImportError):  # the dynamic linker tells in words alone
        return os.strerror(errno.ENOMEM) in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


if __name__ == "__main__":
    main()
