"""A loaded writer, killed a hundred times.

Three hundred sites a second go up and down; again and again the daemon is killed without warning. Ten of them are told,
by mail and by two channels whose services refuse, hang, hang up, answer 500, 429 and 410 by turns. What must hold after
each kill: the database is whole, and every incident and every end of one that another process had seen is still there.
In the end the reports agree with a recomputation from the raw checks; every message was taken by its service, DOWN before
UP; none was taken twice unless the daemon was killed or got no answer in between, and then with the same id.
Run by tests/e2e/run with twenty kills, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/kills.py [KILLS]
"""

import collections
import contextlib
import datetime
import http.server
import json
import os
import pathlib
import random
import sqlite3
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

SITEWATCH = os.environ["SITEWATCH"]
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
SITES = 300
TOLD = 30  # every so many sites are told
SPELL = 4  # seconds that a site stays up, or down


class Site(socketserver.StreamRequestHandler):
    well = False

    def handle(self):
        with contextlib.suppress(OSError, IndexError):
            number = int(self.rfile.readline().split()[1].rsplit(b"/", 1)[1])
            while self.rfile.readline().strip():
                pass
            # A third goes up and down, each at times of its own.
            down = not Site.well and number % 3 == 0 and int(time.time() + number * 0.37) // SPELL % 2
            status = b"503 Service Unavailable" if down else b"200 OK"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n")


class Hooks(http.server.BaseHTTPRequestHandler):
    """The services of both channels: each answers its requests by turns, until all is to be well."""

    ACTS = ["hang", "ok", "cut", "ok", 500, "ok", 429, "ok", "ok", 410, "ok"]
    turns = collections.Counter()
    well = False
    came = []  # (channel, id, what it tells, when, whether it was taken)
    lock = threading.Lock()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        channel = self.path.strip("/").split("/")[0]
        key = self.headers.get("webhook-id") or self.headers["Idempotency-Key"]
        with self.lock:
            self.turns[channel] += 1
            act = "ok" if self.well else self.ACTS[self.turns[channel] % len(self.ACTS)]
            tells = body.get("event_action") or body["kind"]
            self.came.append((channel, key, tells, time.time(), act == "ok"))
        if act == "hang":
            time.sleep(3)
            return
        if act == "cut":
            return
        with contextlib.suppress(OSError):
            status = 202 if act == "ok" else act
            answer = b'{"status": "success"}' if status == 202 else b"no"
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024


