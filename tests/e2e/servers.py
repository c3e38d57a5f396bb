"""Real nginx as the sites, real Postfix as the mail server, the release binary between them.

Everything listens on loopback ports, lives in one temporary directory and is ended by process id.
Run by tests/e2e/run, or by hand: SITEWATCH=target/release/sitewatch python3 tests/e2e/servers.py
"""

import collections
import contextlib
import email
import email.policy
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

SITEWATCH = os.environ["SITEWATCH"]
PATIENCE = 60  # seconds for anything to happen; nothing here needs more than a few


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, patience=PATIENCE):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"waited {patience} s in vain for {what}")


class Nginx:
    """One server with a virtual host a site; each site's answer is a file of its own."""

    def __init__(self, directory, sites):
        self.directory = directory
        self.sites = sites
        self.ports = {site: free_port() for site in sites}
        self.log = directory / "access.log"
        (directory / "sites").mkdir(parents=True)
        for site in sites:
            self.write(site, "return 200 'fine\\n';")
        (directory / "nginx.conf").write_text(
            f"""
            daemon off;
            error_log {directory}/error.log info;
            pid {directory}/nginx.pid;
            worker_processes 1;
            events {{}}
            http {{
                log_format sites '$server_name $status $request_uri "$http_user_agent"';
                access_log {self.log} sites;
                client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2;
                fastcgi_temp_path {directory}/t3; uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
                include {directory}/sites/*.conf;
            }}
            """
        )
        self.process = subprocess.Popen(
            ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")]
        )
        for site in sites:
            self.until_listening(site)

    def write(self, site, answer):
        path = self.directory / "sites" / f"{site}.conf"
        if answer is None:
            path.unlink(missing_ok=True)
            return
        path.write_text(
            f"server {{ listen 127.0.0.1:{self.ports[site]}; server_name {site};\n"
            f"  location / {{ {answer} }}\n"
            f"  location /final {{ return 200 'there\\n'; }}\n}}\n"
        )

    def until_listening(self, site, yes=True):
        def listening():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[site]), 1):
                return yes
            return not yes

        wait_for(f"{site} to {'listen' if yes else 'stop listening'}", listening)

    def answer(self, site, answer):
        """Reconfigures a running nginx; None stops the site."""
        self.write(site, answer)
        self.process.send_signal(signal.SIGHUP)
        self.until_listening(site, answer is not None)

    def url(self, site, path="/"):
        return f"http://127.0.0.1:{self.ports[site]}{path}"

    def requests(self, site):
        lines = self.log.read_text().splitlines()
        return collections.Counter(int(line.split()[1]) for line in lines if line.split()[0] == site)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Greylist(socketserver.ThreadingTCPServer):
    """A Postfix policy server that defers what it sees for the first time, as greylisting does."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.on = False
        self.seen = collections.Counter()
        super().__init__(("127.0.0.1", 0), GreylistHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class GreylistHandler(socketserver.StreamRequestHandler):
    def handle(self):
        attributes = {}
        for raw in self.rfile:
            line = raw.decode().strip()
            if line:
                name, _, value = line.partition("=")
                attributes[name] = value
                continue
            key = (attributes.get("sender"), attributes.get("recipient"))
            self.server.seen[key] += 1
            defer = self.server.on and self.server.seen[key] == 1
            action = "defer_if_permit 4.2.0 Greylisted, come back" if defer else "dunno"
            self.wfile.write(f"action={action}\n\n".encode())
            attributes = {}


class Postfix:
    """A mail server with STARTTLS of its own certificate authority, delivering into Maildirs."""

    def __init__(self, directory, policy_port):
        self.directory = directory
        self.port = free_port()
        self.config = directory / "config"
        self.mail = directory / "mail"
        user = pwd.getpwnam("postfix")
        for name in ("config", "queue", "data", "mail"):
            (directory / name).mkdir(parents=True)
        os.chown(directory / "data", user.pw_uid, user.pw_gid)
        os.chown(self.mail, user.pw_uid, user.pw_gid)
        # The queue manager walks in as `postfix`.
        for parent in [directory, *directory.parents]:
            if parent == pathlib.Path("/") or parent == pathlib.Path("/tmp"):
                break
            parent.chmod(0o755)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")],
            check=True, capture_output=True,
        )
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": directory / "queue",
            "data_directory": directory / "data",
            "maillog_file": directory / "postfix.log",
            "maillog_file_prefixes": "/",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mail.example.test",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "virtual_mailbox_domains": "example.test",
            "virtual_mailbox_base": self.mail,
            "virtual_mailbox_maps": "static:inbox/",
            "virtual_uid_maps": f"static:{user.pw_uid}",
            "virtual_gid_maps": f"static:{user.pw_gid}",
            "smtpd_tls_cert_file": directory / "cert.pem",
            "smtpd_tls_key_file": directory / "key.pem",
            "smtpd_tls_security_level": "encrypt",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_recipient_restrictions": f"check_policy_service inet:127.0.0.1:{policy_port}, permit_mynetworks, reject",
            "smtpd_peername_lookup": "no",
            "alias_maps": "",
            "alias_database": "",
        }
        (self.config / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        services = pathlib.Path("/etc/postfix/master.cf").read_text().splitlines()
        kept = []
        for line in services:
            words = line.split()
            if line.startswith(("#", " ", "\t")) or not words or words[0] == "smtp" and words[1] == "inet":
                continue
            if words[0] in ("pickup", "cleanup", "qmgr", "tlsmgr", "rewrite", "bounce", "defer", "trace", "verify",
                            "flush", "proxymap", "error", "retry", "discard", "local", "virtual", "anvil", "scache",
                            "postlog"):
                words[4] = "n"
                kept.append(" ".join(words))
        (self.config / "master.cf").write_text(
            f"127.0.0.1:{self.port} inet n - n - - smtpd\n" + "\n".join(kept) + "\n"
        )
        self.start()

    def run(self, *arguments):
        # postfix(1) puts the daemon into the background itself; the master's pid stands in its queue directory.
        subprocess.run(["postfix", "-c", str(self.config), *arguments], check=True, capture_output=True, timeout=60)

    def start(self):
        self.run("start")

        def greets():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as talk:
                talk.settimeout(5)
                return talk.recv(4).startswith(b"220")

        wait_for("Postfix to greet", greets)

    def stop(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.run("stop")

    def messages(self):
        found = []
        for path in sorted((self.mail / "inbox").glob("new/*"), key=lambda path: path.stat().st_mtime_ns):
            with path.open("rb") as file:
                found.append(email.message_from_binary_file(file, policy=email.policy.default))
        return found


class Daemon:
    def __init__(self, directory, config):
        self.directory = directory
        self.file = directory / "monitors.toml"
        self.file.write_text(config)
        self.log = (directory / "daemon.log").open("ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen([SITEWATCH, "run", "--config", str(self.file)], stderr=self.log, stdout=self.log)
        wait_for("the control socket", lambda: (self.directory / "control.sock").exists())

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, f"a clean stop exits with 0, not {self.process.returncode}"

    def ask(self, *arguments):
        done = subprocess.run([SITEWATCH, *arguments, "--config", str(self.file)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments):
        return [json.loads(line) for line in self.ask(*arguments, "--json").splitlines()]

    def states(self):
        return {row["monitor"]: row["state"] for row in self.json("status")}


def subjects(messages):
    return [message["Subject"] for message in messages]


def about(messages, name):
    return [message for message in messages if message["X-Sitewatch-Monitor"] == name]


def check_outage(nginx, postfix, daemon, site, broken, good, subject):
    """One outage: one DOWN with this subject, one UP threaded to it, one incident that names both."""
    before = len(about(postfix.messages(), site))
    nginx.answer(site, broken)
    wait_for(f"the DOWN mail of {site}", lambda: len(about(postfix.messages(), site)) > before)
    nginx.answer(site, good)
    wait_for(f"the UP mail of {site}", lambda: len(about(postfix.messages(), site)) > before + 1)
    down, up = about(postfix.messages(), site)[before:]
    assert down["Subject"] == subject, down["Subject"]
    assert up["Subject"].startswith("[UP after ") and up["Subject"].endswith(f"] {site}"), up["Subject"]
    assert up["In-Reply-To"] == down["Message-ID"], (up["In-Reply-To"], down["Message-ID"])
    assert down["Message-ID"] in up["References"]
    for message, state in ((down, "down"), (up, "up")):
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["X-Sitewatch-State"] == state, message["X-Sitewatch-State"]
        assert message["X-Sitewatch-Incident"] == down["X-Sitewatch-Incident"]
        assert message["Date"].datetime
        kinds = [part.get_content_type() for part in message.iter_parts()]
        assert kinds == ["text/plain", "text/html"], kinds
        assert all(len(line) <= 78 for line in message.get_body(("plain",)).get_content().splitlines())
    incidents = daemon.json("incidents", site)
    newest = incidents[0]
    assert newest["id"] == down["X-Sitewatch-Incident"], newest
    assert newest["closed_at"], newest
    print(f"   {site}: {down['Subject']} / {up['Subject']}")
    return down, up


def main():
    root = pathlib.Path(tempfile.mkdtemp(prefix="sitewatch-e2e-"))
    os.chmod(root, 0o755)
    crowd = [f"crowd{number:02}" for number in range(40)]
    greylist = Greylist()
    nginx = postfix = daemon = None
    try:
        nginx = Nginx(root / "nginx", ["steady", "chain", "shop", "blog", "wiki", *crowd])
        nginx.answer("chain", "return 301 /final;")
        postfix = Postfix(root / "postfix", greylist.port)
        watched = root / "sitewatch"
        watched.mkdir()
        config = f"""
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
shutdown_grace = "5s"

