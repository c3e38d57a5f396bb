"""Those who follow the events, killed a thousand times, and the daemon as often.

Twenty shops go up and down, somebody mutes them, and ten processes follow the events, each killed again and
again at moments of its own and started after the last cursor that it printed. The daemon is killed, too. What must hold:
each follower got each event once and in order, those that the database has; and the database has each change once: the
begin and the end of each incident, and the way of each message.
Run by tests/e2e/run with 20 kills, or by hand: SITEWATCH=target/debug/sitewatch python3 tests/e2e/followers.py [KILLS]
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SITEWATCH = os.environ["SITEWATCH"]
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
SHOPS = 20
FOLLOWERS = 10
SPELL = 3.0  # seconds that a shop stays up, or down
# Seconds from a start to the kill, of a follower and of the daemon: it needs some time to write anything.
FOLLOWER_LIVES = (0.1, 6.0)
DAEMON_LIVES = (0.2, 1.4)
PATIENCE = 60.0


class Site(socketserver.StreamRequestHandler):
    well = False

    def handle(self):
        with contextlib.suppress(OSError, IndexError):
            number = int(self.rfile.readline().split()[1].rsplit(b"/", 1)[1])
            while self.rfile.readline().strip():
                pass
            is_down = not Site.well and int(time.time() / SPELL + number * 0.37) % 2
            status = b"503 Service Unavailable" if is_down else b"200 OK"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n")


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


def configuration(port):
    head = """
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
shutdown_grace = "2s"
[email]
directory = "mails"
from = "sitewatch <sitewatch@example.com>"
to = ["ops@example.com"]
[alerts]
group_wait = "200ms"
group_interval = "1s"
flapping = { changes = 1000, within = "10m" }
[defaults]
interval = "1s"
timeout = "1s"
retry_interval = "100ms"
failures_before_down = 1
successes_before_up = 1
"""
    shops = (
        f'[[monitor]]\nname = "shop{n}"\nurl = "http://127.0.0.1:{port}/{n}"\nto = ["shop{n}@example.com"]\n'
        for n in range(SHOPS)
    )
    return head + "".join(shops)


def command(file, *words):
    return [SITEWATCH, *words, "--config", str(file)]


class Killed:
    """Something that is killed and started again, by a thread of its own."""

    def __init__(self, seed, lives):
        self.dice = random.Random(seed)
        self.lives = lives
        self.kills = 0
        self.is_over = threading.Event()
        self.process = None
        self.thread = threading.Thread(target=self.live, daemon=True)

    def live(self):
        while not self.is_over.is_set():
            self.start()
            if self.is_over.wait(self.dice.uniform(*self.lives)):
                break
            self.process.kill()
            self.kills += 1
            self.buried()

    def end(self):
        self.is_over.set()
        self.thread.join(PATIENCE)


class Follower(Killed):
    """`events --follow`, resumed after the last cursor that came."""

    def __init__(self, file, seed):
        super().__init__(seed, FOLLOWER_LIVES)
        self.file = file
        self.events = []
        self.reader = None

    def start(self):
        after = self.events[-1]["cursor"] if self.events else "oldest"
        words = command(self.file, "events", "--follow", "--json", "--after", after)
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, args=[self.process], daemon=True)
        self.reader.start()

    def read(self, process):
        for line in process.stdout:
            # A line that the kill cut is none; it comes again.
            if line.endswith("\n"):
                self.events.append(json.loads(line))

    def buried(self):
        status = self.process.wait()
        assert status == -9, f"a follower ended by itself with {status}"
        self.reader.join()

    def stop(self, newest):
        """Once it has all of them."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and (not self.events or int(self.events[-1]["cursor"]) < newest):
            time.sleep(0.1)
        self.process.kill()
        self.buried()


class Daemon(Killed):
    def __init__(self, root, file):
        super().__init__(1, DAEMON_LIVES)
        self.root, self.file = root, file

    def start(self):
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(command(self.file, "run"), stdout=log, stderr=log)

    def buried(self):
        status = self.process.wait()
        assert status == -9, f"the daemon ended by itself with {status}"


