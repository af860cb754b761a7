"""Stands in for the Messages and Chat Completions APIs, and goes wrong on purpose as they do."""

from failsoft.chaos.simulator.journal import JournalRecord
from failsoft.chaos.simulator.script import ScriptStep, load_script
from failsoft.chaos.simulator.server import Simulator, create_app, serve_simulator
from failsoft.chaos.simulator.time import Clock

__all__ = [
    "Clock",
    "JournalRecord",
    "ScriptStep",
    "Simulator",
    "create_app",
    "load_script",
    "serve_simulator",
]
