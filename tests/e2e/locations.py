"""Several locations over a real nats-server: a hub, three probes, a site, a TCP proxy that cuts and stalls.

The first part does what docs/locations.md says: its commands are run, its files are written as they stand there, with
the names of this machine in place of its own. The others are the rows of failures: cuts, a server that stops or loses its
disk, kill -9 of hub and probes under load, a full stream, two probes of one name, credentials of another location, a
second hub that takes over from one that is frozen or killed.
Run by tests/e2e/run, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/locations.py [PART]...
"""

import base64
import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

SITEWATCH = os.environ["SITEWATCH"]
HERE = pathlib.Path(__file__).resolve().parent
LOCATIONS = ["fra", "nyc", "sgp"]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(what, condition, within=60):
    until = time.monotonic() + within
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {within} s: {what}")


# ---- a site that each location may see differently ----

class Site(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Answers 503 to locations that are in `down`, which maps a path to a set of locations."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self):
        self.down = {}
        super().__init__(("127.0.0.1", 0), Answer)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, IndexError):
            path = self.rfile.readline().split()[1].decode()
            place = ""
            while line := self.rfile.readline().strip():
                if line.lower().startswith(b"x-place:"):
                    place = line.split(b":", 1)[1].strip().decode()
            is_down = place in self.server.down.get(path, ())
            status = b"503 Service Unavailable" if is_down else b"200 OK"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n")


# ---- a TCP proxy that passes, cuts or stalls ----

class Proxy:
    def __init__(self, target):
        self.target = target
        self.mode = "pass"
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.mode == "cut":
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.mode == "stall":
                    time.sleep(0.05)
                if self.mode == "cut":
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def set(self, mode):
        self.mode = mode
        if mode == "cut":
            for pair in self.pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self.pairs.clear()


# ---- processes ----

