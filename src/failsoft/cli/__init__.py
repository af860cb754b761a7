"""The command line: ``failsoft``."""

from failsoft.cli.app import main

__all__ = ["main"]
