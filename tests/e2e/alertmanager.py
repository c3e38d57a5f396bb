"""Real Alertmanager, two instances that gossip: an incident is an alert that fires until the site is up again.

What must hold, with `resolve_timeout: 1m`: both instances show the same alert; it goes on firing while sitewatch is
killed, stopped for a while and started again, and while an instance is killed and has forgotten everything; nothing
says "resolved" before the site is up, and 90 s later both instances have resolved it. An instance that is away at the
end of an incident is told of the end once it is back.
Run by tests/e2e/run, or by hand, the whole ten minutes:
    SITEWATCH=target/release/sitewatch python3 tests/e2e/alertmanager.py 600
"""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

SITEWATCH = os.environ["SITEWATCH"]
HOLD = int(sys.argv[1]) if len(sys.argv) > 1 else 180  # seconds that the site stays down
SHOWN_WITHIN = 30  # of the incident
BACK_WITHIN = 75  # of the start of an instance: a round is a minute
RESOLVED_WITHIN = 90  # of the first good check

told = []  # what the webhook of Alertmanager got: (time, status, monitor)
site_status = 200


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(site_status)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            told.append((time.time(), alert["status"], alert["labels"].get("monitor")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Alertmanager:
    def __init__(self, root, number, web, cluster, peer, hook):
        self.folder, self.web = root / f"am{number}", web
        self.folder.mkdir()
        (self.folder / "am.yml").write_text(
            "global: {resolve_timeout: 1m}\n"
            "route: {receiver: hook, group_by: [monitor], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}\n"
            f"receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{hook}/', send_resolved: true}}]}}]\n"
        )
        self.arguments = [
            "prometheus-alertmanager", f"--config.file={self.folder}/am.yml", f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{web}", f"--cluster.listen-address=127.0.0.1:{cluster}",
            f"--cluster.advertise-address=127.0.0.1:{cluster}", f"--cluster.peer=127.0.0.1:{peer}",
            "--cluster.settle-timeout=2s", "--cluster.peer-timeout=2s",
        ]
        self.process = None

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log)

    def kill(self):
        """Without warning, and it remembers nothing."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def alerts(self):
        """The alerts that fire, by monitor."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/api/v2/alerts", timeout=5) as answer:
                return {alert["labels"].get("monitor", alert["labels"]["alertname"]): alert for alert in json.load(answer)}
        except OSError:
            return None


