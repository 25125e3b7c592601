"""TLS contexts that show a certificate of this side (RFC 8705), loaded anew when its files change.

Certificates are renewed while a process runs: files are replaced, one after the other. Until both are there and fit,
the last good pair stays in use. Does not watch anything: looks at the two files, not into them, when it is asked.
"""

import logging
import os
import ssl
import time
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from ..flow import Certificate
from ..quiet import MINUTE, Quiet

RETRY_SECONDS = 10.0  # what else the context is made of may be mended and leaves no mark on the two files

logger = logging.getLogger("oauth_rs")


class _Tried(NamedTuple):
    """What came of the files as `marks` tell them: the last context that was good, and what is wrong since."""

    marks: object = None
    context: ssl.SSLContext | None = None
    problem: str = ""
    retry_at: float = -inf


class ShownCertificate:
    """`certificate`, in TLS contexts that `make` makes. Shared by threads: what two load at once is the same."""

    __slots__ = ("_certificate", "_clock", "_make", "_quiet", "_tried")

    def __init__(
        self,
        make: Callable[[], ssl.SSLContext],
        certificate: Certificate,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._certificate, self._clock = make, certificate, monotonic
        self._tried = _Tried()
        self._quiet = Quiet(MINUTE)

    def context(self) -> ssl.SSLContext | None:
        """A context with the files as they are, or as they were when last they were good; None if they never were."""
        now, marks = self._clock(), (_mark(self._certificate.chain), _mark(self._certificate.key))
        tried = self._tried
        if marks != tried.marks or (tried.problem and now >= tried.retry_at):
            # As one, with the marks of before: what another thread has loaded since, or what changed, is loaded again.
            tried = self._tried = self._load(tried._replace(marks=marks), now)
        if tried.problem and self._quiet.ends(now):
            self._tell(tried)
        return tried.context

    def _load(self, tried: "_Tried", now: float) -> "_Tried":
        shown = self._certificate
        try:
            # A context of its own: whoever loads a certificate into that of others shows it to every server.
            context = self._make()
            # Without any password OpenSSL would ask for that of the key on the terminal, and wait.
            context.load_cert_chain(shown.chain, shown.key, shown.password or "")
        except (OSError, ValueError) as error:
            return tried._replace(problem=str(error), retry_at=now + RETRY_SECONDS)
        self._quiet = Quiet(inf)  # the next problem is told of once: a renewal may be under way
        return tried._replace(context=context, problem="")

    def _tell(self, tried: "_Tried") -> None:
        named = (self._certificate.chain, self._certificate.key, tried.problem)
        if tried.context is None:
            logger.error("configuration: the certificate %s with the key %s cannot be used: %s", *named)
        else:
            logger.warning("configuration: %s and %s cannot be used, so what was there before is: %s", *named)


def _mark(file: str | os.PathLike[str]) -> tuple[int, ...]:
    try:
        found = os.stat(file)  # noqa: PTH116 - a path as it was given, on the way of each request
    except (OSError, ValueError):
        return ()
    # The last changes with the permissions too.
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
