"""A load generator: so many connections that each ask again once they are answered, in one loop without threads.

`python -m tests.benchmarks.load PORT CONNECTIONS SECONDS < requests.json`: a list of {path, key, body}; the answer is
JSON: milliseconds median and p99, requests a second, and the first body.
"""

import json
import selectors
import socket
import statistics
import sys
import time
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200"


@dataclass
class Connection:
    """One connection with one request under way."""

    socket: socket.socket
    began: float = 0.0
    held: bytearray = field(default_factory=bytearray)
    needed: int = -1

    def ask(self, request: bytes) -> None:
        """Send a request; it fits into the buffers."""
        self.held.clear()
        self.needed = -1
        self.began = time.perf_counter()
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Take what has come; whether all of it is here."""
        self.held += self.socket.recv(1 << 20)
        if self.needed < 0:
            head, found, _ = bytes(self.held[:8192]).partition(b"\r\n\r\n")
            if found:
                self.needed = len(head) + 4 + _length(head)
        return 0 <= self.needed <= len(self.held)


def _length(head: bytes) -> int:
    if not head.startswith(OK):
        raise RuntimeError(f"not answered: {head[:200]!r}")
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise RuntimeError("an answer without its length")


def request(path: str, key: str, body: object) -> bytes:
    """A request as bytes."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def run(port: int, connections: int, seconds: float, requests: list[bytes]) -> dict[str, object]:
    """Ask in turn, from every connection."""
    chooser = selectors.DefaultSelector()
    taken: list[float] = []
    asked, first = 0, b""
    for _ in range(connections):
        connection = Connection(socket.create_connection(("127.0.0.1", port)))
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chooser.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask(requests[asked % len(requests)])
        asked += 1
    began = time.perf_counter()
    waiting = connections
    while waiting:
        for chosen, _ in chooser.select():
            connection = chosen.data
            if connection.answered():
                taken.append(time.perf_counter() - connection.began)
                first = first or bytes(connection.held)
                if time.perf_counter() - began < seconds:
                    connection.ask(requests[asked % len(requests)])
                    asked += 1
                else:
                    waiting -= 1
    took = time.perf_counter() - began
    ordered = sorted(taken)
    return {
        "median": statistics.median(ordered) * 1e3,
        "p99": ordered[int(len(ordered) * 0.99)] * 1e3,
        "per_second": len(taken) / took,
        "calls": len(taken),
        "first": first.partition(b"\r\n\r\n")[2].decode(),
    }


if __name__ == "__main__":
    todo = [request(one["path"], one["key"], one["body"]) for one in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), todo)))