def configuration(port, hooks):
    head = f"""
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
shutdown_grace = "2s"
[email]
directory = "mails"
from = "sitewatch <sitewatch@example.com>"
to = ["ops@example.com"]
[alerts]
group_wait = "500ms"
group_interval = "2s"
flapping = {{ changes = 1000, within = "10m" }}
[[channel]]
name = "hook"
format = "json"
url = "http://127.0.0.1:{hooks}/hook"
timeout = "1s"
[[channel]]
name = "pager"
format = "pagerduty"
url = "http://127.0.0.1:{hooks}/pager"
token = "a-routing-key"
timeout = "1s"
[defaults]
interval = "1s"
timeout = "1s"
failures_before_down = 1
successes_before_up = 1
"""
    told = '["ops@example.com", "hook", "pager"]'
    sites = (
        f'[[monitor]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}/{n}"\nto = {"[]" if n % TOLD else told}\n'
        for n in range(SITES)
    )
    return head + "".join(sites)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def ask(file, *arguments):
    done = subprocess.run([SITEWATCH, *arguments, "--json", "--config", str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def incidents(file):
    return {row["id"]: row["closed_at"] for row in ask(file, "incidents", "--since", "1d")}


def settled(file):
    """All sites are up and all services take what comes: waits until nothing is open and nothing waits. A pager takes one
    message after the other: as long as they grow fewer it goes on."""
    fewest, until = None, time.monotonic() + 180
    while True:
        subprocess.run([SITEWATCH, "email", "retry", "--config", str(file)], capture_output=True, timeout=120)
        time.sleep(3)
        is_open = [row for row in ask(file, "incidents", "--since", "1d") if not row["closed_at"]]
        waits = ask(file, "email", "queue")
        if not is_open and not waits:
            return
        if fewest is None or len(waits) < fewest:
            fewest, until = len(waits), time.monotonic() + 60
        assert time.monotonic() < until, f"{len(is_open)} are open, {len(waits)} wait: {waits[:3]}"


def deliveries(file, mails, killed):
    """Compares what `incidents` says was sent with what came. Answers how many messages of channels there were."""
    taken = collections.defaultdict(list)  # of each message: when it was taken
    first = {}
    for channel, key, _, at, is_taken in Hooks.came:
        first.setdefault((channel, key), at)
        if is_taken:
            taken[channel, key].append(at)
    for key, times in taken.items():
        for before, after in zip(times, times[1:]):
            assert any(before - 1 <= at <= after for at in killed), f"{key} was taken twice: {times}, kills {killed}"
    ids = set()
    for path in mails.glob("*.eml"):
        line = next(line for line in path.read_text().splitlines() if line.lower().startswith("message-id:"))
        ids.add(line.split("<")[1].split(">")[0])
    for incident in ask(file, "incidents", "--since", "1d"):
        told = collections.defaultdict(dict)
        for mail in incident["mails"]:
            assert mail["sent_at"], f"not sent: {incident['monitor']} {mail}"
            told[mail["to"]][mail["kind"]] = mail["message_id"]
        for to, kinds in told.items():
            if "@" in to:
                assert set(kinds.values()) <= ids, (incident["monitor"], to, kinds)
                continue
            assert "down" in kinds, (incident["monitor"], to, kinds)
            moments = [first.get((to, key)) for kind, key in sorted(kinds.items())]
            assert all(moments), f"lost: {incident['monitor']} {to} {kinds}"
            assert moments == sorted(moments), f"UP before DOWN: {incident['monitor']} {to} {kinds} {moments}"
    return len(taken)


def recomputed(checks, now):
    """Seconds up, down and unknown: each check speaks until the next one, for at most two intervals."""
    time_in = collections.Counter()
    for check, after in zip(checks, [*checks[1:], None]):
        begun = moment(check["at"])
        end = moment(after["at"]) if after else now
        spoken = min(end - begun, 2.0)
        time_in[check["state"]] += spoken
        time_in["unknown"] += end - begun - spoken
    return time_in


def main():
    dice = random.Random(7)
    root = pathlib.Path(tempfile.mkdtemp(prefix="sitewatch-kills-"))
    server = Server(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hooks = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
    threading.Thread(target=hooks.serve_forever, daemon=True).start()
    file = root / "monitors.toml"
    file.write_text(configuration(server.server_address[1], hooks.server_address[1]))
    acknowledged = {}
    killed = []
    daemon = None
    try:
        for kill in range(KILLS):
            with (root / "log").open("ab") as log:
                daemon = subprocess.Popen([SITEWATCH, "run", "--config", str(file)], stdout=log, stderr=log)
            time.sleep(dice.uniform(1.0, 3.0))
            if (root / "sitewatch.db").exists() and kill:
                acknowledged.update(incidents(file))
            time.sleep(dice.uniform(0.0, 0.3))
            daemon.kill()
            daemon.wait()
            killed.append(time.time())
            with contextlib.closing(sqlite3.connect(root / "sitewatch.db")) as database:
                said = database.execute("PRAGMA integrity_check").fetchone()[0]
                assert said == "ok", f"kill {kill}: {said}"
            kept = incidents(file)
            for key, closed_at in acknowledged.items():
                assert key in kept, f"kill {kill}: incident {key} is lost"
                assert closed_at in (None, kept[key]), f"kill {kill}: the end of incident {key} is lost"
        with (root / "log").open("ab") as log:
            daemon = subprocess.Popen([SITEWATCH, "run", "--config", str(file)], stdout=log, stderr=log)
        time.sleep(4)
        Site.well = Hooks.well = True
        settled(file)
        messages = deliveries(file, root / "mails", killed)
        daemon.terminate()
        assert daemon.wait(60) == 0
        daemon = None
        compared = 0
        for row in ask(file, "report", "--period", "1d"):
            checks = ask(file, "history", row["monitor"], "--limit", "1000000", "--since", "1d")
            checks.sort(key=lambda check: check["at"])
            raw = recomputed(checks, moment(row["to"]))
            compared += len(checks)
            assert row["checks"] == len(checks), (row["monitor"], row["checks"], len(checks))
            for state, key in (("up", "up_s"), ("down", "downtime_s"), ("unknown", "unknown_s")):
                assert abs(row[key] - raw[state]) < 0.01, (row["monitor"], state, row[key], raw)
        print(f"kills: {KILLS} kills, {len(acknowledged)} incidents seen before one and all kept, database whole each time; "
              f"{compared} checks of {SITES} sites add up to their reports; {messages} messages of two channels, none lost or doubled")
    except BaseException:
        sys.stderr.write((root / "log").read_text()[-3000:])
        raise
    finally:
        if daemon and daemon.poll() is None:
            daemon.kill()
            daemon.wait()
        server.shutdown()
        hooks.shutdown()


main()
