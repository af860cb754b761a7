"""The command line: ``failsoft``."""

import sys

from failsoft.errors import MissingExtraError, extra

__all__ = ["main"]


def main() -> None:
    """Run the command line; see :func:`failsoft.cli.main.main`."""
    try:
        with extra("cli", "the command line"):
            from failsoft.cli.main import main as run  # noqa: PLC0415 - an extra
    except MissingExtraError as error:
        sys.exit(f"failsoft: {error}")
    run()
