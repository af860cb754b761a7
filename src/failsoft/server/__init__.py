"""The HTTP service: an application factory, and routes to mount in another application."""

from __future__ import annotations

from failsoft.errors import extra

with extra("server", "failsoft.server"):
    from failsoft.server.app import create_app, router

__all__ = ["create_app", "router"]
