#!/usr/bin/env bash
# The packages: the tar unpacked and run, the rpm installed into a folder, the image's root file system started as its
# user without a shell, asked for /healthz and stopped. The .deb is tried by systemd.sh. Needs root on Debian.
#   SITEWATCH=target/release/sitewatch tests/e2e/packages.sh     packages this binary, as CI does: not static, so that the
#                                                                image is started with this machine's libraries in it
#   tests/e2e/packages.sh                                        builds a static one first, by the quick profile
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
daemon=
finish() {
  [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
export PROFILE=release
if [ -n "${SITEWATCH:-}" ]; then export SITEWATCH_BINARY=$SITEWATCH; else SITEWATCH_BINARY=$(packaging/build --static) && export SITEWATCH_BINARY; fi

say() { printf '   %s\n' "$*"; }
packages=target/packages
only() { # the one file of that kind
  local files=("$packages"/$1)
  [ ${#files[@]} = 1 ] && [ -s "${files[0]}" ]
  echo "${files[0]}"
}

packaging/all >/dev/null
cp -r "$packages" "$work/before"
packaging/all >/dev/null
for file in "$packages"/*; do cmp "$file" "$work/before/${file##*/}"; done
(cd "$packages" && sha256sum --quiet -c SHA256SUMS)
[ "$(wc -l <"$packages/SHA256SUMS")" = "$(find "$packages" -type f ! -name SHA256SUMS | wc -l)" ]
say "all packages: the same twice, byte for byte; their checksums hold"

tar=$(only '*.tar.gz')
tar -C "$work" -xzf "$tar"
folder=$(echo "$work"/sitewatch-*-linux)
"$folder/sitewatch" --version >/dev/null
for file in INSTALL systemd/sitewatch.service share/man/sitewatch.1 share/man/monitors.toml.5 share/completions/_sitewatch; do
  [ -s "$folder/$file" ]
done
say "tar: ${tar##*/}, runs"

rpm=$(only "*.rpm")
rpm --root "$work/rpm" --initdb
rpm --root "$work/rpm" --install --nodeps --noscripts --ignorearch "$rpm"
"$work/rpm/usr/bin/sitewatch" --version >/dev/null
[ "$(stat -c %a "$work/rpm/etc/sitewatch/monitors.toml")" = 640 ]
rpm --root "$work/rpm" --verify --nodeps --nouser --nogroup sitewatch
rpm --root "$work/rpm" --erase --noscripts sitewatch
[ ! -e "$work/rpm/usr/bin/sitewatch" ]
say "rpm: ${rpm##*/}, installs, verifies, is removed"

image=$(only "*.oci.tar")
mkdir "$work/layout" "$work/root"
tar -C "$work/layout" -xf "$image"
python3 - "$work/layout" "$work/root" <<'PY'
import hashlib, json, pathlib, sys, tarfile
layout, root = (pathlib.Path(one) for one in sys.argv[1:3])
def blob(entry):
    data = (layout / "blobs" / entry["digest"].replace(":", "/")).read_bytes()
    assert len(data) == entry["size"] and "sha256:" + hashlib.sha256(data).hexdigest() == entry["digest"]
    return data
manifest = json.loads(blob(json.loads((layout / "index.json").read_text())["manifests"][0]))
config = json.loads(blob(manifest["config"]))["config"]
assert config["User"] == "65532:65532" and config["Healthcheck"]["Test"][0] == "CMD", config
for layer in manifest["layers"]:
    blob(layer)
    with tarfile.open(layout / "blobs" / layer["digest"].replace(":", "/")) as tar:
        tar.extractall(root, filter="tar") if hasattr(tarfile, "tar_filter") else tar.extractall(root)
(root.parent / "environment").write_text("".join(line + "\n" for line in config["Env"]))
(root.parent / "command").write_text("".join(word + "\n" for word in config["Entrypoint"] + config["Cmd"]))
assert not [one for one in ("bin/sh", "usr/bin/sh", "usr/bin/env") if (root / one).exists()]
PY
with=
if ! file -L "$SITEWATCH_BINARY" | grep -q 'statically linked\|static-pie'; then
  with=", with this machine's libraries"
  ldd "$SITEWATCH_BINARY" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$work/root$library"; done
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '[web]\nlisten = "127.0.0.1:%s"\n' "$port" >"$work/root/etc/sitewatch/monitors.toml"
mapfile -t environment <"$work/environment"
mapfile -t command <"$work/command"
env -i "${environment[@]}" "$(command -v chroot)" --userspec=65532:65532 "$work/root" "${command[@]}" 2>"$work/log" &
daemon=$!
for _ in $(seq 100); do
  curl -fsS "http://127.0.0.1:$port/healthz" >"$work/health" 2>/dev/null && break
  sleep 0.2
done
[ -s "$work/health" ] || { cat "$work/log"; exit 1; }
chroot --userspec=65532:65532 "$work/root" /usr/bin/sitewatch check "http://127.0.0.1:$port/healthz" >/dev/null
began=$SECONDS
kill -TERM "$daemon"
wait "$daemon"
daemon=
[ $((SECONDS - began)) -le 12 ]
say "image: ${image##*/}, starts as 65532$with, is healthy, stops within its grace time"
python3 -c 'import json, sys; bom = json.load(sys.stdin); assert len(bom["components"]) > 100' <"$packages/sitewatch.cdx.json"
say "list of contents: CycloneDX"
