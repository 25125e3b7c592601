"""The development authorization server: issues and explains access tokens to demos, examples and tests.

It is not for production: keys and clients live in memory, transport is plain HTTP, and whoever reaches it
can mint any token. It needs the extra `oauth_rs[devserver]`.
"""

from oauth_rs.devserver.clients import Client
from oauth_rs.devserver.faults import Answer, Drop, Flood, Slow
from oauth_rs.devserver.foreground import serve
from oauth_rs.devserver.running import DevServer
from oauth_rs.devserver.users import User

__all__ = ["Answer", "Client", "DevServer", "Drop", "Flood", "Slow", "User", "serve"]
