"""An endpoint of a provider that is asked about tokens: where it is, how it is asked, and when it is left alone.

Tokens go into bodies and headers, never into a URL. Equal questions under way share one answer. What an answer means is
for those who ask.
"""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from urllib.parse import urlencode

from ..breaker import Breaker
from ..client_auth import UNPROVED, ClientAuth, ClientCertificate, Proof
from ..errors import MISCONFIGURED_SECONDS, Unavailable
from ..flow import Fetch, Flow, Pace, Reply, T
from ..metadata import IssuerMetadata, endpoint_for_secrets, is_outage
from ..quiet import MINUTE, Complaints, Quiet, Troubles
from ..urls import secure_for_secrets, shown
from .answers import UNREACHABLE, error_of, refuses
from .pacing import is_used_up, pause_of
from .seconds import TIMEOUT, check_seconds

MAX_ANSWER_BYTES = 65_536  # an answer is some claims: real ones have a few kilobytes
SHARED = 1.0  # seconds for which an answer serves those who were about to ask when it came
JSON = "application/json"
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_OK, _BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY, _UNAVAILABLE = 200, 400, 401, 403, 429, 503
# RFC 6749 section 5.2: of a client that proves itself in the form, 400 may say so.
_OF_THE_CLIENT = {"invalid_client": UNPROVED, "unauthorized_client": "does not let this application ask"}
# Of an endpoint that is up: another token may fare better. A stranger chooses the token, and a firewall before the
# endpoint may not like it, so what comes of one must not keep all the others from being asked about.
_ABOUT_THE_TOKEN = frozenset({"endpoint_unusable", "reply_too_large"})

logger = logging.getLogger("oauth_rs")

