"""Answers that come early, over loopback and over a pair of virtual interfaces.

Three servers: one answers as soon as it is connected to, before it has read anything; one refuses a large POST without
reading it; one is a proxy that refuses a tunnel, or opens it with another code than 200. Each check must say the same
every time, in whichever order the packets arrive.
Run by tests/e2e/run with fifty rounds, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/answers.py [ROUNDS]
The virtual pair needs root; without it that half is left out, and the last line says so.
"""

import collections
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading

SITEWATCH = os.environ["SITEWATCH"]
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
BODY_BYTES = 3_000_000
SPACE = f"answers{os.getpid()}"
HERE, THERE = "198.18.77.1", "198.18.77.2"


def head(peer):
    """Reads a request up to its empty line, and no further."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        piece = peer.recv(1)
        if not piece:
            break
        seen += piece
    return seen


def at_accept(peer):
    peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n")
    head(peer)


def refusal_at_accept(peer):
    peer.sendall(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 5\r\n\r\nbusy\n")
    head(peer)


def refused_post(peer):
    """Leaves most of the body unread and closes: the kernel resets what still comes."""
    head(peer)
    peer.sendall(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbig\n")


def refusing_proxy(peer):
    head(peer)
    peer.sendall(b"HTTP/1.1 403 Forbidden by rule\r\nContent-Length: 7\r\n\r\ndenied\n")


def reset_after_tunnel(peer):
    """Any 2xx opens a tunnel; what follows is a fault of TLS then, not of the proxy."""
    head(peer)
    peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    peer.settimeout(2)
    peer.recv(4096)
    peer.sendall(b"this is no TLS\r\n")


# What a server does, what of a monitor leads to it, and what has to be said each time.
CASES = [
    ("an answer at accept", at_accept, "url", "", "up 200 "),
    ("a refusal at accept", refusal_at_accept, "url", "", "down 503 status"),
    ("a POST that is refused early", refused_post, "url", "post", "down 413 status"),
    ("a tunnel refused with 403", refusing_proxy, "proxy", "403 Forbidden by rule", "down None connect_refused"),
    ("a tunnel opened with 204", reset_after_tunnel, "proxy", "", "down None tls_handshake"),
]


def serve(address, act):
    """Listens in this process, one thread a connection. Returns the port."""
    listener = socket.create_server((address, 0), backlog=256)

    def one(peer):
        with contextlib.suppress(OSError):
            act(peer)
            if act is refused_post:
                # What was not read makes this a reset, after the answer.
                peer.close()
                return
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(2)
            while peer.recv(65536):
                pass
        peer.close()

    def loop():
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=one, args=(peer,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener.getsockname()[1]


def configuration(address, ports):
    text = '[daemon]\ndatabase = "sitewatch.db"\n[defaults]\ntimeout = "5s"\nmax_redirects = 0\n'
    for place, (_, _, kind, extra, _) in enumerate(CASES):
        text += f'[[monitor]]\nname = "case{place}"\n'
        if kind == "proxy":
            text += f'url = "https://site.invalid/"\nproxy = "http://{address}:{ports[place]}"\n'
        else:
            text += f'url = "http://{address}:{ports[place]}/"\n'
        if extra == "post":
            text += 'method = "POST"\nbody_file = "body"\n'
    return text


def said(check):
    kind = check.get("failure") or check.get("kind") or ""
    if isinstance(kind, dict):
        kind = kind.get("kind", "")
    return f"{check['state']} {check.get('status')} {kind}"


def run(where, address):
    ports = [serve(address, act) for _, act, _, _, _ in CASES]
    wrong = 0
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory, "monitors.toml")
        file.write_text(configuration(address, ports))
        pathlib.Path(directory, "body").write_bytes(b"x" * BODY_BYTES)
        for place, (name, _, _, extra, want) in enumerate(CASES):
            came = collections.Counter()
            for _ in range(ROUNDS):
                command = [*PREFIX[where], SITEWATCH, "check", f"case{place}", "--json", "--config", str(file)]
                out = subprocess.run(command, capture_output=True, text=True, timeout=60)
                try:
                    came[tell(out.stdout, extra if extra != "post" else "")] += 1
                except (ValueError, KeyError, IndexError) as error:
                    came[f"{error!r}: {out.stdout[:200]}{out.stderr[:200]}"] += 1
            right = came.get(want, 0)
            wrong += ROUNDS - right
            print(f"{where:<9} {name:<30} {right}/{ROUNDS}", "" if right == ROUNDS else dict(came), flush=True)
    return wrong


def tell(text, detail):
    check = json.loads(text)
    check = check["checks"][0] if "checks" in check else check
    line = said(check)
    if detail and detail not in text:
        return f"{line}, without `{detail}`"
    return line


PREFIX = {"loopback": [], "veth": ["ip", "netns", "exec", SPACE]}


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def pair():
    """Two interfaces: the servers are on this side, what checks them on the other."""
    ip("netns", "add", SPACE)
    try:
        near, far = f"a{os.getpid()}", f"b{os.getpid()}"
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", SPACE)
        ip("address", "add", f"{HERE}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", SPACE, "address", "add", f"{THERE}/30", "dev", far)
        ip("-n", SPACE, "link", "set", far, "up")
        ip("-n", SPACE, "link", "set", "lo", "up")
        yield
    finally:
        # Its end takes the interfaces with it.
        subprocess.run(["ip", "netns", "delete", SPACE], check=False)


def main():
    # The interfaces go also where it is ended before its time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wrong = run("loopback", "127.0.0.1")
    try:
        with pair():
            wrong += run("veth", HERE)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        print(f"the virtual pair was left out: {error}")
    sys.exit(1 if wrong else 0)


main()
