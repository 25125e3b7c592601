"""`python -m benchmarks.load URL HEADER SECONDS CONNECTIONS`: a small load, for machines without `wrk`.

Keeps one request under way on each connection, and prints how many were answered as `wrk` does.
"""

import asyncio
import sys
import time
from urllib.parse import urlsplit

_END = b"ok"  # how the body of every answer ends


class Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, request: bytes) -> None:
        self.answered = 0
        self._request = request
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(_END):
            return
        if not self._answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit("Non-2xx answer")
        self._answer = b""
        self.answered += 1
        self._transport.write(self._request)


async def main(url: str, header: str, seconds: float, connections: int) -> None:
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 80
    request = f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n{header}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [(await loop.create_connection(lambda: Connection(request), host, port))[1] for _ in range(connections)]
    await asyncio.sleep(seconds)
    print(f"Requests/sec: {sum(one.answered for one in opened) / (time.perf_counter() - started):.1f}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
