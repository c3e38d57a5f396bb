"""Deploys in maintenance windows, killed: the command, the process that runs it, the daemon, and who follows the events.

Twenty shops are deployed at a time, each by `sitewatch maintenance NAME --for 1500ms -- COMMAND`. Most of them go down
meanwhile, and in most deploys something is killed without warning. What must hold: no window is open for longer than
`--for`; a shop that is down at the end of its window is told then, and not before; the command's status is passed on;
who follows the events, and goes on after the last cursor that it got, sees every event once.
Run by tests/e2e/run with 5 rounds, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/windows.py [ROUNDS]
"""

import contextlib
import datetime
import json
import os
import pathlib
import random
import signal
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SITEWATCH = os.environ["SITEWATCH"]
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
SHOPS = 20
FOR = 1.5  # seconds that a window lasts at most
PATIENCE = 20.0  # seconds that a message may take after the window: a start of the daemon, and a busy machine
LATE = []  # seconds from the ends of windows to the messages about what was down then
DOWN = set()  # shops that fail now


class Site(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, IndexError):
            number = int(self.rfile.readline().split()[1].rsplit(b"/", 1)[1])
            while self.rfile.readline().strip():
                pass
            status = b"503 Service Unavailable" if number in DOWN else b"200 OK"
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


class Follower:
    """`events --follow`, killed and resumed at the last cursor that came."""

    def __init__(self, file):
        self.file = file
        self.events = []
        self.came = threading.Condition()
        self.kills = 0
        self.process = None
        self.is_over = False
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        while not self.is_over:
            after = self.events[-1]["cursor"] if self.events else "oldest"
            words = [SITEWATCH, "events", "--follow", "--json", "--after", after, "--config", str(self.file)]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as self.process:
                for line in self.process.stdout:
                    # A line that the kill cut is none; it comes again.
                    if not line.endswith("\n"):
                        break
                    with self.came:
                        self.events.append(json.loads(line))
                        self.came.notify_all()

    def kill(self):
        self.kills += 1
        self.process.kill()

    def end(self):
        self.is_over = True
        self.process.kill()
        self.thread.join(10)

    def sent(self, kind, shop, since):
        """When the message of this kind left that was sent after a moment, by the events; None if none was."""
        for event in reversed(self.events):
            at = moment(event["at"])
            if at < since:
                return None
            if event["type"] == "delivery" and (event["kind"], event["outcome"], event["monitor"]) == (kind, "sent", shop):
                return at
        return None

    def opened(self, shop, since):
        """When the window of a command was opened after a moment; None if none was."""
        for event in reversed(self.events):
            at = moment(event["at"])
            if at < since:
                return None
            if event["type"] == "order" and (event["order"], event["monitor"]) == ("maintenance", shop):
                return at
        return None

    def until_sent(self, kind, shop, since, until):
        with self.came:
            while (at := self.sent(kind, shop, since)) is None and time.time() < until:
                self.came.wait(max(until - time.time(), 0.01))
        assert at is not None, f"{kind} of {shop} was not sent by {until}: {self.events[-20:]}"
        return at


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def children(pid):
    with contextlib.suppress(OSError):
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class Deploy:
    """One command in a window of one shop, and what happens to it, by seconds after its begin."""

    def __init__(self, dice, file, number):
        self.shop = f"shop{number}"
        self.number = number
        self.length = dice.uniform(0.2, 1.2)
        self.fails = dice.uniform(0.0, 0.9) if dice.random() < 0.8 else None
        self.victim = dice.choice(["command", "wrapper", "nobody"])
        self.kill = dice.uniform(0.05, 0.9)
        self.failed_at = self.killed_at = None
        words = ["maintenance", self.shop, "--for", f"{int(FOR * 1000)}ms", "--config", str(file), "--"]
        self.began = time.time()
        self.process = subprocess.Popen(
            [SITEWATCH, *words, "/bin/sleep", f"{self.length:.3f}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.command = None

    def deeds(self):
        if self.fails is not None:
            yield self.began + self.fails, self.fail
        if self.victim != "nobody":
            yield self.began + self.kill, self.strike

    def fail(self):
        DOWN.add(self.number)
        self.failed_at = time.time()

    def strike(self):
        if self.process.poll() is not None:
            return
        commands = children(self.process.pid)
        if self.victim == "wrapper":
            self.killed_at = time.time()
            self.process.kill()
        elif commands:
            self.killed_at = time.time()
            os.kill(commands[0], signal.SIGKILL)
            return
        for command in commands:
            # The command of a dead wrapper runs on; nobody waits for it.
            self.command = command

    def check(self, follower):
        status = self.process.wait(FOR + 10)
        if status == 0:
            # It may have exited just before it was to be killed.
            self.killed_at = None
        else:
            wanted = -signal.SIGKILL if self.victim == "wrapper" else 128 + signal.SIGKILL
            assert self.killed_at is not None and status == wanted, f"{self.shop}: {status}: {vars(self)}"
        if self.number not in DOWN:
            return 0
        at = follower.until_sent("down", self.shop, self.began, self.began + FOR + PATIENCE)
        # Of a command that ended before the shop failed the window was over by then.
        ended = self.killed_at if self.killed_at is not None else self.began + self.length
        opened_at = follower.opened(self.shop, self.began)
        if opened_at is None or self.failed_at < opened_at:
            # The daemon was away when it began, or the shop went down before the window was open.
            earliest = self.began
        elif self.victim == "wrapper" and self.killed_at is not None:
            earliest = min(self.killed_at, self.began + FOR)
        elif self.failed_at < ended:
            earliest = self.began + FOR
        else:
            earliest = self.began
        if earliest > self.failed_at + 1.2:
            LATE.append(at - earliest)
        assert at >= earliest - 0.05, f"{self.shop} was told {earliest - at:.2f} s before the end of its window: {vars(self)}"
        return 1


class Daemon:
    def __init__(self, root, file):
        self.root, self.file = root, file
        self.process = None
        self.start()

    def start(self):
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen([SITEWATCH, "run", "--config", str(self.file)], stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


def until_served(file):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        words = [SITEWATCH, "status", "--json", "--config", str(file)]
        states = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.splitlines()
        if len(states) == SHOPS and all(json.loads(line)["state"] == "up" for line in states):
            return
        time.sleep(0.1)
    raise AssertionError("the daemon does not run")


def run_round(dice, file, daemon, follower):
    """Answers how many kills there were, and how many shops were down at the end."""
    deploys = [Deploy(dice, file, number) for number in range(SHOPS)]
    began = time.time()
    deeds = [deed for deploy in deploys for deed in deploy.deeds()]
    deeds.append((began + dice.uniform(0.0, 1.5), follower.kill))
    kills = 1
    if dice.random() < 0.5:
        deeds.append((began + dice.uniform(0.1, 1.5), "daemon"))
        kills += 1
    for at, deed in sorted(deeds, key=lambda deed: deed[0]):
        time.sleep(max(at - time.time(), 0))
        if deed == "daemon":
            daemon.kill()
            daemon.start()
        else:
            deed()
    down = sum(deploy.check(follower) for deploy in deploys)
    kills += sum(deploy.killed_at is not None for deploy in deploys)
    failed = set(DOWN)
    DOWN.clear()
    for number in failed:
        follower.until_sent("up", f"shop{number}", began, time.time() + PATIENCE + 2)
    return kills, down


def windows(root):
    """How long each window was open, by what is recorded for the reports."""
    with contextlib.closing(sqlite3.connect(root / "sitewatch.db")) as database:
        return [
            (until - begin) / 1000
            for begin, until in database.execute("SELECT from_at, to_at FROM spans WHERE kind = 'maintenance'")
        ]


def main():
    dice = random.Random(11)
    root = pathlib.Path(tempfile.mkdtemp(prefix="sitewatch-windows-"))
    server = Server(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = root / "monitors.toml"
    file.write_text(configuration(server.server_address[1]))
    daemon = Daemon(root, file)
    follower = None
    kills = down = 0
    try:
        until_served(file)
        follower = Follower(file)
        for _ in range(ROUNDS):
            more, ended_down = run_round(dice, file, daemon, follower)
            kills += more
            down += ended_down
            until_served(file)
        time.sleep(1)
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0
        time.sleep(1)
        follower.end()
        asked = subprocess.run(
            [SITEWATCH, "events", "--json", "--after", "oldest", "--config", str(file)], capture_output=True, text=True, timeout=60
        )
        all_events = [json.loads(line) for line in asked.stdout.splitlines()]
        assert follower.events == all_events, f"{len(follower.events)} followed, {len(all_events)} asked for"
        lengths = windows(root)
        assert not list(root.glob("*.damaged-*")), "a database was set aside"
        longest = max(lengths)
        assert longest <= FOR + 0.05, f"a window was open for {longest} s"
        late = sorted(LATE) or [0.0]
        print(f"windows: {ROUNDS * SHOPS} deploys, {kills} kills ({follower.kills} of the follower); {len(lengths)} windows, the longest "
              f"{longest:.3f} s; {down} shops down at the end of one, each told then, "
              f"{late[len(late) // 2]:.2f} s after it (median), {late[-1]:.2f} s at the latest; {len(all_events)} events, each once")
    except BaseException:
        sys.stderr.write((root / "log").read_text()[-3000:])
        raise
    finally:
        if follower:
            follower.is_over = True
            follower.process.kill()
        daemon.kill()
        server.shutdown()


main()
