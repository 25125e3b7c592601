"""What the demo tries of the lending library: opaque tokens, revocation, and calls to other APIs.

Starts what it needs when the first case is asked for.
"""

from collections.abc import Iterator

from examples.demo_exchange_cases import exchange_cases
from examples.demo_lending_world import built_lending
from examples.demo_opaque_cases import opaque_cases
from examples.demo_revocation_cases import revocation_cases
from examples.demo_world import Case, World


def lending_cases(world: World) -> Iterator[Case]:
    with built_lending() as lending:
        yield from opaque_cases(world, lending)
        yield from revocation_cases(world, lending)
        yield from exchange_cases(world, lending)
