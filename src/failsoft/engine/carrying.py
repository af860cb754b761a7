"""A request from its admission to its answer."""

from __future__ import annotations

from failsoft.engine.admission import RouteFullError
from failsoft.engine.answer import Answer
from failsoft.engine.call import Request
from failsoft.engine.core import Core
from failsoft.engine.driver import Driver, Ending, Reader
from failsoft.engine.report import Reporter
from failsoft.engine.settling import saved_first, settle
from failsoft.notices import Catalogue
from failsoft.policy.steps import GiveUp

__all__ = ["carry_out"]


async def carry_out(
    core: Core, request: Request, catalogue: Catalogue, reader: Reader | None = None
) -> tuple[Answer, Ending]:
    """Ask the models, and step down the ladder where none answers.

    Cancellation passes straight through. ``reader`` is given the answer while it comes.
    """
    report = Reporter(core, request)
    try:
        if request.route in core.saved_first:
            saved = await saved_first(core, request, catalogue)
            if saved is not None:
                report.finished(saved, request.times.started_at)
                return saved, Ending()
        ending = await _driven(core, request, report, reader)
        at = ending.at
        answer = await settle(core, request, ending, catalogue, hops=report.hops, now=at)
    except BaseException:
        report.cancelled()
        raise
    report.finished(answer, at)
    return answer, ending


async def _driven(core: Core, request: Request, report: Reporter, reader: Reader | None) -> Ending:
    route = core.route(request.route)
    driver = Driver(core, request, report, reader)
    try:
        place = await route.enter(request.times)
    except RouteFullError:
        return Ending(gave_up=GiveUp("saturated", None, None))
    try:
        report.started(stream=reader is not None)
        return await driver.run()
    finally:
        route.leave(place)
