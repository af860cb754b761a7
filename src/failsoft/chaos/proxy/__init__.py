"""A TCP proxy on this machine that breaks connections as a bad network does."""

from failsoft.chaos.proxy.acts import ACTS, PASS, Act, parse_act
from failsoft.chaos.proxy.journal import Connection
from failsoft.chaos.proxy.server import FaultProxy

__all__ = ["ACTS", "PASS", "Act", "Connection", "FaultProxy", "parse_act"]
