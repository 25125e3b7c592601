"""Tries requests good and bad with the example applications and a development issuer, on free ports, and says
whether each was answered as it must be. `make demo` runs it; exit status 0 means that all were.

Everything runs in threads of this process: nothing is left behind.
"""

import logging
import sys
from collections.abc import Iterable

from examples.demo_cases import all_cases
from examples.demo_setup import built_world
from examples.demo_world import Case

# Refusals and issuers out of reach are what the demo is about; uvicorn logs an error for each WebSocket that is refused
# with a status of its own (https://github.com/Kludex/uvicorn/pull/3138).
NOISE = ("oauth_rs", "werkzeug", "uvicorn.error")
WIDTH = 60  # characters of a challenge, and of what the answer shows and hides


def main() -> int:
    for name in NOISE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with built_world() as world:
        return tried(all_cases(world))


def tried(cases: Iterable[Case]) -> int:
    """The exit status once all of `cases` were sent and shown: 0 when there were some, all answered as expected."""
    results = []
    for case in cases:
        answer = case.send()
        results.append(case.expected.met_by(answer))
        told = answer.challenge(case.expected.scheme) or answer.headers.get("www-authenticate", "")
        if "retry-after" in answer.headers:
            told = f"Retry-After: {answer.headers['retry-after']}"
        more = "  ".join(shortened(text) for text in (told, case.expected.content) if text)
        print(
            f"{'ok  ' if results[-1] else 'FAIL'} {case.app.name:9} {case.name:25} {case.sent:25} "
            f"expected {case.expected.status}, got {answer.status}  {more}".rstrip()
        )
    print(f"{sum(results)} of {len(results)} as expected")
    return 0 if results and all(results) else 1


def shortened(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


if __name__ == "__main__":
    sys.exit(main())