def give_orders(file, is_over):
    """Mutes that the daemon takes, or does not where it is away; how many it took."""
    taken = collections.Counter()
    dice = random.Random(2)
    while not is_over.wait(0.5):
        asked = subprocess.run(command(file, "mute", "--for", "1s", f"shop{dice.randrange(SHOPS)}"), capture_output=True, timeout=PATIENCE)
        if asked.returncode == 0:
            taken["mute"] += 1
    return taken


def each_change_once(database, events, taken):
    """The events against what the tables have of incidents and messages."""
    begun, ended = collections.Counter(), collections.Counter()
    for event in events:
        if event["type"] == "state" and event["to"] == "down":
            begun[event["incident"]] += 1
        if event["type"] == "state" and event["from"] == "down" and event["to"] in ("up", "degraded"):
            ended[event["monitor"]] += 1
    rows = database.execute(
        "SELECT name, monitor_id || '-' || opened_at, closed_at FROM incidents JOIN monitors ON monitors.id = monitor_id"
    ).fetchall()
    assert begun == collections.Counter(key for _, key, _ in rows), "the begins of incidents are not the events"
    closed = collections.Counter(name for name, _, closed_at in rows if closed_at is not None)
    assert ended == closed, f"the ends of incidents are not the events: {ended} {closed}"
    told = collections.Counter((event["id"], event["outcome"]) for event in events if event["type"] == "delivery")
    wanted = collections.Counter()
    for number, state in database.execute("SELECT id, state FROM outbox"):
        wanted[number, "queued"] = 1
        if state != "waiting":
            wanted[number, state] = 1
    assert told == wanted, f"the ways of messages are not the events: {told - wanted} {wanted - told}"
    orders = collections.Counter(event["order"] for event in events if event["type"] == "order")
    # The daemon may have been killed between an order and its answer.
    for order, count in taken.items():
        assert orders[order] >= count, f"{orders[order]} events of {order}, {count} were taken"
    return len(rows)


def main():
    root = pathlib.Path(tempfile.mkdtemp(prefix="sitewatch-followers-"))
    server = Server(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = root / "monitors.toml"
    file.write_text(configuration(server.server_address[1]))
    daemon = Daemon(root, file)
    # Before the first start there is no database to follow.
    daemon.start()
    until = time.monotonic() + PATIENCE
    while subprocess.run(command(file, "events"), capture_output=True, timeout=PATIENCE).returncode and time.monotonic() < until:
        time.sleep(0.1)
    daemon.process.kill()
    daemon.buried()
    followers = [Follower(file, seed) for seed in range(100, 100 + FOLLOWERS)]
    over = threading.Event()
    taken = collections.Counter()
    orders = threading.Thread(target=lambda: taken.update(give_orders(file, over)), daemon=True)
    try:
        for one in [daemon, *followers]:
            one.thread.start()
        orders.start()
        while sum(follower.kills for follower in followers) < KILLS or daemon.kills < KILLS:
            time.sleep(0.2)
            assert all(one.thread.is_alive() for one in [daemon, *followers]), "somebody ended by itself"
        over.set()
        orders.join()
        daemon.end()
        Site.well = True
        time.sleep(5)
        daemon.process.terminate()
        assert daemon.process.wait(PATIENCE) == 0
        asked = subprocess.run(
            command(file, "events", "--json", "--after", "oldest"), capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        events = [json.loads(line) for line in asked.stdout.splitlines()]
        for follower in followers:
            follower.end()
            follower.stop(int(events[-1]["cursor"]))
            assert follower.events == events, f"{len(follower.events)} followed, {len(events)} asked for"
        cursors = [int(event["cursor"]) for event in events]
        assert cursors == sorted(set(cursors)), "cursors do not grow"
        assert not list(root.glob("*.damaged-*")), "a database was set aside"
        with contextlib.closing(sqlite3.connect(root / "sitewatch.db")) as database:
            incidents = each_change_once(database, events, taken)
        print(f"followers: {sum(follower.kills for follower in followers)} kills of {FOLLOWERS} followers, {daemon.kills} of the daemon; "
              f"{len(events)} events of {incidents} incidents and {taken.total()} orders, each of them once with each follower")
    except BaseException:
        sys.stderr.write((root / "log").read_text()[-3000:])
        raise
    finally:
        over.set()
        for one in [daemon, *followers]:
            one.is_over.set()
            if one.process:
                one.process.kill()
        server.shutdown()


main()
