"""Connections that are slow, or never end, keep nobody else out.

Each has to send a whole request within `SECONDS`; where `MOST` are open, one that is sending or
idle makes room for a new one: of the address that has most of them, that which began first. A
request that is being answered is never cut off.
"""

import collections

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 5.0  # from the first byte of a request, or from the connection, to the last byte
MOST = 400  # open at once
MOST_HEAD = 16_384  # bytes of a request line and headers
ANSWER = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Hurried(HttpToolsProtocol):
    """The HTTP of uvicorn, for clients that nobody knows."""

    seconds = SECONDS
    most = MOST
    since = None  # when it began to send or to be idle; None: its request is here
    timer = None
    head = 0  # bytes of a head that has no end yet

    def connection_made(self, transport):
        """A client has come."""
        if len(self.connections) >= self.most:
            self.make_room()
        super().connection_made(transport)
        self.wait()

    def make_room(self):
        """Closes, of the address with most connections that are waited for, the oldest one."""
        waiting = collections.defaultdict(list)
        for connection in self.connections:
            if getattr(connection, "since", None) is not None:
                waiting[connection.client and connection.client[0]].append(connection)
        if waiting:
            most = max(waiting.values(), key=len)
            min(most, key=lambda connection: connection.since).give_up("503 Service Unavailable")

    def wait(self):
        """Begins to wait for a request."""
        self.stop_waiting()
        self.since = self.loop.time()
        self.timer = self.loop.call_later(self.seconds, self.give_up, "408 Request Timeout")

    def stop_waiting(self):
        """Waits no longer: the request is here, or nobody is."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.since = None

    def give_up(self, status):
        """Closes the connection."""
        self.stop_waiting()
        self.connections.discard(self)  # now, not when the loop comes to it
        if self.transport.is_closing():
            return
        if self.may_answer():
            self.transport.write(ANSWER.format(status).encode())
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # it does not even read
        else:
            self.transport.close()

    def may_answer(self):
        """Whether what is written now is the answer to the request that is not here."""
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self.cycle.more_body and not self.cycle.response_started and not self.pipeline

    def data_received(self, data):
        """Some bytes have come."""
        if self.head is not None:
            self.head += len(data)
        super().data_received(data)
        if self.head is not None and self.head > MOST_HEAD:
            self.give_up("431 Request Header Fields Too Large")

    def on_message_begin(self):
        """A request begins, perhaps the next one of this connection."""
        super().on_message_begin()
        self.head = 0
        self.wait()

    def on_headers_complete(self):
        """The body follows, if there is one."""
        self.head = None
        super().on_headers_complete()

    def on_message_complete(self):
        """All of a request is here."""
        self.stop_waiting()
        super().on_message_complete()

    def on_response_complete(self):
        """The answer is sent; another request may come."""
        super().on_response_complete()
        if not self.transport.is_closing() and not self.pipeline and self.since is None:
            self.wait()

    def connection_lost(self, exc):
        """The client has gone."""
        self.stop_waiting()
        super().connection_lost(exc)
