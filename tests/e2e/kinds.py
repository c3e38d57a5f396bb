"""Ports, certificates, hosts, names and versions of HTTP, beside the tools that people ask for them by hand.

Servers that nobody here wrote: Postfix (smtp), Dovecot (imap), PostgreSQL, OpenLDAP's slapd, Knot DNS, nginx with
HTTP/2, HTTP/3 by aioquic, the kernel's ping in a network namespace. Each case is one monitor and one call of openssl,
dig, ping, curl or aioquic's client: both must come to the same verdict, and ours must name its cause. Where they do not
agree the case says why; a reason that is not needed is a failure as well.
Run by tests/e2e/run, or by hand: SITEWATCH=target/release/sitewatch AIOQUIC=dir python3 tests/e2e/kinds.py
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from common import Authority, Servers, free_port, listens, run, until

SITEWATCH = os.environ["SITEWATCH"]
AIOQUIC = os.environ.get("AIOQUIC")  # where aioquic is installed; without it the cases of HTTP/3 are left out
HERE = pathlib.Path(__file__).parent
NAME = "site.test"
SPACE = f"kinds{os.getpid()}"
HOST, LOSSY, GONE = "198.18.88.2", "198.18.88.3", "198.18.88.9"

Case = collections.namedtuple("Case", "name keys tool want why")
CASES = []


def case(name, keys, tool, want, why=None):
    """`tool` is a list of words, whose exit status decides, or a function that does; `want` is ours."""
    CASES.append(Case(name, keys, tool, want, why))


def s_client(authority, port, *more):
    return ["timeout", "5", "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME,
            "-verify_hostname", NAME, "-verify_return_error", "-CAfile", authority.ca, *more]


def tls_case(name, authority, port, want, starttls=None, why=None):
    keys = {"url": f"tls://{NAME}:{port}", "connect_to": "127.0.0.1", "ca_file": str(authority.ca)}
    more = []
    if starttls:
        keys["starttls"] = starttls
        more = ["-starttls", starttls]
    case(name, keys, s_client(authority, port, *more), want, why)


def postfix(servers, authority, directory):
    user = pwd.getpwnam("postfix")
    for name in ("config", "queue", "data"):
        (directory / name).mkdir(parents=True)
    os.chown(directory / "data", user.pw_uid, user.pw_gid)
    settings = {
        "compatibility_level": "3.6", "queue_directory": directory / "queue", "data_directory": directory / "data",
        "maillog_file": directory / "postfix.log", "maillog_file_prefixes": "/", "mail_owner": "postfix",
        "setgid_group": "postdrop", "inet_protocols": "ipv4", "myhostname": "mail.example.test", "mydestination": "",
        "mynetworks": "127.0.0.0/8", "smtpd_tls_security_level": "may", "smtpd_peername_lookup": "no",
        "smtpd_relay_restrictions": "permit_mynetworks, reject", "alias_maps": "", "alias_database": "",
    }
    config = directory / "config"
    (config / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    ports = {kind: free_port() for kind in [*authority.KINDS, "none"]}
    lines = []
    for kind, port in ports.items():
        lines.append(f"127.0.0.1:{port} inet n - n - - smtpd")
        if kind == "none":
            lines.append("  -o smtpd_tls_security_level=none")
        else:
            lines.append(f"  -o smtpd_tls_cert_file={authority.cert(kind)} -o smtpd_tls_key_file={authority.key(kind)}")
    lines += ["tlsmgr unix - - n 1000? 1 tlsmgr", "rewrite unix - - n - - trivial-rewrite", "anvil unix - - n - 1 anvil",
              "proxymap unix - - n - - proxymap", "postlog unix-dgram n - n - 1 postlogd",
              "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr"]
    (config / "master.cf").write_text("\n".join(lines) + "\n")
    # It puts the daemon into the background itself.
    run("postfix", "-c", config, "start")
    servers.stack.callback(run, "postfix", "-c", config, "stop")
    for port in ports.values():
        until("Postfix", lambda: listens(port))
    for kind, want in authority.KINDS.items():
        tls_case(f"smtp {kind}", authority, ports[kind], want, "smtp")
    tls_case("smtp without STARTTLS", authority, ports["none"], "tls_handshake", "smtp")
    banner = {"url": f"tcp://127.0.0.1:{ports['none']}", "expect": "^220 mail[.]example[.]test"}
    case("smtp greeting", banner, says(ports["none"], b"220 mail.example.test"), "up")
    other = {**banner, "expect": "^220 mx2"}
    case("smtp greeting of another", other, says(ports["none"], b"220 mx2"), "body")
    noop = {**banner, "send": "NOOP\r\n", "expect": "(?m)^250 "}
    case("smtp that answers", noop, says(ports["none"], b"\r\n250 ", b"NOOP\r\n"), "up")
    tls_case("TLS at a port without", authority, ports["none"], "tls_handshake")


def says(port, expected, send=b""):
    """As nc does: connects, sends, reads for a moment."""

    def tool():
        try:
            with socket.create_connection(("127.0.0.1", port), 3) as connection:
                connection.settimeout(3)
                connection.sendall(send)
                heard = b""
                while expected not in heard:
                    piece = connection.recv(4096)
                    if not piece:
                        return False
                    heard += piece
                return True
        except OSError:
            return False

    return tool


def connects(port, host="127.0.0.1"):
    return ["timeout", "5", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]


def dovecot(servers, authority, directory):
    for kind, want in authority.KINDS.items():
        base = directory / kind
        base.mkdir(parents=True)
        plain, tls = free_port(), free_port()
        (base / "dovecot.conf").write_text(
            f"""
            base_dir = {base}/run
            state_dir = {base}/state
            log_path = {base}/log
            protocols = imap
            ssl = yes
            ssl_cert = <{authority.cert(kind)}
            ssl_key = <{authority.key(kind)}
            passdb {{
              driver = static
              args = password=none
            }}
            userdb {{
              driver = static
              args = uid=nobody gid=nogroup home=/nonexistent
            }}
            service imap-login {{
              inet_listener imap {{
                address = 127.0.0.1
                port = {plain}
              }}
              inet_listener imaps {{
                address = 127.0.0.1
                port = {tls}
                ssl = yes
              }}
            }}
            """
        )
        servers.start("dovecot", "-F", "-c", base / "dovecot.conf", log=base / "out")
        until("Dovecot", lambda: listens(plain) and listens(tls))
        tls_case(f"imap {kind}", authority, plain, want, "imap")
        tls_case(f"imaps {kind}", authority, tls, want)
        if kind == "good":
            keys = {"url": f"tls://{NAME}:{tls}", "connect_to": "127.0.0.1", "ca_file": str(authority.ca)}
            tool = s_client(authority, tls, "-quiet", "-no_ign_eof")
            case("imaps that greets", {**keys, "expect": r"^\* OK "}, tool, "up")
            case("imap as smtp", {**keys, "url": f"tls://{NAME}:{plain}", "starttls": "smtp", "timeout": "3s"},
                 s_client(authority, plain, "-starttls", "smtp"), "tls_handshake")


def postgres(servers, authority, directory):
    binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = pwd.getpwnam("postgres")
    directory.mkdir()
    os.chown(directory, user.pw_uid, user.pw_gid)
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = directory / "data"
    run(binaries / "initdb", "-D", data, "-A", "trust", "-N", "--no-locale", cwd=directory, **as_user)
    for kind in ("good", "expired", "off"):
        own = directory / kind
        run("cp", "-a", data, own)
        port, options = free_port(), ["-c", "ssl=off"]
        if kind != "off":
            for source, name in [(authority.cert(kind), "s.pem"), (authority.key(kind), "s.key")]:
                shutil.copy(source, own / name)
                os.chown(own / name, user.pw_uid, user.pw_gid)
                (own / name).chmod(0o600)
            options = ["-c", "ssl=on", "-c", "ssl_cert_file=s.pem", "-c", "ssl_key_file=s.key"]
        servers.start(binaries / "postgres", "-D", own, "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}",
                      "-c", "unix_socket_directories=", "-c", "fsync=off", *options, log=directory / f"{kind}.log",
                      cwd=directory, **as_user)
        until("PostgreSQL", lambda: listens(port))
        want = {"good": "up", "expired": "tls_expired", "off": "tls_handshake"}[kind]
        tls_case(f"postgres {kind}", authority, port, want, "postgres")
        if kind == "good":
            case("postgres takes connections", {"url": f"tcp://127.0.0.1:{port}"}, connects(port), "up")


def slapd(servers, authority, directory):
    for kind, want in authority.KINDS.items():
        base = directory / kind
        base.mkdir(parents=True)
        plain, tls = free_port(), free_port()
        (base / "slapd.conf").write_text(
            f"include /etc/ldap/schema/core.schema\npidfile {base}/pid\n"
            f"TLSCertificateFile {authority.cert(kind)}\nTLSCertificateKeyFile {authority.key(kind)}\n"
        )
        servers.start("slapd", "-d", "0", "-f", base / "slapd.conf",
                      "-h", f"ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{tls}/", log=base / "out")
        until("slapd", lambda: listens(plain) and listens(tls))
        tls_case(f"ldap {kind}", authority, plain, want, "ldap")
        tls_case(f"ldaps {kind}", authority, tls, want)


ZONE = """$ORIGIN example.test.
$TTL 60
@ SOA ns.example.test. admin.example.test. 7 3600 600 86400 60
@ NS ns.example.test.
@ MX 10 mail.example.test.
@ MX 20 mx2.example.test.
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.example"
ns A 127.0.0.1
www A 192.0.2.10
www A 192.0.2.11
www AAAA 2001:db8::10
alias CNAME www
long TXT "one " "two"
_sip._tcp SRV 1 2 5060 sip.example.test.
10 PTR host.example.test.
"""


def knot(servers, directory):
    directory.mkdir()
    port = free_port()
    many = "".join(f'big TXT "{"x" * 200}{number:03}"\n' for number in range(40))
    (directory / "example.zone").write_text(ZONE + many)
    (directory / "broken.zone").write_text("this is no zone\n")
    (directory / "knot.conf").write_text(
        f"""
