"""Addresses of a name and HTTP/3 under the daemon, with servers that nobody here wrote.

nginx serves each site at four addresses. One address goes bad in each way at the same moment: refused, silent, 503,
expired, for another name, slow, reset; of another site all four do; one address serves a certificate that ends soon.
Then HTTP/3 alone is killed: Caddy's, behind the Alt-Svc of nginx. Then UDP is dropped on the way, and on our own host.
Each is in the mail in time, and nothing else is.
Run by tests/e2e/run, or by hand as root: SITEWATCH=target/release/sitewatch python3 tests/e2e/ways.py
"""

import email
import email.policy
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from common import Authority, Servers, free_port, run, until

SITEWATCH = os.environ["SITEWATCH"]
SPACE = f"ways{os.getpid()}"
HERE = "198.18.91.9"
SITES = [f"198.18.91.{last}" for last in (1, 2, 3, 4)]
BAD = SITES[2]
ZONE = "ways.test"
INTERVAL, RETRY, TIMEOUT = 4, 2, 1
# Interval, two retries and a second; the wait for company; what a busy machine may take beside.
IN_TIME, GROUP_WAIT, BUSY = INTERVAL + 2 * RETRY + 1, 0.1, 2

# What goes wrong at one address, and what the mail calls it.
FAULTS = {
    "refused": "connect_refused",
    "silent": "timeout_response",
    "busy": "status 503",
    "expired": "tls_expired",
    "other": "tls_hostname",
    "slow": "timeout_body",
    "reset": "connect_reset",
}
OTHERS = ["down", "all", "soon", "good"]


def name_of(site):
    return f"{site}.{ZONE}"


def network(servers):
    """A network of its own for the daemon, at whose other end all servers are."""
    run("ip", "netns", "add", SPACE)
    servers.stack.callback(run, "ip", "netns", "del", SPACE)
    run("ip", "link", "add", "ways0", "type", "veth", "peer", "name", "ways1", "netns", SPACE)
    for address in SITES:
        run("ip", "address", "add", f"{address}/24", "dev", "ways0")
    run("ip", "link", "set", "ways0", "up")
    for words in [["address", "add", f"{HERE}/24", "dev", "ways1"], ["link", "set", "ways1", "up"], ["link", "set", "lo", "up"]]:
        run("ip", "netns", "exec", SPACE, "ip", *words)


def knot(servers, directory):
    directory.mkdir()
    port = free_port()
    names = [*FAULTS, *OTHERS]
    lines = [f"{name} A {address}" for name in names for address in SITES]
    lines += [f"{name} A {SITES[0]}" for name in ("quic", "canary")]
    (directory / "zone").write_text(
        f"$ORIGIN {ZONE}.\n$TTL 1\n@ SOA ns.{ZONE}. admin.{ZONE}. 1 3600 600 86400 1\n@ NS ns.{ZONE}.\n"
        f"ns A {SITES[0]}\n" + "\n".join(lines) + "\n"
    )
    (directory / "knot.conf").write_text(
        f"server:\n    rundir: {directory}\n    listen: {SITES[0]}@{port}\n    user: root:root\n"
        f"database:\n    storage: {directory}\n"
        f"zone:\n  - domain: {ZONE}\n    storage: {directory}\n    file: zone\n"
    )
    servers.start("knotd", "-c", directory / "knot.conf", log=directory / "log")
    dig = ["dig", "+short", "+time=1", "+tries=1", "-p", str(port), f"@{SITES[0]}", name_of("quic")]
    until("Knot", lambda: subprocess.run(dig, capture_output=True).stdout.strip() == SITES[0].encode())
    return port


