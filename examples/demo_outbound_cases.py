"""What the demo tries of calls between applications: one answer out of two back ends, whatever becomes of the tokens.

The caller's token is for the photo service. The back ends take tokens of another issuer, which the service gets itself.
"""

import time
from collections.abc import Iterator
from functools import partial

from examples.demo_world import (
    CANNOT_SAY,
    INTERNAL_LIFETIME,
    Answer,
    App,
    Case,
    Expected,
    World,
    bearer,
    lacks,
    request,
)

MERGED = Expected(200, shows=('"owes":165,"measured":[{"value":62,"unit":"/min"},{"value":5.1,"unit":"mmol/l"}]',))


def outbound_cases(world: World, app: App) -> Iterator[Case]:
    tokens = {scope: bearer(world.issuer.token(scope=scope)) for scope in ("summary", "photos")}

    def summary(name: str, sent: str, expected: Expected, *, scope: str = "summary", patient: str = "ada") -> Case:
        send = partial[Answer](request, world, app, "GET", f"/summary/{patient}", headers=[tokens[scope]])
        return Case(app=app, name=name, sent=sent, send=send, expected=expected)

    yield summary("two back ends", "first tokens", MERGED)
    yield summary("two back ends", "scope photos", lacks("summary"), scope="photos")
    yield summary("two back ends", "the same tokens again", MERGED)
    world.internal.rotate()
    yield summary("token withdrawn", "key rotated", MERGED)
    time.sleep(INTERNAL_LIFETIME + 1)
    yield summary("token expired", "after its lifetime", MERGED)
    yield summary("back end has no such", "patient eve", Expected(502), patient="eve")
    world.internal.stop()
    time.sleep(INTERNAL_LIFETIME + 1)
    yield summary("no token to be had", "issuer down", CANNOT_SAY)
    world.internal.start()
