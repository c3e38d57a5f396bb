"""What suites with real servers share: ports, waiting, certificates, processes."""

import contextlib
import signal
import socket
import subprocess
import time

PATIENCE = 30  # seconds for anything that takes a moment


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE} s in vain for {what}")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(*words, **keywords):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=60, **keywords)


class Authority:
    """A root and its certificates for a name: good, expired, for another name; and one that it did not sign."""

    KINDS = {"good": "up", "expired": "tls_expired", "other": "tls_hostname", "own": "tls_untrusted"}

    def __init__(self, directory, name):
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o755)
        self.ca = directory / "ca.pem"
        (directory / "index.txt").write_text("")
        (directory / "serial").write_text("1000\n")
        (directory / "ca.cnf").write_text(
            f"""
            [ca]
            default_ca = own
            [own]
            dir = {directory}
            new_certs_dir = {directory}
            database = {directory}/index.txt
            serial = {directory}/serial
            certificate = {self.ca}
            private_key = {directory}/ca.key
            default_md = sha256
            policy = any
            unique_subject = no
            [any]
            commonName = supplied
            """
        )
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Test Root",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", directory / "ca.key", "-out", self.ca)
        for kind, names, days in [("good", name, (-2, 60)), ("expired", name, (-60, -2)), ("other", "other.test", (-2, 60))]:
            self.sign(kind, names, *days)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "60", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{name}", "-keyout", self.key("own"), "-out", self.cert("own"))
        self.key("own").chmod(0o644)

    def sign(self, kind, name, begin, end):
        request, extra = self.directory / f"{kind}.csr", self.directory / f"{kind}.ext"
        extra.write_text(f"subjectAltName=DNS:{name}\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n")
        run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", self.key(kind), "-out", request)
        day = lambda days: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))
        run("openssl", "ca", "-batch", "-notext", "-config", self.directory / "ca.cnf", "-in", request,
            "-out", self.cert(kind), "-extfile", extra, "-startdate", day(begin), "-enddate", day(end))
        self.key(kind).chmod(0o644)

    def cert(self, kind):
        return self.directory / f"{kind}.pem"

    def key(self, kind):
        return self.directory / f"{kind}.key"


class Servers:
    """All that runs, ended by process id."""

    def __init__(self):
        self.processes = []
        self.stack = contextlib.ExitStack()

    def start(self, *words, **keywords):
        log = keywords.pop("log")
        with open(log, "wb") as out:
            process = subprocess.Popen([str(word) for word in words], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                       start_new_session=True, **keywords)
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.stack.close()