def backend(answers):
    """What nginx asks for a silent and a slow answer."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection:
            connection.recv(65536)
            try:
                if answers:
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(600):
                    time.sleep(0.1)
                    if answers:
                        connection.sendall(b"x")
            except OSError:
                pass

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class Nginx:
    """One nginx at some of the addresses, with one server for each site."""

    def __init__(self, servers, authority, directory, addresses, ports, backends, more=""):
        self.authority, self.addresses, self.ports, self.backends = authority, addresses, ports, backends
        self.directory, self.more = directory, more
        directory.mkdir()
        self.write({})
        config = directory / "nginx.conf"
        self.process = servers.start("nginx", "-p", directory, "-c", config, "-e", directory / "error.log",
                                     log=directory / "out")

    def server(self, site, fault):
        cert, body = "good", "location / { return 200 'fine\\n'; }"
        if fault == "refused":
            return ""
        if fault in ("expired", "other", "soon"):
            cert = fault
        elif fault == "busy":
            body = "location / { return 503; }"
        elif fault in ("silent", "slow"):
            body = f"location / {{ proxy_pass http://127.0.0.1:{self.backends[fault]}; proxy_buffering off; }}"
        elif fault == "reset":
            body = "location / { return 444; }"
        listens = " ".join(f"listen {address}:{self.ports[site]} ssl;" for address in self.addresses)
        return (f"server {{ {listens} server_name {name_of(site)}; ssl_certificate {self.authority.cert(cert)};"
                f" ssl_certificate_key {self.authority.key(cert)}; {body} }}\n")

    def write(self, faults):
        text = "".join(self.server(site, faults.get(site)) for site in [*FAULTS, *OTHERS]) + self.more
        paths = "".join(f"{kind}_temp_path {self.directory}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.directory / "nginx.conf").write_text(
            f"daemon off; error_log {self.directory}/error.log; pid {self.directory}/pid; worker_processes 1;"
            f" events {{}}\nhttp {{ access_log off; reset_timedout_connection on; {paths}\n{text} }}\n"
        )

    def reload(self, faults):
        self.write(faults)
        self.process.send_signal(signal.SIGHUP)


class Caddy:
    """HTTP/3 by QUIC at one port."""

    def __init__(self, servers, authority, directory, site, port):
        directory.mkdir(exist_ok=True)
        (directory / "Caddyfile").write_text(
            "{\n  admin off\n  auto_https off\n  skip_install_trust\n}\n"
            f"https://{name_of(site)}:{port} {{\n  bind {SITES[0]}\n"
            f"  tls {authority.cert('good')} {authority.key('good')}\n  respond ok\n}}\n"
        )
        home = dict(os.environ, HOME=str(directory), XDG_DATA_HOME=str(directory), XDG_CONFIG_HOME=str(directory))
        self.process = servers.start("caddy", "run", "--adapter", "caddyfile", "--config", directory / "Caddyfile",
                                     log=directory / "log", env=home)
        reach = lambda: socket.create_connection((SITES[0], port), 1).close() or True
        until("Caddy", lambda: tries(reach))

    def kill(self):
        self.process.kill()
        self.process.wait()


def tries(work):
    try:
        return work()
    except OSError:
        return False


def configuration(directory, dns_port, ports, quic_port, canary_port):
    text = f"""
