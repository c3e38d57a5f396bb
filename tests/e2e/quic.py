"""HTTP/3 by aioquic: a server, and a client that nobody of this project wrote.

    quic.py serve PORT CERT KEY [ALPN]     answers 200 to everything; `/503` with 503
    quic.py get PORT CA NAME PATH          exit status 0 if the answer is 200
"""

import asyncio
import ssl
import sys

from aioquic.asyncio import connect, serve
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated

PATIENCE = 4  # seconds for one answer


class Server(QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated) and event.alpn_protocol == "h3":
            self.http = H3Connection(self._quic)
        if self.http is None:
            return
        for what in self.http.handle_event(event):
            if isinstance(what, HeadersReceived):
                asked = dict(what.headers)
                status = b"503" if asked[b":path"] == b"/503" else b"200"
                is_head = asked[b":method"] == b"HEAD"
                head = [(b":status", status), (b"content-length", b"3")]
                self.http.send_headers(what.stream_id, head, end_stream=is_head)
                if not is_head:
                    self.http.send_data(what.stream_id, b"ok\n", end_stream=True)
                self.transmit()


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.http = H3Connection(self._quic)
        self.status = None
        self.done = asyncio.get_running_loop().create_future()

    async def get(self, name, path):
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(
            stream,
            [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", name.encode()), (b":path", path.encode())],
            end_stream=True,
        )
        self.transmit()
        return await self.done

    def quic_event_received(self, event):
        for what in self.http.handle_event(event):
            if isinstance(what, HeadersReceived):
                self.status = int(dict(what.headers)[b":status"])
            if isinstance(what, (HeadersReceived, DataReceived)) and what.stream_ended and not self.done.done():
                self.done.set_result(self.status)


async def run_server(port, cert, key, alpn="h3"):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=[alpn])
    configuration.load_cert_chain(cert, key)
    await serve("127.0.0.1", int(port), configuration=configuration, create_protocol=Server)
    print("ready", flush=True)
    await asyncio.Future()


async def get(port, ca, name, path):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=name)
    configuration.verify_mode = ssl.CERT_REQUIRED
    configuration.load_verify_locations(ca)
    async with connect("127.0.0.1", int(port), configuration=configuration, create_protocol=Client) as client:
        return await client.get(name, path)


def main():
    command, *arguments = sys.argv[1:]
    if command == "serve":
        asyncio.run(run_server(*arguments))
        return
    try:
        status = asyncio.run(asyncio.wait_for(get(*arguments), PATIENCE))
    except Exception as error:  # whatever it is, there is no answer
        print(f"{type(error).__name__}: {error}")
        sys.exit(1)
    print(status)
    sys.exit(0 if status == 200 else 1)


main()