class Daemon:
    def __init__(self, root):
        self.root, self.process = root, None

    def start(self):
        with (self.root / "log").open("ab") as log:
            arguments = [SITEWATCH, "run", "--config", str(self.root / "monitors.toml")]
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log)

    def end(self, how):
        how(self.process)
        self.process.wait(60)

    def ask(self, *arguments):
        done = subprocess.run(
            [SITEWATCH, *arguments, "--config", str(self.root / "monitors.toml")],
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def incident(self):
        return json.loads(self.ask("incidents", "--json").splitlines()[0])

    def deliveries(self):
        return {mail["kind"]: mail["sent_at"] for mail in self.incident()["mails"] if mail["to"] == "am"}


def until(what, seconds, holds):
    """Waits until something holds, and answers after how long."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.5)
    return time.monotonic() - began


def fires(instance, monitor="shop"):
    alerts = instance.alerts()
    return bool(alerts) and monitor in alerts


def hold(instances, daemon, seconds):
    """The site stays down: the alert fires all the while, but where an instance was just started."""
    began = time.monotonic()
    passed = lambda: time.monotonic() - began
    deeds = [
        (0.15, "sitewatch is killed", lambda: daemon.end(subprocess.Popen.kill)),
        (0.15 + 20 / seconds, "sitewatch starts", daemon.start),
        (0.45, "an instance is killed and forgets everything", instances[0].kill),
        (0.45 + 3 / seconds, "the instance starts", instances[0].start),
        (0.90 - min(0.2, 100 / seconds), "sitewatch stops", lambda: daemon.end(subprocess.Popen.terminate)),
        (0.90, "sitewatch starts", daemon.start),
    ]
    away_until = 0
    while passed() < seconds:
        while deeds and passed() > deeds[0][0] * seconds:
            _, what, deed = deeds.pop(0)
            deed()
            print(f"  {passed():4.0f} s: {what}", flush=True)
            if "instance" in what:
                away_until = passed() + BACK_WITHIN
        assert fires(instances[1]), f"after {passed():.0f} s the second instance shows no alert"
        if passed() > away_until:
            assert fires(instances[0]), f"after {passed():.0f} s the first instance shows no alert"
        early = [one for one in told if one[1] == "resolved" and one[2] == "shop"]
        assert not early, f"resolved while the site is down: {early}"
        time.sleep(1)
    assert not deeds


def main():
    global site_status
    root = pathlib.Path(tempfile.mkdtemp(prefix="sitewatch-alertmanager-"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    web, cluster = [free_port(), free_port()], [free_port(), free_port()]
    instances = [Alertmanager(root, n, web[n], cluster[n], cluster[1 - n], port) for n in (0, 1)]
    (root / "monitors.toml").write_text(f"""
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
[alerts]
to = ["am"]
[defaults]
interval = "2s"
timeout = "2s"
retry_interval = "500ms"
[[channel]]
name = "am"
format = "alertmanager"
urls = ["http://127.0.0.1:{web[0]}", "http://127.0.0.1:{web[1]}"]
labels = {{ team = "web" }}
[[monitor]]
name = "shop"
url = "http://127.0.0.1:{port}/"
""")
    daemon = Daemon(root)
    try:
        for instance in instances:
            instance.start()
        for instance in instances:
            until("an instance answers", 30, lambda: instance.alerts() is not None)
        daemon.start()
        until("sitewatch checks", 30, lambda: (root / "control.sock").exists() and daemon.ask("history", "--json"))
        daemon.ask("channel", "test", "am")
        for instance in instances:
            assert fires(instance, "SitewatchTest"), instance.alerts()

        site_status = 503
        took = until("both instances fire", SHOWN_WITHIN, lambda: all(map(fires, instances)))
        one, two = (instance.alerts()["shop"] for instance in instances)
        for key in ("fingerprint", "labels", "startsAt", "annotations"):
            assert one[key] == two[key], (key, one[key], two[key])
        assert one["startsAt"] == daemon.incident()["opened_at"], one
        print(f"alertmanager: both instances fire after {took:.1f} s")
        hold(instances, daemon, HOLD)
        one, two = (instance.alerts()["shop"] for instance in instances)
        assert (one["fingerprint"], one["startsAt"]) == (two["fingerprint"], two["startsAt"])

        site_status = 200
        up_at = time.time()
        took = until("both instances have resolved it", RESOLVED_WITHIN, lambda: not any(map(fires, instances)))
        until("the webhook hears of it", 30, lambda: (told and told[-1][1]) == "resolved")
        assert all(at >= up_at for at, status, of in told if status == "resolved" and of == "shop"), told
        until("both deliveries are noted", 10, lambda: all(daemon.deliveries().values()) and len(daemon.deliveries()) == 2)
        print(f"alertmanager: firing for {HOLD} s, resolved {took:.1f} s after the site was up")

        site_status = 503
        until("both instances fire again", SHOWN_WITHIN, lambda: all(map(fires, instances)))
        instances[0].kill()
        site_status = 200
        until("the other one has resolved it", RESOLVED_WITHIN, lambda: not fires(instances[1]))
        assert daemon.deliveries()["up"] is None, daemon.deliveries()
        instances[0].start()
        took = until("the end reaches the one that was away", BACK_WITHIN, lambda: daemon.deliveries()["up"])
        assert not fires(instances[0])
        print(f"alertmanager: an instance that was away has the end {took:.1f} s after it is back")
    except BaseException:
        sys.stderr.write((root / "log").read_text()[-3000:])
        sys.stderr.write(f"{told}\n")
        raise
    finally:
        for process in [daemon.process, *(instance.process for instance in instances)]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        server.shutdown()


main()
