"""What channels send, beside what Apprise sends to the same services: a second reading of their documentation.

Our requests are those that the tests keep (tests/it/channels/*.json). Address, login and names of keys have to agree. What
format `apprise` sends is given to Apprise itself, which has to take it and pass it on word for word.
Run by tests/e2e/run, which installs Apprise, or by hand: python3 tests/e2e/apprise.py
"""

import datetime
import http.server
import importlib
import json
import pathlib
import re
import sys
import threading
from unittest import mock

# Not this file.
here = str(pathlib.Path(__file__).parent)
sys.path = [path for path in sys.path if path not in ("", here)]
apprise = importlib.import_module("apprise")

KEPT = pathlib.Path(here).parent / "it/channels"

# Format: how Apprise names the service, and keys that both have to send.
SERVICES = {
    "gotify": ("gotifys://gotify.example.com/t0ken", {"title", "message", "priority"}),
    "ntfy": ("ntfys://t0ken@ntfy.example.com/alerts?auth=token", {"topic", "title", "message"}),
    "telegram": ("tgram://123456789:abcdefghijklmnop/-100123", {"chat_id", "text", "parse_mode"}),
    "pushover": (f"pover://{'u' * 30}@{'t' * 30}", {"token", "user", "title", "message", "priority"}),
    "pagerduty": (
        f"pagerduty://{'i' * 32}@apikey/source",
        {"routing_key", "event_action", "payload", "payload.summary", "payload.severity", "payload.source"},
    ),
    "opsgenie": (f"opsgenie://{'t0ken-' * 5}t0ken", {"message", "description", "priority", "source"}),
    "discord": (f"discord://{'1' * 18}/{'x' * 64}", set()),
    "slack": ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", {"mrkdwn"}),
    "matrix": ("matrixs://user:pass@matrix.example.com/!abc:example.com", {"msgtype", "body"}),
}


class Answer:
    """Whatever the service would say: yes."""

    status_code, ok, reason, headers = 200, True, "OK", {}
    elapsed = datetime.timedelta(0)
    content = json.dumps({
        "ok": True, "result": {"message_id": 1}, "access_token": "a", "home_server": "h", "user_id": "@u:h",
        "room_id": "!abc:example.com", "requestId": "x", "event_id": "e",
    }).encode()
    text = content.decode()

    def json(self):
        return json.loads(self.content)

    def raise_for_status(self):
        pass


def keys(body):
    found = set(body)
    for key, value in body.items():
        if isinstance(value, dict):
            found |= {f"{key}.{inner}" for inner in value}
    return found


def shape(request):
    """An address without what is of this token, this room and this message."""
    method, url = request.split(" ", 1)
    url = url.rstrip("/").split("?")[0]
    url = re.sub(r"/bot[^/]+/", "/bot/", url)
    url = re.sub(r"(/services|/webhooks)/.*", r"\1", url)
    url = re.sub(r"(m\.room\.message)/.*", r"\1", url)
    return f"{method} {url}"


def login(headers):
    """Names of the header fields that carry a token, and the scheme."""
    fields = {name.lower(): value for name, value in headers}
    known = {"x-gotify-key": fields.get("x-gotify-key"), "authorization": fields.get("authorization", "").split(" ")[0]}
    return {name: value for name, value in known.items() if value}


def theirs(url):
    """The last request that Apprise sends for a message."""
    seen = []

    def send(method):
        def sent(address, *_, **options):
            body = options.get("data") or options.get("json") or {}
            body = json.loads(body) if isinstance(body, (str, bytes)) else body
            seen.append((f"{method} {address}", list((options.get("headers") or {}).items()), body))
            return Answer()
        return sent

    def request(method, address, **options):
        return send(method.upper())(address, **options)

    with mock.patch.multiple(
        "requests", post=send("POST"), put=send("PUT"), get=send("GET"), request=request
    ):
        one = apprise.Apprise()
        assert one.add(url), url
        one.notify(title="DOWN 503 shop", body="it answers 503", notify_type="failure", body_format="text")
    assert seen, url
    return seen[-1]


def compare(name):
    url, wanted = SERVICES[name]
    (sent, headers, body), ours = theirs(url), json.loads((KEPT / f"{name}.json").read_text())[0]
    assert shape(sent) == shape(ours["request"]), f"{name}: {sent} and {ours['request']}"
    own = [tuple(line.split(": ", 1)) for line in ours["headers"]]
    # PagerDuty's events need no login beside the routing key, which Apprise sends all the same.
    if name != "pagerduty":
        assert login(headers) == login(own), f"{name}: {headers} and {own}"
    for whose, found in (("Apprise", keys(body)), ("sitewatch", keys(ours["body"]))):
        assert wanted <= found, f"{name}: {whose} does not send {wanted - found}"


class Receiver(http.server.BaseHTTPRequestHandler):
    came = []

    def do_POST(self):
        self.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def taken():
    """What format `apprise` sends, through Apprise to a receiver of its own JSON."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    one = apprise.Apprise()
    assert one.add(f"json://127.0.0.1:{server.server_port}/")
    kept = json.loads((KEPT / "apprise.json").read_text())
    for message in (request["body"] for request in kept):
        assert one.notify(
            title=message["title"], body=message["body"], notify_type=message["type"], body_format=message["format"]
        ), message
        came = Receiver.came[-1]
        assert (came["title"], came["type"]) == (message["title"], message["type"]), came
        assert came["message"].split() == message["body"].split(), came
    return len(kept)


for service in SERVICES:
    compare(service)
print(f"Apprise {apprise.__version__}: {len(SERVICES)} services are asked alike, {taken()} messages were passed on")