[email]
host = "localhost"
port = {postfix.port}
tls = "starttls"
ca_file = "{postfix.directory}/cert.pem"
from = "sitewatch <sitewatch@example.test>"
to = ["ops@example.test"]

[alerts]
group_wait = "1s"
group_interval = "3s"
flapping = {{ changes = 50, within = "1h" }}

[defaults]
interval = "1s"
timeout = "900ms"
retry_interval = "200ms"
"""
        for site in ["steady", "chain", "shop", "blog", "wiki", *crowd]:
            config += f'\n[[monitor]]\nname = "{site}"\nurl = "{nginx.url(site)}"\n'
        daemon = Daemon(watched, config)
        wait_for("all sites up", lambda: set(daemon.states().values()) == {"up"})

        # One mail each way for each kind of outage.
        good = "return 200 'fine\\n';"
        check_outage(nginx, postfix, daemon, "shop", "return 503;", good, "[DOWN 503] shop")
        check_outage(nginx, postfix, daemon, "blog", "return 404;", good, "[DOWN 404] blog")
        check_outage(nginx, postfix, daemon, "wiki", None, good, "[DOWN connect_refused] wiki")

        # A killed daemon neither forgets nor repeats.
        before = len(about(postfix.messages(), "shop"))
        nginx.answer("shop", "return 500;")
        wait_for("the DOWN mail", lambda: len(about(postfix.messages(), "shop")) == before + 1)
        daemon.kill()
        daemon.start()
        wait_for("checks after the restart", lambda: daemon.states()["shop"] == "down")
        time.sleep(3)
        assert len(about(postfix.messages(), "shop")) == before + 1, subjects(about(postfix.messages(), "shop"))
        nginx.answer("shop", good)
        wait_for("the UP mail", lambda: len(about(postfix.messages(), "shop")) == before + 2)

        # A mail server that is away loses nothing: the two mails become one.
        before = len(about(postfix.messages(), "blog"))
        postfix.stop()
        nginx.answer("blog", "return 502;")
        wait_for("blog down", lambda: daemon.states()["blog"] == "down")
        wait_for("a waiting mail", lambda: daemon.json("email", "queue"))
        nginx.answer("blog", good)
        wait_for("blog up", lambda: daemon.states()["blog"] == "up")
        postfix.start()
        daemon.ask("email", "retry")
        wait_for("the late mail", lambda: len(about(postfix.messages(), "blog")) > before)
        time.sleep(2)
        late = about(postfix.messages(), "blog")[before:]
        assert len(late) == 1 and late[0]["Subject"].startswith("[WAS DOWN "), subjects(late)
        print(f"   late: {late[0]['Subject']}")

        # Greylisting defers and the mail arrives all the same, once.
        before = len(about(postfix.messages(), "wiki"))
        greylist.seen.clear()
        greylist.on = True
        nginx.answer("wiki", "return 500;")
        wait_for("a deferred mail", lambda: any(row["attempts"] for row in daemon.json("email", "queue")))
        daemon.ask("email", "retry")
        wait_for("the mail after greylisting", lambda: len(about(postfix.messages(), "wiki")) == before + 1)
        greylist.on = False
        nginx.answer("wiki", good)
        wait_for("wiki up again", lambda: len(about(postfix.messages(), "wiki")) == before + 2)

        # Forty at once are one mail.
        before = len(postfix.messages())
        for site in crowd:
            nginx.write(site, "return 503;")
        nginx.process.send_signal(signal.SIGHUP)
        wait_for("forty down", lambda: sum(state == "down" for state in daemon.states().values()) == 40)
        wait_for("the digest", lambda: any(" DOWN: " in subject and "sitewatch on" in subject
                                           for subject in subjects(postfix.messages()[before:])))
        time.sleep(8)
        storm = subjects(postfix.messages()[before:])
        assert len(storm) <= 2, storm
        print(f"   storm: {storm}")
        for site in crowd:
            nginx.write(site, good)
        nginx.process.send_signal(signal.SIGHUP)
        wait_for("all up again", lambda: set(daemon.states().values()) == {"up"})

        # What is recorded is what the server saw.
        daemon.stop()
        daemon.process = None
        for site in ["steady", "shop", "blog", "wiki"]:
            rows = [json.loads(line) for line in subprocess.run(
                [SITEWATCH, "history", site, "--limit", "1000000", "--json", "--config", str(watched / "monitors.toml")],
                check=True, capture_output=True, text=True).stdout.splitlines()]
            recorded = collections.Counter(row["status"] for row in rows if row["status"])
            served = nginx.requests(site)
            # The request that was in flight at the kill is the one thing that may be missing.
            missing = served - recorded
            assert not recorded - served and sum(missing.values()) <= 1, (site, served, recorded)
            print(f"   {site}: nginx served {dict(served)}, history has {dict(recorded)}")
        hops = nginx.requests("chain")
        assert hops[301] and abs(hops[301] - hops[200]) <= 1, hops
    except BaseException:
        with contextlib.suppress(OSError):
            sys.stderr.write((root / "sitewatch" / "daemon.log").read_text()[-6000:])
        if postfix:
            sys.stderr.write("\n".join(str(subject) for subject in subjects(postfix.messages())) + "\n")
        raise
    finally:
        if daemon and daemon.process:
            daemon.process.kill()
            daemon.process.wait()
        if postfix:
            postfix.stop()
        if nginx:
            nginx.stop()
        greylist.shutdown()
        shutil.rmtree(root, ignore_errors=True)
    print("servers: 6 passed, 0 failed")


main()
