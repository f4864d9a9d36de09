"""The start of the installed script and of `python -m kahnd`: handles an interrupt from the first moment on."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    try:
        from kahnd.cli.main import main as command  # noqa: PLC0415 (imports take a while, and can be interrupted)

        command()
    except KeyboardInterrupt:
        sys.exit(130)
    except (MemoryError, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.split(MemoryError)[1] is not None:
            raise
        sys.stderr.write("kahnd: error: there is too little memory\n  see to the machine's, and to ulimit -v and -d\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
