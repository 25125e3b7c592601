"""The request as the core sees it; the shells implement it over the environ or the scope.

Reads what is asked and checks nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Request(Protocol):
    """A view of one request; the shells implement it over the environ or the scope and read only what is asked.

    `path` is decoded and relative to the protected application, in the form the application routes; `raw_path` is the
    whole path as sent, percent-encoded, without the query; `peer` is the address of the connection, "" when unknown.
    `parameters` are those of the path, as a policy or the router of the application found them; empty before that.
    """

    parameters: Mapping[str, Any]

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def raw_path(self) -> bytes: ...
    @property
    def query(self) -> bytes: ...
    @property
    def url_scheme(self) -> str: ...
    @property
    def peer(self) -> str: ...

    def header(self, name: bytes, /) -> Sequence[bytes]:
        """The values of a header in the order sent; its name in any case, quickest in lower case.

        Under WSGI it is one value, for servers join those of a header that is there several times by commas.
        """
