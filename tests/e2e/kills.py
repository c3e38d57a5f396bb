"""A loaded writer, killed a hundred times.

Three hundred sites a second go up and down; again and again the daemon is killed without warning. What must hold after
each kill: the database is whole, and every incident and every end of one that another process had seen is still there.
In the end the reports agree with a recomputation from the raw checks.
Run by tests/e2e/run with twenty kills, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/kills.py [KILLS]
"""

import collections
import contextlib
import datetime
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
SPELL = 4  # seconds that a site stays up, or down


class Site(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, IndexError):
            number = int(self.rfile.readline().split()[1].rsplit(b"/", 1)[1])
            while self.rfile.readline().strip():
                pass
            # A third goes up and down, each at times of its own.
            down = number % 3 == 0 and int(time.time() + number * 0.37) // SPELL % 2
            status = b"503 Service Unavailable" if down else b"200 OK"
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n")


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024


def configuration(port):
    head = """
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
shutdown_grace = "2s"
[defaults]
interval = "1s"
timeout = "1s"
failures_before_down = 1
successes_before_up = 1
"""
    sites = (f'[[monitor]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}/{n}"\n' for n in range(SITES))
    return head + "".join(sites)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def ask(file, *arguments):
    done = subprocess.run([SITEWATCH, *arguments, "--json", "--config", str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def incidents(file):
    return {row["id"]: row["closed_at"] for row in ask(file, "incidents", "--since", "1d")}


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
    file = root / "monitors.toml"
    file.write_text(configuration(server.server_address[1]))
    acknowledged = {}
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
              f"{compared} checks of {SITES} sites add up to their reports")
    except BaseException:
        sys.stderr.write((root / "log").read_text()[-3000:])
        raise
    finally:
        if daemon and daemon.poll() is None:
            daemon.kill()
            daemon.wait()
        server.shutdown()


main()