_NUMBERS = count()  # of endpoints: an id would be used again for the next one, and find the answers of the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an endpoint is asked. Questions with the same `about` are the same; `fields` make the body a form.

    The endpoint answers with one of the statuses `answers`, and its answer serves for `shared` seconds those who were
    about to ask.
    """

    about: bytes
    method: str = "POST"
    # None is shown: they hold tokens.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    answers: Collection[int] = (_OK,)
    shared: float = SHARED


class Endpoint:
    """The endpoint at `location`, a URL, or where the metadata there names it `name`; https, or http to this machine.

    `client` is how this application proves itself to it, where it must. `timeout` is in seconds. With one of `paced`,
    and a time to wait, it speaks to all who ask, and with other statuses to one token.
    """

    def __init__(
        self,
        location: str | IssuerMetadata,
        *,
        name: str = "",
        client: ClientAuth | None = None,
        timeout: float = TIMEOUT,
        breaker: Breaker | None = None,
        paced: Collection[int] = (_TOO_MANY, _UNAVAILABLE),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(location, str | IssuerMetadata):
            raise TypeError("the endpoint is a URL, or IssuerMetadata('https://id.example.com') to have it looked up")
        if isinstance(location, str) and not secure_for_secrets(location):
            raise ValueError(
                "tokens are shown over https, or over http to this machine, at a URL without a name, a password or a "
                "fragment"
            )
        if breaker is not None and not isinstance(breaker, Breaker):
            raise TypeError("breaker is Breaker(failures=3, longest=30.0)")
        check_seconds("timeout", timeout)
        if not timeout:
            raise ValueError("timeout is above 0 seconds")
        self._location, self._name, self._client = location, name, client
        self._url = location if isinstance(location, str) else ""
        self._timeout, self._paced = timeout, frozenset(paced)
        self._breaker = Breaker() if breaker is None else breaker
        self._clock, self._monotonic = clock, monotonic
        self._number, self._failures = next(_NUMBERS), 0
        self._complaints, self._troubles, self._quiet = Complaints(), Troubles(), Quiet(MINUTE)

    def __str__(self) -> str:
        return shown(self._location) if isinstance(self._location, str) else f"the {self._name} of {self._location}"

    def watch(self, flow: Flow[T]) -> Flow[T]:
        """What `flow`, which asks this endpoint and reads what it answers, gives; the log tells why it cannot."""
        try:
            return (yield from flow)
        except Unavailable as error:
            self._troubles.tell(self, error.cause, self._monotonic())
            error.cause = ""  # the user endpoint, whose flow asks that of a check, must not tell it as its own
            raise

    def ask(self, question: Question) -> Flow[Reply]:
        """The answer to `question`.

        Raises Unavailable (`endpoint_resting`, `endpoint_refused`, `endpoint_failed`, `endpoint_unusable`, those of
        metadata.py and of `Fetch`).
        """
        now = self._monotonic()
        if wait := self._breaker.wait(now):
            raise Unavailable("endpoint_resting", UNREACHABLE, retry_after=wait)
        call = self._breaker.admit(now)
        url = yield from self._counted(self._found(), call)
        try:
            proof = yield from self._proof(url)
        except Unavailable:  # of another server, which may give it, and counts its own failures
            self._breaker.handed_back(call, self._monotonic())
            raise
        reply = yield from self._counted(self._exchange(url, proof, question), call)
        self._breaker.answered()
        return reply

    def _counted(self, flow: Flow[T], call: object) -> Flow[T]:
        try:
            return (yield from flow)
        except Unavailable as error:
            if error.reason in _ABOUT_THE_TOKEN:
                self._breaker.answered()
            elif error.reason == "fetch_busy":
                self._breaker.handed_back(call, self._monotonic())
            else:
                self._failed(call)
            raise

    def find(self) -> Flow[str]:
        """The URL of the endpoint. Raises Unavailable (`discovery_failed`, `issuer_mismatch`, those of `Fetch`)."""
        return self.watch(self._found())

    def _found(self) -> Flow[str]:
        url = self._url
        if not url and isinstance(self._location, IssuerMetadata):
            certified = isinstance(self._client, ClientCertificate)
            url = self._url = yield from endpoint_for_secrets(
                self._location.issuer, self._name, with_certificate=certified, shared=SHARED
            )
        return url

    def _proof(self, url: str) -> Flow[Proof]:
        if self._client is None:
            return Proof()
        proved = self._client.prove(url)
        return proved if isinstance(proved, Proof) else (yield from proved)

    def _exchange(self, url: str, proof: Proof, question: Question) -> Flow[Reply]:
        reply = yield from self._fetch(url, question, proof)
        if reply.status == _UNAUTHORIZED not in question.answers and proof.renew is not None:
            other = yield from _renewed(proof, proof.renew)
            if other.headers != proof.headers:
                reply = yield from self._fetch(url, question, other)
        pause = pause_of(reply, self._clock())
        if pause and not refuses(reply):
            raise self._busy(reply.status, reply.pace, pause)
        if reply.status not in question.answers:
            raise self._no_answer(reply)
        return reply

    def _fetch(self, url: str, question: Question, proof: Proof) -> Fetch:
        headers, body = (*question.headers, *proof.headers), question.body
        if fields := (*question.fields, *proof.fields):
            headers, body = (*headers, _FORM), urlencode(fields).encode()
        # What one token was refused says nothing of the next, so those who have that do not share it.
        proved = sha256(repr(proof.headers).encode()).digest() if proof.renew is not None else b""
        return Fetch(
            question.method,
            url,
            headers,
            body,
            limit=MAX_ANSWER_BYTES,
            shared=question.shared,
            # An answer that is kept for those to come is not for who asks for one that is not.
            flight=b"%d %d %d %s%s" % (self._number, self._failures, question.shared > 0, question.about, proved),
            timeout=self._timeout,
            certificate=proof.certificate,
        )

    def _failed(self, call: object) -> None:
        # First, so that nobody who is let in after the failure is counted gets it once more as his own: it is shared
        # like an answer, and equal questions are those of the same number of failures.
        self._failures += 1
        if isinstance(self._location, IssuerMetadata):
            self._url = ""  # it may have moved: ask the metadata again
        now = self._monotonic()
        waits = self._breaker.wait(now)  # for a probe, or because the endpoint says so
        self._breaker.failed(call, now)
        wait = self._breaker.wait(now)
        if wait and not waits and self._quiet.ends(now):
            logger.warning("%s is left alone for %.0f s, and longer if it goes on failing", self, wait)

    def _busy(self, status: int, pace: Pace, pause: float) -> Unavailable:
        cause = f"answered {status}, and wants to be left alone for {pause:.0f} s"
        by_the_token = self._client is None and status != _UNAVAILABLE
        if by_the_token or (status not in self._paced and not is_used_up(pace)):
            # Where nothing else says who asks, the user of the token has asked too often; and a firewall says 403 to
            # one that it does not like. No other has to wait for either.
            return Unavailable("endpoint_unusable", UNREACHABLE, retry_after=pause, cause=cause)
        self._breaker.rest(self._monotonic(), pause)
        return Unavailable("endpoint_failed", UNREACHABLE, retry_after=pause, cause=cause)

    def _no_answer(self, reply: Reply) -> Unavailable:
        status = reply.status
        code = error_of(reply) if status in {_BAD_REQUEST, _UNAUTHORIZED} else ""
        if status in {_UNAUTHORIZED, _FORBIDDEN} or code in _OF_THE_CLIENT:
            detail = f"{status} {code}" if code in _OF_THE_CLIENT else status
            self._complaints.tell(self, _OF_THE_CLIENT.get(code, UNPROVED), detail, self._monotonic())
        # Others may be let to ask about other tokens: what is said of one must not keep all the others from that.
        if status == _UNAUTHORIZED or code == "invalid_client":
            return Unavailable("endpoint_refused", UNREACHABLE, retry_after=MISCONFIGURED_SECONDS)
        if is_outage(status):
            return Unavailable("endpoint_failed", UNREACHABLE, cause=f"answered {status}")
        # Of 403 the other record tells.
        return Unavailable("endpoint_unusable", UNREACHABLE, cause="" if status == _FORBIDDEN else f"answered {status}")


def _renewed(proof: Proof, renew: Callable[[], Flow[Proof]]) -> Flow[Proof]:
    """Another proof, or the same where none is to be had: then it is the first refusal that counts."""
    try:
        return (yield from renew())
    except Unavailable:
        return proof
