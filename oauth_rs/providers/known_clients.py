"""Tokens of known clients alone, for providers whose clients are not all ours.

The client of a token must be registered and not disabled. Does not check that the client is the caller.
"""

from ..clients import ClientRegistry, known
from ..errors import InvalidToken
from ..flow import Flow


def admit(clients: ClientRegistry | None, client_id: str) -> Flow[None]:
    """Returns when `client_id` is one of `clients`, which are all where that is None.

    Raises InvalidToken (`client_not_registered`) and Unavailable as the registry does.
    """
    if clients is None:
        return
    is_known = known(clients, client_id)
    if not (is_known if isinstance(is_known, bool) else (yield from is_known)):
        raise InvalidToken("client_not_registered", "The client of the access token is not registered here.")
