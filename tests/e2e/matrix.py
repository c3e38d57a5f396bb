"""A real Matrix homeserver (Synapse): what format `matrix` sends arrives, once, and its answers are read.

What must hold: a test arrives; DOWN and UP of sites with hostile names arrive in this order and mention nobody; a limit on
messages (M_LIMIT_EXCEEDED) delays them and loses none; a wrong token and a wrong room pause the channel, in the server's
own words; a message that is sent again with its id is one event.
Needs Synapse in its own environment, since it brings many packages:
    python3 -m venv V && V/bin/pip install matrix-synapse
    SITEWATCH=target/release/sitewatch SYNAPSE=V/bin/python python3 tests/e2e/matrix.py
"""

import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

from common import Servers, free_port, until

SITEWATCH, SYNAPSE = os.environ["SITEWATCH"], os.environ["SYNAPSE"]
SITES = 6  # more than the server takes at once
status = 200


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"@room <b>x</b> http://evil.example"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Homeserver:
    def __init__(self, root, servers):
        self.url, self.token = f"http://127.0.0.1:{free_port()}", None
        port, config = self.url.rsplit(":", 1)[1], root / "homeserver.yaml"
        words = [SYNAPSE, "-m", "synapse.app.homeserver", "--config-path", config]
        subprocess.run([*words, "--server-name", "test.local", "--generate-config", "--report-stats=no"],
                       cwd=root, check=True, capture_output=True, timeout=60)
        text = config.read_text()
        listener = (f"listeners:\n  - port: {port}\n    type: http\n    bind_addresses: ['127.0.0.1']\n"
                    "    resources: [{names: [client]}]\n")
        text = re.sub(r"listeners:.*?(?=database:)", lambda _: listener, text, flags=re.S)
        text = re.sub(r"trusted_key_servers:.*", "trusted_key_servers: []\n", text, flags=re.S)
        text += ("enable_registration: true\nenable_registration_without_verification: true\n"
                 "rc_message: {per_second: 0.5, burst_count: 2}\n")
        config.write_text(text)
        servers.start(*words, cwd=root, log=root / "synapse.log")
        until("Synapse answers", lambda: self.ask("GET", "versions", base="/_matrix/client/"))

    def ask(self, method, path, body=None, base="/_matrix/client/v3/"):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except OSError:
            return None

    def messages(self, room):
        chunk = self.ask("GET", f"rooms/{room}/messages?dir=f&limit=200")["chunk"]
        return [event["content"] for event in chunk if event["type"] == "m.room.message"]


def configure(root, home, token, room, port):
    sites = "".join(
        f'[[monitor]]\nname = "shop {n} @room *x*"\nurl = "http://127.0.0.1:{port}/{n}?token=q"\n' for n in range(SITES)
    )
    (root / "monitors.toml").write_text(f"""
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
[alerts]
group_wait = "1s"
group_limit = {SITES}
[defaults]
interval = "1s"
timeout = "1s"
retry_interval = "300ms"
[[channel]]
name = "room"
format = "matrix"
url = "{home.url}"
token = "{token}"
chat = "{room}"
{sites}""")


def ask(root, *words):
    done = subprocess.run([SITEWATCH, *words, "--config", root / "monitors.toml"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def main():
    global status
    root, servers = pathlib.Path(tempfile.mkdtemp(prefix="sitewatch-matrix-")), Servers()
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    port = site.server_address[1]
    try:
        home = Homeserver(root, servers)
        user = {"username": "sw", "password": "a-long-password", "auth": {"type": "m.login.dummy"}}
        home.token = home.ask("POST", "register", user)["access_token"]
        room = home.ask("POST", "createRoom", {"name": "alerts"})["room_id"]
        for token, to, code, words in [
            (home.token, room, 0, "accepted: 200 OK"),
            ("a-wrong-token", room, 1, "M_UNKNOWN_TOKEN"),
            (home.token, "!nowhere:test.local", 1, "M_FORBIDDEN"),
        ]:
            configure(root, home, token, to, port)
            came, said = ask(root, "channel", "test", "room")
            assert came == code and words in said, said
            assert home.token not in said, said
        configure(root, home, home.token, room, port)
        servers.start(SITEWATCH, "run", "--config", root / "monitors.toml", log=root / "log")
        until("all sites are up", lambda: ask(root, "status")[1].count("  up ") == SITES)
        status = 503
        until("all DOWNs arrive", lambda: told(home, room, "DOWN 503") == SITES)
        status = 200
        until("all UPs arrive", lambda: told(home, room, "UP after") == SITES)
        assert "M_LIMIT_EXCEEDED" in (root / "log").read_text(), "the server limited nothing"
        messages = home.messages(room)
        assert len(messages) == 1 + 2 * SITES, [message["body"].splitlines()[0] for message in messages]
        for message in messages:
            assert message["m.mentions"] == {}, message
            plain = re.sub(r"<(pre|code)>.*?</\1>", "", message["formatted_body"], flags=re.S)
            assert "@room" not in plain and "<b>" not in plain, plain
            assert "?token=q" not in json.dumps(message), message
        heads = [message["body"].splitlines()[0] for message in messages[1:]]
        for n in range(SITES):
            own = [head.split(" ")[0] for head in heads if f"shop {n} " in head]
            assert own == ["DOWN", "UP"], own
        body = {"msgtype": "m.text", "body": "twice"}
        path = f"rooms/{room}/send/m.room.message/msg_same"
        until("a message is taken", lambda: "event_id" in home.ask("PUT", path, body))
        first, second = (home.ask("PUT", path, body)["event_id"] for _ in range(2))
        assert first == second, (first, second)
        print(f"matrix: {len(messages)} messages, each once")
    finally:
        servers.end()
        site.shutdown()
        shutil.rmtree(root, ignore_errors=True)


def told(home, room, word):
    return sum(message["body"].startswith(word) for message in home.messages(room))


main()