class Process:
    def __init__(self, place, name, *arguments, environment=None):
        self.place, self.name, self.arguments = place, name, arguments
        self.environment = {**os.environ, **(environment or {})}
        self.started = None

    def start(self):
        log = open(self.place / f"{self.name}.log", "ab")
        self.started = subprocess.Popen(
            self.arguments, cwd=self.place, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        log.close()
        return self

    def log(self):
        return (self.place / f"{self.name}.log").read_text(errors="replace")

    def signal(self, number):
        self.started.send_signal(number)

    def kill(self):
        self.started.kill()
        self.started.wait()

    def stop(self, within=30):
        if self.started.poll() is None:
            self.started.terminate()
            self.started.wait(timeout=within)
        return self.started.returncode


class Cluster:
    """A nats-server, a hub and probes in a directory."""

    def __init__(self, place, monitors, *, stream_size="64MiB", extra="", silent_after="30s", spool_size="64MiB", through=()):
        self.place = place
        self.site = Site()
        self.port = free_port()
        self.proxies = {name: Proxy(self.port) for name in through}
        (place / "nats.conf").write_text(self.nats_conf())
        self.nats = Process(place, "nats", shutil.which("nats-server"), "-c", "nats.conf")
        text = "".join(
            f'[[monitor]]\nname = "{name}"\nurl = "http://127.0.0.1:{self.site.port}{path}"\n'
            f'headers = {{ X-Place = "${{PLACE}}" }}\n{more}\n'
            for name, path, more in monitors
        )
        (place / "hub.toml").write_text(f"""
[daemon]
database = "hub.db"
control_socket = "hub.sock"
shutdown_grace = "2s"
[email]
directory = "outbox"
from = "watch@example.com"
to = ["ops@example.com"]
[alerts]
group_wait = "1s"
[cluster]
url = "nats://127.0.0.1:{self.port_of("hub")}"
nkey_file = "hub.nk"
locations = {json.dumps(LOCATIONS)}
silent_after = "{silent_after}"
stream_size = "{stream_size}"
[defaults]
interval = "2s"
timeout = "1s"
retry_interval = "1s"
failures_before_down = 2
successes_before_up = 2
{extra}
{text}""")
        environment = {"PLACE": "hub"}
        self.hub = Process(place, "hub", SITEWATCH, "run", "--config", "hub.toml", environment=environment)
        self.probes = {}
        for location in LOCATIONS:
            (place / f"{location}.toml").write_text(f"""
[daemon]
database = "{location}.db"
shutdown_grace = "2s"
[cluster]
role = "probe"
location = "{location}"
url = "nats://127.0.0.1:{self.port_of(location)}"
nkey_file = "{location}.nk"
spool_size = "{spool_size}"
[connectivity]
canaries = ["http://127.0.0.1:{self.site.port}/canary"]
""")
            environment = {"PLACE": location}
            arguments = (SITEWATCH, "run", "--config", f"{location}.toml")
            self.probes[location] = Process(place, location, *arguments, environment=environment)

    def port_of(self, name):
        return self.proxies[name].port if name in self.proxies else self.port

    def nats_conf(self):
        users = []
        for name in ["--hub", *LOCATIONS]:
            made = subprocess.run(
                [SITEWATCH, "cluster", "credentials", name], cwd=self.place, capture_output=True, text=True, check=True
            )
            users.append(made.stdout)
        return (
            f'port: {self.port}\nhost: "127.0.0.1"\njetstream {{ store_dir: "{self.place}/jetstream" }}\n'
            "authorization { users = [\n" + "\n".join(users) + "] }\n"
        )

    def start(self):
        self.nats.start()
        wait_for("nats-server listens", lambda: self.answers())
        self.hub.start()
        for probe in self.probes.values():
            probe.start()
        return self

    def answers(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True

    def stop(self):
        for process in [*self.probes.values(), self.hub, self.nats]:
            if process.started is None:
                continue
            if process.started.poll() is None:
                with contextlib.suppress(OSError):
                    process.signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.stop()
        self.site.shutdown()

    def ask(self, *arguments):
        done = subprocess.run(
            [SITEWATCH, *arguments, "--json", "--config", "hub.toml"],
            cwd=self.place, capture_output=True, text=True, timeout=60, env={**os.environ, "PLACE": "hub"},
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    def status(self, name):
        rows = self.ask("status", name)
        return rows[0] if rows else {}

    def state(self, name):
        return self.status(name).get("state")

    def seen(self, name):
        """The locations whose word counts."""
        locations = self.status(name).get("locations") or []
        return sorted(row["location"] for row in locations if row["seen"] == "fresh")

    def mails(self):
        folder = self.place / "outbox"
        texts = [path.read_text(errors="replace") for path in sorted(folder.glob("*.eml"))] if folder.is_dir() else []
        return [re.search(r"^Subject: (.*(?:\n[ \t].*)*)", text, re.M).group(1).replace("\n", "") for text in texts]

    def history(self, name, *more):
        return self.ask("history", name, "--limit", "1000000", "--since", "1d", *more)

    def all_see(self, name, within=60):
        wait_for(f"all locations see {name}", lambda: self.seen(name) == LOCATIONS, within)


@contextlib.contextmanager
def cluster(*arguments, **options):
    with tempfile.TemporaryDirectory(prefix="locations-") as place:
        made = Cluster(pathlib.Path(place), *arguments, **options)
        try:
            yield made.start()
        except BaseException:
            for process in [made.hub, *made.probes.values(), made.nats]:
                with contextlib.suppress(OSError):
                    print(f"---- {process.name}\n{process.log()[-3000:]}", file=sys.stderr)
            print("mails:", made.mails(), file=sys.stderr)
            raise
        finally:
            made.stop()


SHOP = [("shop", "/shop", "")]


# ---- the parts ----

def documented():
    """docs/locations.md, block by block."""
    text = (HERE.parent.parent / "docs/locations.md").read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
    with tempfile.TemporaryDirectory(prefix="locations-doc-") as place:
        place = pathlib.Path(place)
        site, port = Site(), free_port()
        local = lambda words: (
            words.replace("nats.example.com:4222", f"localhost:{port}")
            .replace("port: 4222", f"port: {port}")
            .replace("nats.example.com", "localhost")
            .replace("https://one.one.one.one/", f"http://127.0.0.1:{site.port}/canary")
            .replace("https://www.example.org/", f"http://127.0.0.1:{site.port}/canary")
        )
        binary = place / "bin"
        binary.mkdir()
        (binary / "sitewatch").symlink_to(pathlib.Path(SITEWATCH).resolve())
        environment = {**os.environ, "PATH": f"{binary}:{os.environ['PATH']}", "SITEWATCH_CONFIG": "monitors.toml"}
        environment.pop("RUNTIME_DIRECTORY", None)
        processes = []
        asked = 0
        try:
            for kind, block in blocks:
                block = local(block)
                if kind in ("toml", "conf"):
                    name = re.match(r"# (\S+)", block).group(1)
                    (place / name).write_text(block)
                    if name == "nats.conf":
                        nats = Process(place, "nats", shutil.which("nats-server"), "-c", "nats.conf").start()
                        processes.append(nats)
                    if name == "hub.toml":
                        monitors = f'[daemon]\ndatabase = "hub.db"\ncontrol_socket = "hub.sock"\n{block}' \
                            f'[[monitor]]\nname = "shop"\nurl = "http://127.0.0.1:{site.port}/"\ninterval = "2s"\ntimeout = "1s"\n'
                        (place / "monitors.toml").write_text(monitors)
                        checked = subprocess.run(["sitewatch", "config", "check"], cwd=place, env=environment)
                        assert checked.returncode == 0
                        processes.append(Process(place, "hub", SITEWATCH, "run", environment=environment).start())
                    if name == "nyc-2.toml":
                        subprocess.run(["sitewatch", "config", "check", "--config", name], cwd=place, env=environment, check=True)
                    if name == "nyc.toml":
                        for location in LOCATIONS:
                            own = block.replace("nyc", location)
                            (place / f"{location}.toml").write_text(f'[daemon]\ndatabase = "{location}.db"\n{own}')
                            arguments = (SITEWATCH, "run", "--config", f"{location}.toml")
                            processes.append(Process(place, location, *arguments).start())
                        time.sleep(8)
                    continue
                assert kind == "sh", kind
                done = subprocess.run(["bash", "-euc", block], cwd=place, env=environment, capture_output=True, text=True)
                if "sitewatch status" in block:
                    asked += 1
                    wait_for("the table shows three locations", lambda: "3/3" in subprocess.run(
                        ["bash", "-euc", block], cwd=place, env=environment, capture_output=True, text=True).stdout)
                    done = subprocess.run(["bash", "-euc", block], cwd=place, env=environment, capture_output=True, text=True)
                    print(done.stdout)
                    assert "LOCATION" in done.stdout
                else:
                    assert done.returncode == 0, f"{block}\n{done.stderr}"
            assert asked == 1 and len(blocks) >= 6
            for name in ["hub.nk", "nyc.nk"]:
                assert (place / name).stat().st_mode & 0o777 == 0o600
        except BaseException:
            for process in processes:
                print(f"---- {process.name}\n{process.log()[-2000:]}", file=sys.stderr)
            raise
        finally:
            for process in reversed(processes):
                process.stop()
            site.shutdown()


def outage():
    """One mail when a majority is down, none when one location is; the UP when it is over."""
    with cluster(SHOP) as it:
        it.all_see("shop")
        it.site.down["/shop"] = {"sgp"}
        wait_for("regional", lambda: it.state("shop") == "degraded", 30)
        row = it.status("shop")
        assert row["reason"] == "regional", row
        states = {seen["location"]: seen["state"] for seen in row["locations"]}
        assert states == {"fra": "up", "nyc": "up", "sgp": "down"}, states
        time.sleep(6)
        assert it.mails() == [], it.mails()
        began = time.monotonic()
        it.site.down["/shop"] = {"sgp", "nyc"}
        wait_for("the DOWN mail", lambda: [s for s in it.mails() if "DOWN" in s], 30)
        print(f"  DOWN after {time.monotonic() - began:.1f} s")
        time.sleep(6)
        assert len(it.mails()) == 1, it.mails()
        incident = it.ask("incidents")[0]
        states = {row["location"]: row["state"] for row in incident["locations"]}
        assert states["nyc"] == states["sgp"] == "down" and states["fra"] == "up", states
        it.site.down["/shop"] = set()
        wait_for("the UP mail", lambda: [s for s in it.mails() if "UP" in s], 30)
        assert len(it.mails()) == 2, it.mails()
        wait_for("up", lambda: it.state("shop") == "up")


def asked():
    """The first failure anywhere makes the others look at once."""
    slow = 'interval = "60s"\n'
    with cluster([("shop", "/shop", slow)]) as it:
        it.all_see("shop", 90)
        before = {place: len(it.history("shop", "--location", place)) for place in LOCATIONS}
        it.site.down["/shop"] = set(LOCATIONS)
        subprocess.run([SITEWATCH, "recheck", "shop", "--config", "hub.toml"], cwd=it.place,
                       env={**os.environ, "PLACE": "hub"}, capture_output=True)
        wait_for("the DOWN mail", lambda: [s for s in it.mails() if "DOWN" in s], 90)
        opened = it.ask("incidents")[0]
        firsts = []
        for place in LOCATIONS:
            rows = [row for row in it.history("shop", "--location", place) if row["state"] == "down"]
            if rows:
                firsts.append(min(moment(row["at"]) for row in rows))
        assert len(firsts) >= 2 and sorted(firsts)[1] - sorted(firsts)[0] < 15, firsts
        assert opened


def moment(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def probe_cut():
    """A probe loses its line to the server: the others vote without it, and nothing of what it saw is lost."""
    with cluster(SHOP, through=["nyc"], silent_after="30s") as it:
        it.all_see("shop")
        for mode in ("cut", "stall"):
            mails = len(it.mails())
            it.proxies["nyc"].set(mode)
            wait_for(f"nyc has no vote ({mode})", lambda: it.seen("shop") == ["fra", "sgp"], 60)
            assert it.state("shop") == "up"
            wait_for("one mail about nyc", lambda: [s for s in it.mails()[mails:] if "TROUBLE location nyc" in s], 90)
            it.proxies["nyc"].set("pass")
            it.all_see("shop", 90)
            wait_for("one mail that it is back", lambda: [s for s in it.mails()[mails:] if "BACK nyc" in s], 60)
            assert len(it.mails()) - mails == 2, it.mails()
        whole(it, "shop", "nyc")


def whole(it, name, location, gap=5):
    """Every check of a location is there: no gap that is longer than its interval allows."""
    def gaps():
        rows = sorted(moment(row["at"]) for row in it.history(name, "--location", location))
        return [b - a for a, b in zip(rows, rows[1:]) if b - a > gap]
    until = time.monotonic() + 30
    while gaps() and time.monotonic() < until:
        time.sleep(1)
    assert gaps() == [], gaps()


def hub_cut():
    """The hub hears nobody: unknown, and no DOWN; later the history is whole."""
    with cluster(SHOP, through=["hub"]) as it:
        it.all_see("shop")
        it.proxies["hub"].set("cut")
        it.site.down["/shop"] = set(LOCATIONS)
        wait_for("unknown", lambda: it.state("shop") == "unknown", 60)
        time.sleep(5)
        it.site.down["/shop"] = set()
        time.sleep(6)
        it.proxies["hub"].set("pass")
        it.all_see("shop", 90)
        wait_for("up", lambda: it.state("shop") == "up")
        assert not [s for s in it.mails() if "DOWN" in s], it.mails()
        rows = it.history("shop", "--state", "down")
        assert rows, "what was down meanwhile is history"
        for location in LOCATIONS:
            whole(it, "shop", location)


def server_faults():
    """nats-server stops, is frozen, is killed, and loses its disk: history is whole after each."""
    with cluster(SHOP) as it:
        it.all_see("shop")
        it.nats.signal(signal.SIGSTOP)
        time.sleep(20)
        it.nats.signal(signal.SIGCONT)
        it.all_see("shop", 120)
        it.nats.kill()
        time.sleep(10)
        it.nats.start()
        it.all_see("shop", 120)
        # A copy of its store from before: it forgets what it had acknowledged.
        copy = it.place / "older"
        it.nats.kill()
        shutil.copytree(it.place / "jetstream", copy)
        it.nats.start()
        it.all_see("shop", 120)
        it.hub.signal(signal.SIGSTOP)
        time.sleep(5)
        it.nats.kill()
        shutil.rmtree(it.place / "jetstream")
        shutil.copytree(copy, it.place / "jetstream")
        it.nats.start()
        time.sleep(3)
        it.hub.signal(signal.SIGCONT)
        it.all_see("shop", 120)
        # And without any store at all.
        it.nats.kill()
        shutil.rmtree(it.place / "jetstream")
        it.nats.start()
        it.all_see("shop", 120)
        for location in LOCATIONS:
            whole(it, "shop", location, gap=8)
        assert not [s for s in it.mails() if "DOWN" in s], it.mails()


def kills():
    """kill -9 of the hub and of probes under load: every check once, in order for each location.

    SITEWATCH_KILLS: how often each of the hub and the probes together, 6."""
    count = 2 * int(os.environ.get("SITEWATCH_KILLS", "6"))
    monitors = [(f"s{number}", f"/{number}", "") for number in range(60)]
    with cluster(monitors, extra='') as it:
        it.all_see("s0")
        probes = list(it.probes.values())
        for number in range(count):
            # Every second one is the hub.
            victim = it.hub if number % 2 == 0 else probes[number // 2 % 3]
            victim.kill()
            time.sleep(0.3)
            victim.start()
            time.sleep(2.5)
        it.all_see("s0", 90)
        time.sleep(5)
        for probe in it.probes.values():
            assert probe.stop() == 0
        spools = {}
        def empty():
            for location in LOCATIONS:
                with sqlite3.connect(f"file:{it.place}/{location}.db?mode=ro", uri=True) as spool:
                    spools[location] = spool.execute("SELECT count(*) FROM frames").fetchone()[0]
            return True
        empty()
        time.sleep(5)
        doubled, total = 0, 0
        for number in range(0, 60, 7):
            for location in LOCATIONS:
                rows = it.history(f"s{number}", "--location", location)
                times = [row["at"] for row in rows]
                total += len(times)
                doubled += len(times) - len(set(times))
                assert times == sorted(times, reverse=True), "in order"
        assert doubled == 0 and total > 100, (doubled, total)
        for location in LOCATIONS:
            # A killed probe is away for a moment; a killed hub costs nothing.
            whole(it, "s7", location, gap=12)
        # A site that is slow for want of processor time is down for all: the failures say which it was.
        assert not [s for s in it.mails() if "DOWN" in s], (it.mails(), it.ask("incidents")[:3])
        print(f"  {count // 2} kills of the hub, {count // 2} of probes, {total} checks looked at, none twice; frames left in spools: {spools}")


def full_stream():
    """A stream without room: the spool keeps what it refuses, and everything arrives when the hub is back."""
    monitors = [(f"s{number}", f"/{number}", "") for number in range(100)]
    with cluster(monitors, stream_size="1MiB", extra="") as it:
        it.all_see("s0")
        it.hub.signal(signal.SIGSTOP)
        wait_for("the stream refuses", lambda: "maximum bytes exceeded" in it.probes["nyc"].log(), 240)
        it.hub.signal(signal.SIGCONT)
        it.all_see("s0", 120)
        for location in LOCATIONS:
            whole(it, "s7", location)


def twins():
    """Two probes of one name: the newer one is heard, and one mail says so."""
    with cluster(SHOP) as it:
        it.all_see("shop")
        text = (it.place / "nyc.toml").read_text().replace('"nyc.db"', '"twin.db"')
        (it.place / "twin.toml").write_text(text)
        twin = Process(it.place, "twin", SITEWATCH, "run", "--config", "twin.toml", environment={"PLACE": "nyc"}).start()
        try:
            wait_for("a mail about the twins", lambda: [s for s in it.mails() if "TROUBLE" in s and "nyc" in s], 60)
            assert it.state("shop") == "up"
        finally:
            twin.stop()


def share_of(name, of):
    """Which of so many shares a monitor has: FNV-1a, folded."""
    value = 0xcbf29ce484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return (value ^ value >> 32) % of + 1


def shares():
    """Two probes share nyc: each monitor is checked once there, one that is gone is named, one of another split refused."""
    names = [f"s{number}" for number in range(20)]
    with cluster([(name, f"/{name}", "") for name in names]) as it:
        alone = it.probes.pop("nyc")
        text = (it.place / "nyc.toml").read_text()
        def probe(share):
            file = "nyc-" + share.replace("/", "-")
            own = text.replace('"nyc.db"', f'"{file}.db"').replace('role = "probe"', f'role = "probe"\nshare = "{share}"')
            (it.place / f"{file}.toml").write_text(own)
            process = Process(it.place, file, SITEWATCH, "run", "--config", f"{file}.toml", environment={"PLACE": "nyc"})
            it.probes[file] = process
            return process.start()
        it.all_see("s0")
        # One probe becomes two; the first takes its spool along.
        assert alone.stop() == 0
        (it.place / "nyc.db").rename(it.place / "nyc-1-2.db")
        one, two = probe("1/2"), probe("2/2")
        logs = {1: "nyc-1-2", 2: "nyc-2-2"}
        expected = {number: sum(share_of(name, 2) == number for name in names) for number in logs}
        for number, file in logs.items():
            wait_for(f"share {number} has its part", lambda: f"{expected[number]} monitors from the hub" in it.probes[file].log())
        time.sleep(45)
        for name in names:
            assert it.seen(name) == LOCATIONS, (name, it.seen(name))
            whole(it, name, "nyc", gap=10)
            rows = it.history(name, "--location", "nyc", "--limit", "12")
            moments = [moment(row["at"]) for row in rows]
            close = [one - other for one, other in zip(moments, moments[1:]) if one - other < 1]
            assert not close, (name, close)
        assert it.mails() == [], it.mails()
        # An outage of a monitor of each share is told with all locations.
        for name in ("s0", next(name for name in names if share_of(name, 2) != share_of("s0", 2))):
            it.site.down[f"/{name}"] = set(LOCATIONS)
            wait_for(f"{name} is down", lambda: [s for s in it.mails() if "DOWN" in s and name in s], 30)
            wait_for("from all", lambda: all(row["state"] == "down" for row in it.status(name)["locations"]), 30)
        it.site.down.clear()
        wait_for("all is well", lambda: all(it.state(name) == "up" for name in names), 30)
        # One of another split: named, and refused.
        odd = probe("3/3")
        wait_for("it is named", lambda: [s for s in it.mails() if "TROUBLE location nyc 3/3" in s], 60)
        assert odd.stop() == 0
        del it.probes["nyc-3-3"]
        # A share that is gone is named; its monitors go on from the other locations, the others are not touched.
        two.kill()
        wait_for("it is told", lambda: [s for s in it.mails() if "TROUBLE location nyc 2/2" in s], 60)
        gone = next(name for name in names if share_of(name, 2) == 2)
        left = next(name for name in names if share_of(name, 2) == 1)
        wait_for("seen from two", lambda: it.seen(gone) == ["fra", "sgp"])
        assert it.seen(left) == LOCATIONS and it.state(gone) == "up"
        two.start()
        wait_for("it is back", lambda: [s for s in it.mails() if "BACK nyc 2/2" in s], 60)
        # Two of the same share.
        twin = (it.place / "nyc-2-2.toml").read_text().replace('"nyc-2-2.db"', '"twin.db"')
        (it.place / "twin.toml").write_text(twin)
        it.probes["twin"] = Process(it.place, "twin", SITEWATCH, "run", "--config", "twin.toml", environment={"PLACE": "nyc"}).start()
        wait_for("the twins are told", lambda: [s for s in it.mails() if "TROUBLE location nyc 2/2" in s][1:], 60)


def secrets():
    """A name that a probe does not have is unknown there, and never down."""
    more = 'bearer_token_file = "token"\n'
    with tempfile.TemporaryDirectory(prefix="locations-") as place:
        place = pathlib.Path(place)
        (place / "token").write_text("word\n")
        it = Cluster(place, [("shop", "/shop", more)])
        it.probes["nyc"].environment.pop("PLACE")
        it.start()
        try:
            wait_for("two see it", lambda: it.seen("shop") == ["fra", "sgp"] and it.state("shop") == "up")
            wait_for("nyc says why", lambda: "PLACE" in it.probes["nyc"].log())
            rows = wait_for("unknown there", lambda: it.history("shop", "--location", "nyc"), 90)
            assert {row["state"] for row in rows} == {"unknown"}, rows[:3]
            assert it.mails() == [], it.mails()
        finally:
            it.stop()
        # What is written out is refused before anything is sent.
        text = (place / "hub.toml").read_text().replace('"${PLACE}"', '"fra", Authorization = "Basic abc"')
        (place / "wrong.toml").write_text(text)
        checked = subprocess.run([SITEWATCH, "config", "check", "--config", "wrong.toml"], cwd=place,
                                 capture_output=True, text=True, env={**os.environ, "PLACE": "x"})
        assert checked.returncode == 2 and "written out" in checked.stdout + checked.stderr, checked


# ---- permissions: every subject that a location must not use is tried ----

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    aa, bb = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    cc, dd = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = bb - aa, dd - cc, dd + cc, bb + aa
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = add(out, point)
        point, scalar = add(point, point), scalar >> 1
    return out


def encoded(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BY = 4 * pow(5, P - 2, P) % P
BX = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE = (BX, BY, 1, BX * BY % P)


def sign(seed, message):
    """Ed25519, RFC 8032."""
    order = 2**252 + 27742317777372353535851937790883648493
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ~7 & ~(1 << 255) | 1 << 254
    public = encoded(times(scalar, BASE))
    r = int.from_bytes(hashlib.sha512(digest[32:] + message).digest(), "little") % order
    point = encoded(times(r, BASE))
    k = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little") % order
    return point + ((r + k * scalar) % order).to_bytes(32, "little")


class Raw:
    """A client that says what it likes."""

    def __init__(self, it, name):
        seed = (it.place / f"{name}.nk").read_text().strip()
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))[2:34]
        user = re.search(rf"# {name}\n{{\n  nkey: (\w+)", (it.place / "nats.conf").read_text())
        user = user or re.search(r"nkey: (\w+)", (it.place / "nats.conf").read_text())
        self.socket = socket.create_connection(("127.0.0.1", it.port), timeout=5)
        self.file = self.socket.makefile("rb")
        info = json.loads(self.file.readline().split(b" ", 1)[1])
        sig = base64.urlsafe_b64encode(sign(raw, info["nonce"].encode())).rstrip(b"=").decode()
        about = {"verbose": False, "pedantic": False, "nkey": user.group(1), "sig": sig, "headers": True, "lang": "test"}
        self.say(f"CONNECT {json.dumps(about)}\r\n")
        assert self.errors() == [], "it is let in"

    def say(self, text):
        self.socket.sendall(text.encode())

    def errors(self):
        """What the server objects to until its next PONG."""
        self.say("PING\r\n")
        found = []
        while True:
            line = self.file.readline().decode().strip()
            if line == "PONG":
                return found
            if line.startswith("-ERR"):
                found.append(line)
            if line == "PING":
                self.say("PONG\r\n")
            if line == "":
                return found + ["closed"]

    def may(self, what, subject):
        if what == "publish":
            self.say(f"PUB {subject} 0\r\n\r\n")
        else:
            self.say(f"SUB {subject} 7\r\nUNSUB 7\r\n")
        return self.errors() == []


def permissions():
    """Each location's user: what it must be able to do, and everything else."""
    with cluster(SHOP) as it:
        it.all_see("shop")
        subjects = set()
        for place in [*LOCATIONS, "hub", "xyz"]:
            subjects |= {f"sw.r.{place}", f"sw.hi.{place}", f"sw.ask.{place}", f"sw.cfg.{place}"}
            subjects |= {f"$KV.SWCFG.{place}.head", f"$KV.SWCFG.{place}.0", f"$KV.SWDONE.{place}"}
            subjects |= {f"$JS.API.DIRECT.GET.KV_SWCFG.$KV.SWCFG.{place}.{part}" for part in ("head", "0")}
            subjects |= {f"$JS.API.DIRECT.GET.KV_SWDONE.$KV.SWDONE.{place}", f"_INBOX_{place}.x"}
            subjects |= {f"$JS.API.DIRECT.GET.SW_RESULTS.sw.r.{place}"}
            # Of probes that share the location.
            subjects |= {f"sw.r.{place}.2-4", f"sw.r.{place}.2-4.x", f"$KV.SWDONE.{place}.2-4", f"sw.hi.{place}.2-4"}
            subjects |= {f"$JS.API.DIRECT.GET.KV_SWDONE.$KV.SWDONE.{place}.2-4"}
        for stream in ("SW_RESULTS", "KV_SWCFG", "KV_SWDONE", "SW_HUBS"):
            for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "INFO", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE"):
                subjects.add(f"$JS.API.STREAM.{verb}.{stream}")
            subjects.add(f"$JS.API.DIRECT.GET.{stream}")
            for verb in ("CREATE", "DURABLE.CREATE", "DELETE", "INFO", "LIST", "MSG.NEXT"):
                subjects.add(f"$JS.API.CONSUMER.{verb}.{stream}.hub")
        subjects |= {"$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$SYS.REQ.SERVER.PING"}
        subjects |= {"$JS.ACK.SW_RESULTS.hub.1.1.1.1.0", "sw.other", "sw.log", "sw.copy"}
        subjects |= {"$JS.API.DIRECT.GET.SW_HUBS", "$JS.API.DIRECT.GET.SW_HUBS.sw.log"}
        wild = {">", "sw.>", "sw.r.>", "sw.ask.*", "sw.cfg.*", "sw.hi.*", "$KV.>", "$JS.>", "_INBOX.>", "_INBOX_fra.>"}
        raw = Raw(it, "nyc")
        mine = {
            "publish": {"sw.r.nyc", "sw.r.nyc.2-4", "sw.hi.nyc", "$JS.API.DIRECT.GET.KV_SWDONE.$KV.SWDONE.nyc",
                        "$JS.API.DIRECT.GET.KV_SWDONE.$KV.SWDONE.nyc.2-4",
                        "$JS.API.DIRECT.GET.KV_SWCFG.$KV.SWCFG.nyc.head", "$JS.API.DIRECT.GET.KV_SWCFG.$KV.SWCFG.nyc.0"},
            "subscribe": {"sw.ask.nyc", "sw.cfg.nyc", "_INBOX_nyc.x"},
        }
        for what, subjects in (("publish", subjects), ("subscribe", subjects | wild)):
            allowed = {subject for subject in sorted(subjects) if raw.may(what, subject)}
            assert allowed == mine[what], (what, allowed ^ mine[what])
        # An empty message is no frame: it is refused, and the hub goes on.
        wait_for("the hub says so", lambda: "a frame of nyc was refused" in it.hub.log(), 30)
        # Lies about another location are refused by the hub as well as by the server.
        it.all_see("shop")
        print(f"  {len(subjects) + len(wild)} subjects tried")


def memory():
    """An idle probe is small."""
    with cluster(SHOP) as it:
        it.all_see("shop")
        time.sleep(20)
        for name, probe in it.probes.items():
            status = pathlib.Path(f"/proc/{probe.started.pid}/status").read_text()
            resident = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
            print(f"  {name}: {resident / 1024:.1f} MiB")
            assert resident < 12 * 1024 or os.environ.get("SITEWATCH_ANY_SIZE"), resident


# ---- two hubs ----

class Mailbox(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """An SMTP server that takes its time before it says yes, and remembers every message and when it came."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, slowest=0.3):
        self.slowest = slowest
        self.messages = []
        super().__init__(("127.0.0.1", 0), Smtp)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Smtp(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        with contextlib.suppress(OSError):
            self.say("220 test")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self.say("354 go on")
                    text = []
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        text.append(line.decode(errors="replace"))
                    if not line:
                        return
                    self.server.messages.append((time.monotonic(), "".join(text)))
                    time.sleep(random.uniform(0, self.server.slowest))
                    self.say("250 ok")
                elif word == b"QUIT":
                    return self.say("221 bye")
                else:
                    self.say("250 ok")


class Pair(Cluster):
    """A cluster with two hubs: `hub` begins, `second` is its standby."""

    def __init__(self, place, monitors, **options):
        super().__init__(place, monitors, **options)
        self.mailbox = Mailbox()
        text = (place / "hub.toml").read_text().replace(
            'directory = "outbox"', f'host = "127.0.0.1"\nport = {self.mailbox.port}\ntls = "none"'
        )
        self.pages = {"hub": free_port(), "second": free_port()}
        text = text.replace("[cluster]\n", f'[web]\nlisten = "127.0.0.1:{self.pages["hub"]}"\n[cluster]\n')
        (place / "hub.toml").write_text(text)
        text = text.replace(f':{self.pages["hub"]}"', f':{self.pages["second"]}"')
        (place / "second.toml").write_text(
            text.replace('"hub.db"', '"second.db"').replace('"hub.sock"', '"second.sock"')
            .replace("[cluster]\n", "[cluster]\nstandby = true\n")
        )
        environment = {"PLACE": "hub"}
        self.hubs = {"hub": self.hub}
        self.hubs["second"] = Process(place, "second", SITEWATCH, "run", "--config", "second.toml", environment=environment)

    def start(self):
        super().start()
        self.hubs["second"].start()
        return self

    def stop(self):
        second = self.hubs["second"]
        if second.started and second.started.poll() is None:
            with contextlib.suppress(OSError):
                second.signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                second.stop()
        super().stop()

    def told(self, hub):
        """What a hub says of itself through its control socket; None where it does not answer."""
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as control:
            control.settimeout(3)
            control.connect(str(self.place / f"{hub}.sock"))
            control.sendall(b'{"command":"status"}\n')
            with control.makefile("rb") as answer:
                return json.loads(answer.readline())

    def notes(self, hub):
        told = self.told(hub)
        return " ".join(told["notes"]) if told else ""

    def leads(self, hub):
        return " leads" in self.notes(hub)

    def leader(self):
        leaders = [hub for hub, process in self.hubs.items() if process.started.poll() is None and self.leads(hub)]
        # One that was frozen finds out with its next entry that the other leads.
        return leaders[0] if len(leaders) == 1 else None

    def metric(self, hub):
        """What a hub's page says of who leads; None where it serves none."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.pages[hub]), timeout=3) as page:
            page.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            with page.makefile() as answer:
                found = re.search(r"^sitewatch_cluster_leader (\d)$", answer.read(), re.M)
            return found and found.group(1)

    def can_take_over(self, hub):
        return "can take over" in self.notes(hub)

    def mails(self):
        return [subject_of(text) for _, text in self.mailbox.messages]


def header_of(text, name):
    found = re.search(rf"^{name}: (.*(?:\r?\n[ \t].*)*)", text, re.M | re.I)
    return re.sub(r"\r?\n", "", found.group(1)).strip() if found else ""


def subject_of(text):
    return header_of(text, "Subject")


@contextlib.contextmanager
def pair(*arguments, **options):
    with tempfile.TemporaryDirectory(prefix="hubs-") as place:
        made = Pair(pathlib.Path(place), *arguments, **options)
        try:
            yield made.start()
        except BaseException:
            for process in [*made.hubs.values(), made.nats]:
                with contextlib.suppress(OSError):
                    print(f"---- {process.name}\n{process.log()[-6000:]}", file=sys.stderr)
            print("mails:", made.mails(), file=sys.stderr)
            raise
        finally:
            made.stop()


def standby():
    """A second hub has all that the first one has, orders too, tells nothing, and takes over from one that stops in order."""
    with pair(SHOP) as it:
        it.all_see("shop")
        wait_for("the standby can take over", lambda: it.can_take_over("second"))
        assert it.leader() == "hub"
        wait_for("its metric says so", lambda: it.metric("hub") == "1", 20)
        assert it.metric("second") is None
        def ask(hub, *arguments):
            return subprocess.run(
                [SITEWATCH, *arguments, "--config", f"{hub}.toml"], cwd=it.place, capture_output=True, text=True,
                timeout=60, env={**os.environ, "PLACE": "hub"},
            )
        refused = ask("second", "mute", "shop")
        assert refused.returncode == 2 and "leads" in refused.stderr, refused
        for order in (["mute", "shop", "--for", "2h"], ["maintenance", "shop", "--for", "1h"], ["pause", "shop"], ["resume", "shop"]):
            done = ask("hub", *order)
            assert done.returncode == 0, done
        ended = ask("hub", "maintenance", "shop", "--end")
        assert ended.returncode == 0, ended
        time.sleep(3)
        def dump(name):
            with sqlite3.connect(f"file:{it.place}/{name}.db?mode=ro", uri=True) as db:
                return {
                    "orders": db.execute("SELECT word, uid, at FROM events WHERE type = 'order' ORDER BY cursor").fetchall(),
                    "muted": db.execute("SELECT json_extract(kept, '$.muted_until') FROM states").fetchone(),
                    "checks": db.execute("SELECT count(*) > 0 FROM journal").fetchone(),
                }
        first, second = dump("hub"), dump("second")
        assert first == second and first["muted"][0] and len(first["orders"]) == 5, (first, second)
        began = time.monotonic()
        assert it.hub.stop() == 0
        wait_for("the standby leads", lambda: it.leader() == "second", 20)
        wait_for("its metric says so", lambda: it.metric("second") == "1", 20)
        print(f"  took over from a hub that ended after {time.monotonic() - began:.1f} s")
        flags = json.loads(ask("second", "status", "shop", "--json").stdout)["flags"]
        assert "muted" in flags, flags
        assert ask("second", "unmute", "shop").returncode == 0
        it.hub.start()
        wait_for("the former one follows", lambda: it.can_take_over("hub"), 60)
        assert it.leader() == "second"
        assert it.mails() == [], it.mails()


def lane(rounds, seed, out):
    """Freezes and kills of the hub that leads, one after the other."""
    dice = random.Random(seed)
    monitors = [(f"m{number}", f"/{number}", "") for number in range(rounds)]
    with pair(monitors, silent_after="10m") as it:
        it.all_see("m0")
        faults = []
        for number in range(rounds):
            wait_for("one leads and the other can take over", lambda: (
                (leader := it.leader()) and it.can_take_over("second" if leader == "hub" else "hub")), 90)
            leader = it.leader()
            other = "second" if leader == "hub" else "hub"
            process = it.hubs[leader]
            # The fault falls into the outage or into its end.
            in_outage = dice.random() < 0.6
            told = lambda kind: [
                text for _, text in list(it.mailbox.messages)
                if header_of(text, "X-Sitewatch-Monitor") == f"m{number}" and kind in subject_of(text)
            ]
            it.site.down[f"/{number}"] = set(LOCATIONS)
            if not in_outage:
                wait_for(f"m{number} is told as down", lambda: told("DOWN"), 60)
                it.site.down[f"/{number}"] = set()
            time.sleep(dice.uniform(1.0, 6.5))
            freezes = dice.random() < 0.5
            at = time.monotonic()
            if freezes:
                process.signal(signal.SIGSTOP)
            else:
                process.kill()
            took = None
            if freezes and dice.random() < 0.25:
                # Too short for a takeover.
                time.sleep(dice.uniform(2, 9))
            else:
                wait_for(f"{other} takes over", lambda: it.leads(other), 60)
                took = time.monotonic() - at
                time.sleep(dice.uniform(0, 8))
            back = time.monotonic()
            if freezes:
                process.signal(signal.SIGCONT)
            else:
                process.start()
            faults.append((number, at, back, took))
            wait_for(f"m{number} is told as down", lambda: told("DOWN"), 90)
            it.site.down[f"/{number}"] = set()
            wait_for(f"m{number} is told as up", lambda: told("UP after") or told("WAS DOWN"), 90)
        time.sleep(8)
        out.append(counted(it.mailbox.messages, rounds, faults))


def counted(messages, rounds, faults):
    """What came twice. Every outage must have been told, each message with one Message-ID, and what came twice was on
    its way when the hub was frozen or killed."""
    copies = {}
    for at, text in messages:
        monitor, incident = header_of(text, "X-Sitewatch-Monitor"), header_of(text, "X-Sitewatch-Incident")
        subject = subject_of(text)
        if not monitor.startswith("m"):
            assert "[TROUBLE" in subject or "[BACK" in subject, subject
            continue
        kind = next(kind for kind in ("WAS DOWN", "DOWN", "UP") if f"[{kind}" in subject)
        copies.setdefault((monitor, incident, kind), []).append((at, header_of(text, "Message-ID")))
    doubled = 0
    for (monitor, incident, kind), all_of_it in copies.items():
        ids = {message_id for _, message_id in all_of_it}
        assert len(ids) == 1, (monitor, kind, all_of_it)
        doubled += len(all_of_it) - 1
        if len(all_of_it) > 1:
            near = [
                fault for number, fault, back, _ in faults
                if any(fault - 2 <= at <= fault + 1 or back - 1 <= at <= back + 5 for at, _ in all_of_it)
            ]
            assert len(all_of_it) == 2 and near, (monitor, kind, all_of_it, faults)
    incidents = {(monitor, incident) for monitor, incident, _ in copies}
    for number in range(rounds):
        of_it = [incident for monitor, incident in incidents if monitor == f"m{number}"]
        assert len(of_it) == 1, (number, of_it)
        kinds = {kind for monitor, _, kind in copies if monitor == f"m{number}"}
        assert kinds in ({"DOWN", "UP"}, {"WAS DOWN"}), (number, kinds)
    takes = sorted(took for *_, took in faults if took is not None)
    return {"rounds": rounds, "doubled": doubled, "messages": sum(map(len, copies.values())), "takeovers": takes}


def takeovers():
    """Freezes and kill -9 of the hub that leads: every outage told, twice only what was on its way, with one Message-ID.

    SITEWATCH_TAKEOVERS: how many, 20; SITEWATCH_LANES: in so many clusters at once, 4."""
    rounds = int(os.environ.get("SITEWATCH_TAKEOVERS", "20"))
    lanes = min(rounds, int(os.environ.get("SITEWATCH_LANES", "4")))
    seed = int(os.environ.get("SITEWATCH_SEED", str(random.randrange(10**6))))
    print(f"  seed {seed}", flush=True)
    out, failed = [], []
    def run(number):
        share = rounds // lanes + (number < rounds % lanes)
        try:
            lane(share, seed + number, out)
        except BaseException as why:
            failed.append(f"lane {number}: {type(why).__name__} {why}")
            raise
    threads = [threading.Thread(target=run, args=(number,)) for number in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    takes = sorted(took for one in out for took in one["takeovers"])
    doubled, messages = sum(one["doubled"] for one in out), sum(one["messages"] for one in out)
    assert doubled <= rounds
    print(f"  {rounds} freezes and kills, {len(takes)} takeovers, {messages} messages, {doubled} of them twice with one"
          f" Message-ID; takeover after {takes[len(takes) // 2]:.1f} s (median), {takes[-1]:.1f} s at most")
    assert takes[-1] <= 60


def retold():
    """why, replay and events of a monitor with three locations."""
    with cluster(SHOP, silent_after="30s") as it:
        it.all_see("shop")
        it.site.down["/shop"] = {"fra", "nyc"}
        wait_for("the DOWN mail", lambda: [s for s in it.mails() if "DOWN" in s], 30)
        [why] = it.ask("why", "shop")
        assert why["state"] == "down" and why["complete"], why
        votes = {step["check"]["location"] for step in why["steps"] if step["event"] == "vote" and step["check"]}
        assert votes == set(LOCATIONS), why["steps"]
        down = [step for step in why["steps"] if step["event"] == "down"]
        assert len(down) == 1 and "2 of 3 locations" in down[0]["text"], why["steps"]
        it.site.down.clear()
        wait_for("the UP mail", lambda: [s for s in it.mails() if "UP" in s], 30)
        rows = it.ask("replay", "--since", "1h")
        told = sorted(row["kind"] for row in rows if row["would_be_sent_at"])
        assert told == ["down", "up"], rows
        assert all(row["was_sent_at"] for row in rows), rows
        it.probes["sgp"].kill()
        seen = lambda: [(event["location"], event["seen"]) for event in it.ask("events", "--after", "oldest")
                        if event["type"] == "location"]
        wait_for("sgp is silent", lambda: ("sgp", "silent") in seen(), 60)
        it.probes["sgp"].start()
        wait_for("sgp is heard", lambda: seen()[-1] == ("sgp", "fresh"), 30)
        assert sorted(seen()[:3]) == [(location, "fresh") for location in LOCATIONS], seen()
        assert len(seen()) == 5, seen()


def demo():
    """sitewatch demo --locations: a regional fault without a mail beside an outage with one."""
    def tour(*arguments, **more):
        return subprocess.run([SITEWATCH, "demo", "--locations", *arguments], capture_output=True, text=True,
                              timeout=180, **more)
    before = set(pathlib.Path(tempfile.gettempdir()).glob("sitewatch-demo-*"))
    done = tour("--for", "50s")
    assert done.returncode == 0, done.stderr
    assert "[DOWN 503] shop" in done.stdout and "It fails from" in " ".join(done.stdout.split()), done.stdout
    assert "degraded, regional" in done.stdout, done.stdout
    assert "2 mails about `shop`, no mail about `blog`" in done.stdout, done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 100, done.stdout
    none = tour(env={**os.environ, "PATH": "/nonexistent"})
    assert none.returncode == 1 and none.stderr.count("\n") == 1 and "nats-server" in none.stderr, none.stderr
    assert before == set(pathlib.Path(tempfile.gettempdir()).glob("sitewatch-demo-*"))


PARTS = {part.__name__: part for part in
         (documented, outage, asked, probe_cut, hub_cut, server_faults, kills, full_stream, twins, shares, secrets, permissions, memory,
          standby, takeovers, retold, demo)}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    for name in wanted:
        began = time.monotonic()
        print(f"{name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        PARTS[name]()
        print(f"  fine, {time.monotonic() - began:.0f} s", flush=True)


main()
