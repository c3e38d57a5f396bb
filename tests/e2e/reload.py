"""A thousand sites, a hundred reloads with random edits, while everything is being checked.

What must hold: the sites whose entry does not change miss no check and keep their state; the open incident of one of
them is neither closed nor told twice; the daemon's memory and descriptors do not grow.
Run by tests/e2e/run, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/reload.py
"""

import collections
import http.server
import json
import os
import pathlib
import random
import signal
import socketserver
import subprocess
import tempfile
import threading
import time

SITEWATCH = os.environ["SITEWATCH"]
SITES = 1000
KEPT = 500  # whose entry never changes
RELOADS = 100
INTERVAL = 10  # seconds
DOWN = 7  # the number of a kept site that answers 503 from the start
GAP_MAX = 1.9 * INTERVAL  # one check that is left out makes it two intervals; a loaded machine makes none that late


class Sites(http.server.BaseHTTPRequestHandler):
    seen = collections.defaultdict(list)
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        number = int(self.path.rsplit("/", 1)[1])
        self.seen[number].append(time.monotonic())
        body = b"fine\n"
        self.send_response_only(503 if number == DOWN else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def configuration(port, entries):
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
group_wait = "1s"
[defaults]
interval = "{INTERVAL}s"
timeout = "2s"
retry_interval = "500ms"
"""
    return head + "".join(
        f'[[monitor]]\nname = "{name}"\nurl = "http://127.0.0.1:{port}/{number}"\n{more}'
        for name, number, more in entries
    )


def edited(dice, reload, changing):
    """Every reload touches some of the other half: notes, tags, intervals, a pause, new names, gone and come again."""
    for number in dice.sample(sorted(changing), 60):
        changing[number] = dice.choice(
            [
                (f"site {number}", f'note = "edit {reload}"\n'),
                (f"site {number}", f'tags = ["t{reload % 7}"]\n'),
                (f"site {number}", f'interval = "{dice.randint(5, 20)}s"\n'),
                (f"site {number}", "enabled = false\n"),
                (f"site {number} of {reload}", f'renamed_from = "{changing[number][0]}"\n'),
                (f"site {number}", "failures_before_down = 5\n"),
            ]
        )
    gone = set(dice.sample(sorted(changing), 20))
    return [(name, number, more) for number, (name, more) in changing.items() if number not in gone]


def status_of(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/status has no {name}")


def main():
    server = Server(("127.0.0.1", 0), Sites)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    dice = random.Random(20261123)
    with tempfile.TemporaryDirectory(prefix="sitewatch-reload-") as name:
        directory = pathlib.Path(name)
        (directory / "mails").mkdir()
        file = directory / "monitors.toml"
        kept = [(f"site {number}", number, "") for number in range(KEPT)]
        changing = {number: (f"site {number}", "") for number in range(KEPT, SITES)}
        file.write_text(configuration(port, kept + edited(dice, 0, changing)))

        def run(*arguments):
            command = [SITEWATCH, "--config", str(file), *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

        log = open(directory / "log", "w")
        daemon = subprocess.Popen([SITEWATCH, "run", "--config", str(file)], cwd=directory, stderr=log)
        try:
            time.sleep(2 * INTERVAL)
            began = time.monotonic()
            sizes, descriptors = [], []
            refused = 0
            for reload in range(1, RELOADS + 1):
                entries = kept + edited(dice, reload, changing)
                file.write_text(configuration(port, entries))
                answer = run("reload")
                if reload % 10 == 0:  # now and then somebody saves half a file
                    file.write_text(file.read_text() + "[[monitor]]\nurl = \n")
                    assert run("reload").returncode == 2
                    refused += 1
                # Two names of one site in a row may collide: then the answer says so and nothing changes.
                assert answer.returncode in (0, 2), answer
                refused += answer.returncode == 2
                sizes.append(status_of(daemon.pid, "VmRSS"))
                descriptors.append(len(os.listdir(f"/proc/{daemon.pid}/fd")))
            file.write_text(configuration(port, kept))
            assert run("reload").returncode == 0
            ended = time.monotonic()
            time.sleep(INTERVAL)
            took = ended - began
            worst = 0.0
            for _, number, _ in kept:
                times = [at for at in Sites.seen[number] if at > began - INTERVAL]
                gaps = [b - a for a, b in zip(times, times[1:])]
                worst = max([worst, *gaps])
            assert worst < GAP_MAX, f"a kept site was not checked for {worst:.2f} s"
            incidents = [json.loads(line) for line in run("incidents", f"site {DOWN}", "--json").stdout.splitlines()]
            assert len(incidents) == 1 and incidents[0]["closed_at"] is None, incidents
            mails = [mail.read_text() for mail in (directory / "mails").glob("*.eml")]
            downs = [mail for mail in mails if f"] site {DOWN}\n" in mail and "[DOWN 503]" in mail]
            assert len(downs) == 1, f"{len(downs)} DOWN mails"
            rows = [json.loads(line) for line in run("status", "--json").stdout.splitlines()]
            states = collections.Counter(row["state"] for row in rows)
            assert states == {"up": KEPT - 1, "down": 1}, states
            early, late = sum(sizes[40:50]) / 10, sum(sizes[-10:]) / 10
            print(f"{RELOADS} reloads in {took:.0f} s, {refused} of them refused")
            print(f"the longest time without a check of a kept site: {worst:.2f} s of {INTERVAL} s")
            print(f"memory {early / 1024:.1f} MiB after 40 reloads, {late / 1024:.1f} MiB at the end")
            print(f"descriptors at most {max(descriptors)}")
            assert late < early * 1.5, "memory grows with reloads"
            assert max(descriptors) < 400, "descriptors grow with reloads"
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=20) == 0
        except BaseException:
            print((directory / "log").read_text()[-4000:])
            raise
        finally:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
    print("all of the reload suite holds")


main()
