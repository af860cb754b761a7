"""The playground: see what happens inside, and in the demo make it go wrong."""

from failsoft.server.playground.access import Demo
from failsoft.server.playground.routes import playground_routes

__all__ = ["Demo", "playground_routes"]