server:
    rundir: {directory}
    listen: 127.0.0.1@{port}
    user: root:root
database:
    storage: {directory}
zone:
  - domain: example.test
    storage: {directory}
    file: example.zone
  - domain: broken.test
    storage: {directory}
    file: broken.zone
"""
    )
    servers.start("knotd", "-c", directory / "knot.conf", log=directory / "log")
    until("Knot", lambda: subprocess.run(
        ["dig", "+short", "+time=1", "+tries=1", "-p", str(port), "@127.0.0.1", "ns.example.test"],
        capture_output=True).stdout.strip() == b"127.0.0.1")

    def dig(name, kind, answers, match):
        def tool():
            found = subprocess.run(["dig", "+short", "-p", str(port), "@127.0.0.1", name, kind], capture_output=True,
                                   text=True).stdout.split("\n")
            found = {line.rstrip(".").replace('" "', "").lower() for line in found if line and not line.startswith(";")}
            wanted = {answer.rstrip(".").lower() for answer in answers}
            quoted = {f'"{answer}"' for answer in wanted} if kind == "TXT" else wanted
            if not answers:
                return bool(found)
            return quoted == found if match == "exact" else quoted <= found

        return tool

    def dns(name, kind, answers, want, match="exact", why=None):
        keys = {"url": f"dns://127.0.0.1:{port}/{name}?type={kind}", "answers": answers, "answers_match": match}
        number = sum(one.name.startswith("dns ") for one in CASES)
        case(f"dns {number:02} {kind} {name}", keys, dig(name, kind, answers, match), want, why)

    dns("www.example.test", "A", [], "up")
    dns("www.example.test", "A", ["192.0.2.11", "192.0.2.10"], "up")
    dns("www.example.test", "A", ["192.0.2.10"], "dns_answer")
    dns("www.example.test", "A", ["192.0.2.10"], "up", "contains")
    dns("www.example.test", "A", ["192.0.2.12"], "dns_answer", "contains")
    dns("WWW.Example.TEST", "AAAA", ["2001:db8::10"], "up")
    dns("www.example.test", "AAAA", ["2001:DB8:0::10"], "up", why="dig prints the address in its short form, and we compare addresses")
    dns("alias.example.test", "CNAME", ["www.example.test"], "up")
    dns("alias.example.test", "CNAME", ["WWW.example.test."], "up")
    dns("alias.example.test", "A", ["192.0.2.10", "192.0.2.11"], "up",
        why="dig prints the alias as well, and we compare records of the asked type alone")
    dns("example.test", "MX", ["20 mx2.example.test", "10 mail.example.test"], "up")
    dns("example.test", "MX", ["10 mail.example.test"], "dns_answer")
    dns("example.test", "MX", ["30 mx3.example.test"], "dns_answer", "contains")
    dns("example.test", "NS", ["ns.example.test"], "up")
    dns("example.test", "TXT", ["v=spf1 -all"], "up")
    dns("example.test", "TXT", ["v=spf1 +all"], "dns_answer")
    dns("long.example.test", "TXT", ["one two"], "up")
    dns("example.test", "CAA", ['0 issue "ca.example"'], "up")
    dns("_sip._tcp.example.test", "SRV", ["1 2 5060 sip.example.test"], "up")
    dns("10.example.test", "PTR", ["host.example.test"], "up")
    dns("example.test", "SOA", ["ns.example.test admin.example.test 7 3600 600 86400 60"], "up",
        why="dig ends the names with dots, which do not count for us")
    dns("big.example.test", "TXT", ["x" * 200 + "007"], "up", "contains")
    dns("none.example.test", "A", [], "dns_not_found")
    dns("ns.example.test", "AAAA", [], "dns_not_found")
    dns("www.broken.test", "A", [], "dns_failure")
    dns("www.elsewhere.test", "A", [], "dns_failure")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    servers.stack.callback(silent.close)
    quiet = silent.getsockname()[1]
    case("dns of a silent server", {"url": f"dns://127.0.0.1:{quiet}/www.example.test", "timeout": "2s"},
         ["dig", "+time=1", "+tries=2", "-p", quiet, "@127.0.0.1", "www.example.test"], "dns_timeout")


def ports(servers):
    case("tcp, nobody listens", {"url": f"tcp://127.0.0.1:{free_port()}"}, connects(free_port()), "connect_refused")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    servers.stack.callback(listener.close)
    case("tcp, a port that takes connections", {"url": f"tcp://127.0.0.1:{port}"}, connects(port), "up")
    case("tcp, a port that is silent", {"url": f"tcp://127.0.0.1:{port}", "expect": "^220", "timeout": "2s"},
         says(port, b"220"), "timeout_response")
    case("tls, a port that is silent", {"url": f"tls://127.0.0.1:{port}", "timeout": "2s"},
         ["timeout", "2", "openssl", "s_client", "-connect", f"127.0.0.1:{port}"], "tls_timeout")

    def closing():
        while True:
            try:
                connection, _ = closer.accept()
            except OSError:
                return
            connection.close()

    closer = socket.create_server(("127.0.0.1", 0))
    servers.stack.callback(closer.close)
    threading.Thread(target=closing, daemon=True).start()
    closed = closer.getsockname()[1]
    case("tcp, closed before a byte", {"url": f"tcp://127.0.0.1:{closed}", "expect": "^220"},
         says(closed, b"220"), "closed_early")
    case("tls, closed in the handshake", {"url": f"tls://127.0.0.1:{closed}"},
         ["timeout", "5", "openssl", "s_client", "-connect", f"127.0.0.1:{closed}"], "tls_handshake")


def nginx(servers, authority, directory):
    directory.mkdir()
    plain, one, two, busy = (free_port() for _ in range(4))
    tls = {kind: free_port() for kind in authority.KINDS}
    answer = "default_type text/plain; location / { return 200 'fine\\n'; } location /503 { return 503; } "
    server = lambda listen, kind, body: (
        f"server {{ listen {listen}; server_name {NAME}; ssl_certificate {authority.cert(kind)};"
        f" ssl_certificate_key {authority.key(kind)}; {body} }}\n"
    )
    servers_text = server(f"127.0.0.1:{one} ssl", "good", answer)
    servers_text += server(f"127.0.0.1:{two} ssl http2", "good", answer)
    servers_text += server(f"127.0.0.1:{busy} ssl http2", "good", "location / { return 503; }")
    servers_text += server(f"127.0.0.2:{two} ssl http2", "good", "location / { return 503; }")
    servers_text += f"server {{ listen 127.0.0.1:{plain}; return 301 https://{NAME}:{two}$request_uri; }}\n"
    for kind, port in tls.items():
        servers_text += server(f"127.0.0.1:{port} ssl http2", kind, answer)
    (directory / "nginx.conf").write_text(
        f"daemon off; error_log {directory}/error.log; pid {directory}/pid; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2;"
        f" fastcgi_temp_path {directory}/t3; uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;\n"
        f"{servers_text} }}\n"
    )
    servers.start("nginx", "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "error.log",
                  log=directory / "out")
    until("nginx", lambda: listens(plain) and listens(two))

    def curl(url, version, *more):
        """Whether curl gets a 2xx by this version."""

        def tool():
            found = subprocess.run(
                ["curl", "-sS", "-L", "--max-time", "5", "--cacert", str(authority.ca), "--connect-to",
                 f"{NAME}::127.0.0.1:", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", *map(str, more), url],
                capture_output=True, text=True)
            status, came = found.stdout.split()
            return found.returncode == 0 and status.startswith("2") and version in (None, came)

        return tool

    base = {"ca_file": str(authority.ca), "connect_to": "127.0.0.1"}

    def http(name, port, version, want, path="/", scheme="https", curl_version=None, option="--http1.1", why=None, **more):
        url = f"{scheme}://{NAME}:{port}{path}"
        case(name, {"url": url, "http": version, **base, **more}, curl(url, curl_version, option), want, why)

    http("http/1.1", one, "1.1", "up", curl_version="1.1")
    http("http/1.1 of a server with both", two, "1.1", "up", curl_version="1.1")
    http("http/2", two, "2", "up", curl_version="2", option="--http2")
    http("http/2 of a server without", one, "2", "http_version", curl_version="2", option="--http2")
    http("http/2, 503", two, "2", "status", path="/503", curl_version="2", option="--http2")
    http("http/2 after a redirect", plain, "2", "up", scheme="http", curl_version="2", option="--http2")
    http("http/1.1 after a redirect", plain, "1.1", "up", scheme="http", curl_version="1.1")
    http("http/2, HEAD", two, "2", "up", curl_version="2", option="--http2", method="HEAD")
    http("http/2, POST", two, "2", "up", curl_version="2", option="--http2", method="POST", body="x" * 1000)
    http("offered, both good", two, "offered", "up", option="--http2")
    http("offered, 1.1 alone", one, "offered", "up", option="--http2")
    http("offered, both busy", busy, "offered", "status", option="--http2")
    for kind, want in authority.KINDS.items():
        http(f"http/2 {kind}", tls[kind], "2", want, curl_version="2", option="--http2")
        http(f"https {kind}", tls[kind], "1.1", want, curl_version="1.1")
        tls_case(f"tls of nginx {kind}", authority, tls[kind], want)
    other = f"https://{NAME}:{two}/"
    case("connect_to an address that is busy", {"url": other, "ca_file": str(authority.ca), "connect_to": "127.0.0.2"},
         lambda: subprocess.run(["curl", "-sSf", "--cacert", authority.ca, "--connect-to", f"{NAME}::127.0.0.2:",
                                 "-o", "/dev/null", other], capture_output=True).returncode == 0, "status")
    case("connect_to a port where nobody listens",
         {"url": other, "ca_file": str(authority.ca), "connect_to": f"127.0.0.1:{free_port()}"},
         ["curl", "-sSf", "--cacert", authority.ca, "--connect-to", f"{NAME}::127.0.0.1:1", "-o", "/dev/null", other],
         "connect_refused")
    return two


def quic(servers, authority, directory):
    directory.mkdir()
    python = dict(os.environ, PYTHONPATH=AIOQUIC)
    ports = {}
    for kind in [*authority.KINDS, "hq"]:
        ports[kind] = free_port()
        cert = "good" if kind == "hq" else kind
        alpn = ["hq-interop"] if kind == "hq" else []
        log = directory / f"{kind}.log"
        servers.start(sys.executable, HERE / "quic.py", "serve", ports[kind], authority.cert(cert), authority.key(cert),
                      *alpn, log=log, env=python)
    for kind in ports:
        until("aioquic", lambda: "ready" in (directory / f"{kind}.log").read_text())

    def http3(name, port, want, path="/", **more):
        keys = {"url": f"https://{NAME}:{port}{path}", "http": "3", "ca_file": str(authority.ca),
                "connect_to": "127.0.0.1", **more}
        tool = ["env", f"PYTHONPATH={AIOQUIC}", sys.executable, HERE / "quic.py", "get", port, authority.ca, NAME, path]
        case(name, keys, tool, want)

    for kind, want in authority.KINDS.items():
        http3(f"http/3 {kind}", ports[kind], want)
    http3("http/3, 503", ports["good"], "status", path="/503")
    http3("http/3, HEAD", ports["good"], "up", method="HEAD")
    http3("http/3 of a server of QUIC without it", ports["hq"], "http_version")
    http3("http/3, nobody listens", free_port(), "connect_timeout", timeout="3s")


RESPONDER = """
import os, socket, struct, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
seen = {}
print("ready", flush=True)
while True:
    packet, (source, _) = sock.recvfrom(65535)
    header = (packet[0] & 15) * 4
    target = socket.inet_ntoa(packet[16:20])
    kind, code, _, identifier, number = struct.unpack("!BBHHH", packet[header:header + 8])
    if kind != 8 or target != sys.argv[1]:
        continue
    # Every second request of each sender is dropped.
    seen[source, identifier] = seen.get((source, identifier), 0) + 1
    if seen[source, identifier] % 2 == 0:
        continue
    rest = struct.pack("!HH", identifier, number) + packet[header + 8:]
    words = struct.pack("!BBH", 0, 0, 0) + rest
    words += b"\\0" * (len(words) % 2)
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total >> 16) + (total & 0xffff)
    total += total >> 16
    sock.sendto(struct.pack("!BBH", 0, 0, ~total & 0xffff) + rest, (source, 0))
