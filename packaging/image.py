#!/usr/bin/env python3
"""Writes an OCI image layout as one tar file: one layer, every time stamp the same, so that it can be made again.

image.py BINARY VERSION MACHINE SECONDS FILE
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import sys
import tarfile
import time

USER = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ZONES = "/usr/share/zoneinfo"
CONFIGURATION = """\
# Mount your own file over this one: -v ./monitors.toml:/etc/sitewatch/monitors.toml:ro
[web]
listen = "0.0.0.0:8080"
"""


class Layer:
    """A tar of files that belong to root unless it says otherwise."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tarfile.GNU_FORMAT)
        self.folders = set()

    def folder(self, path, mode=0o755, owner=0):
        if not path:
            return
        parent = os.path.dirname(path)
        if parent and parent not in self.folders:
            self.folder(parent)
        if path in self.folders:
            return
        self.folders.add(path)
        entry = self.entry(path + "/", mode, owner)
        entry.type = tarfile.DIRTYPE
        self.tar.addfile(entry)

    def file(self, path, data, mode=0o644):
        self.folder(os.path.dirname(path))
        entry = self.entry(path, mode, 0)
        entry.size = len(data)
        self.tar.addfile(entry, io.BytesIO(data))

    def entry(self, path, mode, owner):
        entry = tarfile.TarInfo(path)
        entry.mode, entry.uid, entry.gid, entry.mtime = mode, owner, owner, self.seconds
        return entry

    def close(self):
        self.tar.close()
        return self.bytes.getvalue()


def layer(binary, seconds):
    made = Layer(seconds)
    made.file("etc/passwd", f"sitewatch:x:{USER}:{USER}::/var/lib/sitewatch:/sbin/nologin\n".encode())
    made.file("etc/group", f"sitewatch:x:{USER}:\n".encode())
    made.file("etc/sitewatch/monitors.toml", CONFIGURATION.encode())
    if os.path.exists(CERTIFICATES):
        made.file(CERTIFICATES[1:], pathlib.Path(CERTIFICATES).read_bytes())
    for path in sorted(pathlib.Path(ZONES).rglob("*")):
        below = path.relative_to(ZONES).parts
        if path.is_file() and below[0] not in ("posix", "right"):
            made.file(str(path)[1:], path.read_bytes())
    made.file("usr/bin/sitewatch", pathlib.Path(binary).read_bytes(), 0o755)
    made.folder("var/lib/sitewatch", 0o750, USER)
    made.folder("run/sitewatch", 0o755, USER)
    made.folder("tmp", 0o1777)
    return made.close()


def main():
    binary, version, machine, seconds, file = sys.argv[1:]
    seconds = int(seconds)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    plain = layer(binary, seconds)
    packed = gzip.compress(plain, 9, mtime=0)
    blobs = {}

    def blob(data, media):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    def as_json(value):
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()

    labels = {
        "org.opencontainers.image.title": "sitewatch",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
    }
    config = blob(
        as_json(
            {
                "architecture": ARCHITECTURES[machine],
                "os": "linux",
                "created": created,
                "config": {
                    "User": f"{USER}:{USER}",
                    "Entrypoint": ["/usr/bin/sitewatch"],
                    "Cmd": ["run"],
                    "Env": [
                        "PATH=/usr/bin",
                        "SITEWATCH_CONFIG=/etc/sitewatch/monitors.toml",
                        "STATE_DIRECTORY=/var/lib/sitewatch",
                        "RUNTIME_DIRECTORY=/run/sitewatch",
                    ],
                    "ExposedPorts": {"8080/tcp": {}},
                    "Volumes": {"/var/lib/sitewatch": {}},
                    "WorkingDir": "/var/lib/sitewatch",
                    "StopSignal": "SIGTERM",
                    "Labels": labels,
                    # Docker heeds it; podman takes it with `--format docker` or --health-cmd.
                    "Healthcheck": {
                        "Test": ["CMD", "/usr/bin/sitewatch", "check", "http://127.0.0.1:8080/healthz"],
                        "Interval": 30_000_000_000,
                        "Timeout": 10_000_000_000,
                        "StartPeriod": 10_000_000_000,
                        "Retries": 3,
                    },
                },
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
                "history": [{"created": created, "created_by": "packaging/image"}],
            }
        ),
        "application/vnd.oci.image.config.v1+json",
    )
    manifest = blob(
        as_json(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": [blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")],
                "annotations": labels,
            }
        ),
        "application/vnd.oci.image.manifest.v1+json",
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": f"sitewatch:{version}"}
    layout = Layer(seconds)
    layout.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    layout.file("index.json", as_json({"schemaVersion": 2, "manifests": [manifest]}))
    for digest in sorted(blobs):
        layout.file(f"blobs/sha256/{digest}", blobs[digest])
    pathlib.Path(file).write_bytes(layout.close())


main()