[daemon]
database = "ways.db"
control_socket = "control.sock"
[dns]
servers = ["{SITES[0]}:{dns_port}"]
[email]
directory = "outbox/"
from = "Sitewatch <alerts@example.com>"
to = ["ops@example.com"]
[alerts]
group_wait = "{int(GROUP_WAIT * 1000)}ms"
group_limit = 100
[connectivity]
canaries = ["https://{name_of('canary')}:{canary_port}/"]
[defaults]
interval = "{INTERVAL}s"
retry_interval = "{RETRY}s"
timeout = "{TIMEOUT}s"
degraded_after = "off"
"""
    for site in [*FAULTS, *OTHERS]:
        text += f'[[monitor]]\nname = "{site}"\nurl = "https://{name_of(site)}:{ports[site]}/"\naddresses = "each"\n'
        if site == "down":
            text += 'on_address_down = "down"\n'
    text += f'[[monitor]]\nname = "quic"\nurl = "https://{name_of("quic")}:{ports["quic"]}/"\nhttp = "offered"\n'
    text += f'[[monitor]]\nname = "quic3"\nurl = "https://{name_of("quic")}:{quic_port}/"\nhttp = "3"\n'
    (directory / "monitors.toml").write_text(text)


class Watch:
    """The daemon in its network, and what it says."""

    def __init__(self, servers, directory, ca):
        self.directory = directory
        self.environment = dict(os.environ, SSL_CERT_FILE=str(ca))
        words = ["ip", "netns", "exec", SPACE, SITEWATCH, "run"]
        servers.start(*words, log=directory / "log", cwd=directory, env=self.environment)
        until("the daemon", lambda: (directory / "control.sock").exists())

    def ask(self, *words):
        found = subprocess.run([SITEWATCH, *words, "--json"], capture_output=True, text=True, cwd=self.directory,
                               env=self.environment, timeout=30)
        return [json.loads(line) for line in found.stdout.splitlines()]

    def states(self):
        return {status["monitor"]: status["state"] for status in self.ask("status")}

    def newest(self, site):
        return self.ask("history", site, "--limit", "1")[0]

    def mails(self):
        """Subject, text, and when it was written, of each mail, oldest first."""
        found = []
        for path in (self.directory / "outbox").glob("*.eml"):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            text = message.get_body(("plain",)).get_content()
            found.append((message["Subject"], text, path.stat().st_mtime))
        return sorted(found, key=lambda mail: mail[2])


def assert_mail(mails, begun, subject, *words):
    """Exactly one, in time; how long it took."""
    found = [mail for mail in mails if mail[0].endswith(f"] {subject.split('] ')[1]}")]
    assert [mail[0] for mail in found] == [subject], f"{subject}: {[mail[0] for mail in mails]}"
    _, text, at = found[0]
    for word in words:
        assert word in text, f"{subject} does not say {word!r}:\n{text}"
    took = at - begun
    assert took <= IN_TIME + GROUP_WAIT + BUSY, f"{subject} took {took:.1f} s"
    print(f"  {subject}: after {took:.1f} s, at most {IN_TIME} are wished")
    return took


def addresses(watch, steady, third):
    until("good checks", lambda: set(watch.states().values()) == {"up"})
    assert not watch.mails(), watch.mails()
    begun = time.time()
    third.reload({**{site: site for site in FAULTS}, "down": "busy", "all": "busy", "soon": "soon"})
    steady.reload({"all": "busy"})
    wanted = len(FAULTS) + len(OTHERS) - 1
    until("the mails", lambda: len(watch.mails()) >= wanted)
    # Whoever says something twice has time for it.
    time.sleep(2 * INTERVAL)
    mails = watch.mails()
    assert len(mails) == wanted, [mail[0] for mail in mails]
    for site, kind in FAULTS.items():
        assert_mail(mails, begun, f"[DEGRADED address_down] {site}", BAD, kind)
    assert_mail(mails, begun, "[DOWN address_down] down", BAD, "status 503")
    assert_mail(mails, begun, "[DOWN 503] all", "503")
    assert_mail(mails, begun, "[DEGRADED certificate_expiring] soon", f"{BAD} only")
    states = watch.states()
    want = {**{site: "degraded" for site in FAULTS}, "down": "down", "all": "down", "soon": "degraded", "good": "up"}
    assert {site: states[site] for site in want} == want, states
    for site in FAULTS:
        seen = {one["addr"].rsplit(":", 1)[0]: one["state"] for one in watch.newest(site)["addresses"]}
        assert seen == {address: "down" if address == BAD else "up" for address in SITES}, (site, seen)
    return len(mails)


def rule(*words):
    """A rule of the packet filter, until it is called off."""
    run(*words[:-1], "-A", *words[-1])
    undo = [*words[:-1], "-D", *words[-1]]
    return lambda: run(*undo)


def versions(watch, caddy, quic_port, canary_port, told):
    quic = lambda: {one["version"]: one["state"] for one in watch.newest("quic")["versions"]}
    assert quic() == {"HTTP/1.1": "up", "HTTP/2": "up", "HTTP/3": "up"}, watch.newest("quic")
    ports = f"{quic_port},{canary_port}"
    drops = {
        "on the way": ["iptables", ["INPUT", "-i", "ways0", "-p", "udp", "-m", "multiport", "--dports", ports, "-j", "DROP"]],
        "on this host": ["ip", "netns", "exec", SPACE, "iptables",
                         ["OUTPUT", "-p", "udp", "-m", "multiport", "--dports", ports, "-j", "DROP"]],
    }
    for where, words in drops.items():
        undo = rule(*words)
        try:
            until(f"HTTP/3 is unknown while UDP is dropped {where}", lambda: quic()["HTTP/3"] == "unknown")
            until("the other one too", lambda: watch.newest("quic3")["state"] == "unknown")
            # What is good or unknown may be written some seconds after it was seen.
            since = {site: watch.newest(site)["at"] for site in ("quic", "quic3")}
            later = lambda site: [one for one in watch.ask("history", site, "--limit", "4") if one["at"] > since[site]]
            until("two more checks of each", lambda: min(len(later("quic")), len(later("quic3"))) >= 2)
            checks = later("quic")
            assert all(check["state"] in ("up", "unknown") for check in checks), checks
            assert all(check["versions"][-1]["state"] == "unknown" for check in checks), checks
            checks = later("quic3")
            assert all(check["state"] == "unknown" for check in checks), checks
            assert len(watch.mails()) == told, [mail[0] for mail in watch.mails()]
            print(f"  UDP dropped {where}: {watch.newest('quic3')['failure']['detail']}")
        finally:
            undo()
        until("good checks", lambda: quic()["HTTP/3"] == "up" and watch.newest("quic3")["state"] == "up")
    assert len(watch.mails()) == told, [mail[0] for mail in watch.mails()]
    begun = time.time()
    caddy.kill()
    until("the mails", lambda: len(watch.mails()) >= told + 2)
    time.sleep(2 * INTERVAL)
    mails = watch.mails()[told:]
    assert_mail(mails, begun, "[DEGRADED http_version] quic", "HTTP/3 fails", "HTTP/1.1 and HTTP/2 work")
    # What asks for HTTP/3 alone is down: a canary answers by QUIC.
    [down] = [mail for mail in mails if mail[0].endswith("] quic3")]
    assert down[0].startswith("[DOWN "), down
    assert len(mails) == 2, [mail[0] for mail in mails]
    assert watch.states()["quic"] == "degraded"
    log = (watch.directory / "log").read_text()
    assert "Os {" not in log and "Error" not in log, log


def main():
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ways") as name:
        directory = pathlib.Path(name)
        # Servers give up root and come back for their files.
        directory.chmod(0o755)
        servers = Servers()
        try:
            try:
                network(servers)
            except subprocess.CalledProcessError as error:
                print(f"no network namespace: {error.stderr.decode().strip()}; this suite is left out")
                return
            dns_port = knot(servers, directory / "knot")
            authority = Authority(directory / "ca", f"*.{ZONE}")
            authority.sign("soon", f"*.{ZONE}", -85, 5)
            ports = {site: free_port() for site in [*FAULTS, *OTHERS, "quic"]}
            quic_port, canary_port = free_port(), free_port()
            backends = {"silent": backend(False), "slow": backend(True)}
            offers = (f"server {{ listen {SITES[0]}:{ports['quic']} ssl http2; server_name {name_of('quic')};"
                      f" ssl_certificate {authority.cert('good')}; ssl_certificate_key {authority.key('good')};"
                      f" add_header Alt-Svc 'h3=\":{quic_port}\"; ma=60' always; location / {{ return 200 'fine\\n'; }} }}\n")
            good = [address for address in SITES if address != BAD]
            steady = Nginx(servers, authority, directory / "steady", good, ports, backends, offers)
            third = Nginx(servers, authority, directory / "third", [BAD], ports, backends)
            caddy = Caddy(servers, authority, directory / "caddy", "quic", quic_port)
            Caddy(servers, authority, directory / "canary", "canary", canary_port)
            configuration(directory, dns_port, ports, quic_port, canary_port)
            watch = Watch(servers, directory, authority.ca)
            print(f"everything is up after {time.monotonic() - begun:.0f} s")
            told = addresses(watch, steady, third)
            versions(watch, caddy, quic_port, canary_port, told)
        except BaseException:
            for log in directory.glob("*/error.log"):
                sys.stderr.write(log.read_text()[-2000:])
            if (directory / "log").exists():
                sys.stderr.write((directory / "log").read_text()[-4000:])
            raise
        finally:
            servers.end()
    print(f"done after {time.monotonic() - begun:.0f} s")


main()