"""


def pings(servers, directory):
    """A host that answers, one that drops every second packet, and one that is not there, in a network namespace."""

    def good(host, count, most):
        def tool():
            found = subprocess.run(["ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", host], capture_output=True,
                                   text=True)
            words = found.stdout.split("% packet loss")
            return found.returncode == 0 and float(words[0].split()[-1]) <= most

        return tool

    def icmp(name, host, want, why=None, **more):
        written = f"[{host}]" if ":" in host else host
        count = more.get("packets", 3)
        most = float(more.get("max_loss", "50%").rstrip("%"))
        keys = {"url": f"icmp://{written}", "timeout": "4s", **more}
        case(f"ping {name}", keys, good(host, count, most), want, why)

    icmp("of this machine", "127.0.0.1", "up")
    icmp("of this machine, many", "127.0.0.1", "up", packets=10)
    if pathlib.Path("/proc/net/if_inet6").exists() and "lo" in pathlib.Path("/proc/net/if_inet6").read_text():
        icmp("of this machine by IPv6", "::1", "up")
    try:
        run("ip", "netns", "add", SPACE)
    except subprocess.CalledProcessError as error:
        print(f"no network namespace: {error.stderr.decode().strip()}; its cases are left out")
        return
    servers.stack.callback(run, "ip", "netns", "del", SPACE)
    run("ip", "link", "add", "kinds0", "type", "veth", "peer", "name", "kinds1", "netns", SPACE)
    run("ip", "address", "add", "198.18.88.1/24", "dev", "kinds0")
    run("ip", "link", "set", "kinds0", "up")
    inside = ["ip", "netns", "exec", SPACE]
    for words in [["ip", "address", "add", f"{HOST}/24", "dev", "kinds1"], ["ip", "link", "set", "kinds1", "up"],
                  ["ip", "link", "set", "lo", "up"]]:
        run(*inside, *words)
    icmp("of a host", HOST, "up")
    icmp("of a host, ten packets", HOST, "up", packets=10, max_loss="1%")
    icmp("of nobody", GONE, "connect_unreachable", timeout="5s")
    # A second namespace whose kernel does not answer, but a program does, every second time.
    lossy = f"{SPACE}b"
    run("ip", "netns", "add", lossy)
    servers.stack.callback(run, "ip", "netns", "del", lossy)
    run("ip", "link", "add", "kinds2", "type", "veth", "peer", "name", "kinds3", "netns", lossy)
    run("ip", "address", "add", "198.18.89.1/24", "dev", "kinds2")
    run("ip", "link", "set", "kinds2", "up")
    inside = ["ip", "netns", "exec", lossy]
    drops = "198.18.89.3"
    for words in [["ip", "address", "add", f"{drops}/24", "dev", "kinds3"], ["ip", "link", "set", "kinds3", "up"],
                  ["sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1"]]:
        run(*inside, *words)
    log = directory / "responder.log"
    servers.start(*inside, sys.executable, "-c", RESPONDER, drops, log=log)
    until("the responder", lambda: "ready" in log.read_text())
    icmp("with half lost, half allowed", drops, "up", packets=4, max_loss="50%")
    icmp("with half lost, less allowed", drops, "packet_loss", packets=4, max_loss="40%",
         why="more loss than max_loss is degraded, which counts as good; ping has no such limit, this script has")
    icmp("with half lost, all allowed", drops, "up", packets=6, max_loss="99%")
    netem = subprocess.run(["tc", "qdisc", "add", "dev", "kinds0", "root", "netem", "loss", "0%"], capture_output=True)
    if netem.returncode != 0:
        print("the kernel has no netem; its case is left out")
        return
    dropped = f"{SPACE}c"
    run("ip", "netns", "add", dropped)
    servers.stack.callback(run, "ip", "netns", "del", dropped)
    run("ip", "link", "add", "kinds4", "type", "veth", "peer", "name", "kinds5", "netns", dropped)
    run("ip", "address", "add", "198.18.90.1/24", "dev", "kinds4")
    run("ip", "link", "set", "kinds4", "up")
    for words in [["ip", "address", "add", "198.18.90.2/24", "dev", "kinds5"], ["ip", "link", "set", "kinds5", "up"],
                  ["tc", "qdisc", "add", "dev", "kinds5", "root", "netem", "loss", "100%"]]:
        run("ip", "netns", "exec", dropped, *words)
    run("ip", "neighbour", "replace", "198.18.90.2", "dev", "kinds4", "lladdr", "02:00:00:00:00:01")
    icmp("of a host that loses all", "198.18.90.2", "ping_timeout")


def toml(value):
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value))


def ours(directory):
    """What sitewatch says of all cases: the state, and the kind where it is not up."""
    text = "[daemon]\ndatabase = \"x.db\"\n[defaults]\ntimeout = \"5s\"\ndegraded_after = \"off\"\n"
    for one in CASES:
        text += f"[[monitor]]\nname = {toml(one.name)}\n"
        text += "".join(f"{key} = {toml(value)}\n" for key, value in one.keys.items())
    config = directory / "monitors.toml"
    config.write_text(text)
    found = subprocess.run([SITEWATCH, "check", "--json", "--config", str(config)], capture_output=True, text=True,
                           timeout=120)
    assert found.returncode in (0, 1), found.stderr
    return {check["monitor"]: check for check in map(json.loads, found.stdout.splitlines())}


def theirs(one):
    if callable(one.tool):
        return one.tool()
    found = subprocess.run([str(word) for word in one.tool], capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    return found.returncode == 0


def compare(checks):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(theirs, CASES))
    faults = []
    for one, tool in zip(CASES, verdicts):
        check = checks[one.name]
        failure = check["failure"]
        said = failure["kind"] if failure else check["state"]
        if said != one.want:
            faults.append(f"{one.name}: {said}, not {one.want}: {failure}")
        is_good = check["state"] in ("up", "degraded")
        if (is_good == tool) != (one.why is None):
            words = "good" if tool else "bad"
            faults.append(f"{one.name}: {check['state']} here, {words} by the tool; told reason: {one.why}; {failure}")
    explained = sum(one.why is not None for one in CASES)
    print(f"{len(CASES)} cases, {explained} disagreements explained")
    assert not faults, "\n" + "\n".join(faults)


def main():
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kinds") as name:
        directory = pathlib.Path(name)
        # Servers give up root and come back for their files.
        directory.chmod(0o755)
        servers = Servers()
        try:
            authority = Authority(directory / "ca", NAME)
            ports(servers)
            nginx(servers, authority, directory / "nginx")
            postfix(servers, authority, directory / "postfix")
            dovecot(servers, authority, directory / "dovecot")
            postgres(servers, authority, directory / "postgres")
            slapd(servers, authority, directory / "slapd")
            knot(servers, directory / "knot")
            pings(servers, directory)
            if AIOQUIC:
                quic(servers, authority, directory / "quic")
            print(f"servers are up after {time.monotonic() - begun:.0f} s")
            compare(ours(directory))
        finally:
            servers.end()
    print(f"done after {time.monotonic() - begun:.0f} s")


main()
