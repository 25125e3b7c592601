"""The development authorization server: issues RFC 9068 access tokens to demos, examples and tests.

It is not for production: keys and clients live in memory, transport is plain HTTP, and whoever reaches it
can mint any token. It needs the extra `oauth_rs[devserver]`.
"""

from oauth_rs.devserver.grants import Client
from oauth_rs.devserver.running import DevServer, serve

__all__ = ["Client", "DevServer", "serve"]
