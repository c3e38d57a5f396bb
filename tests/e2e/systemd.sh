#!/usr/bin/env bash
# Boots a Debian with systemd as its first process and lives with the package in it: the README's lines as they stand
# there, idle, watch, mail, reload, hang, crash, stop, rights, remove, purge, upgrade from an earlier format; then the
# lines of docs/installing.md: backup by a timer, downgrade, moving the database.
# Needs root, debootstrap and systemd-container, and both packages: $1 is what the README installs, $2 the same with a
# lower version. The base system is built once and kept in $SITEWATCH_ROOTFS; the machine is a copy that goes at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
package=$1
earlier=$2
base=${SITEWATCH_ROOTFS:-/var/cache/sitewatch-e2e/bookworm}
work=$(mktemp -d /var/tmp/sitewatch-boot.XXXXXX)
machine=$work/root
leader=
nspawn=
passed=0

# Bounded: whatever state the machine is in, the script ends.
cleanup() {
  set +e
  for signal in TERM KILL; do # TERM asks the first process to halt
    [ -n "$nspawn" ] && kill -s "$signal" "$nspawn" 2>/dev/null || break
    for _ in $(seq 100); do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.2; done
  done
  rm -rf "$work"
}
trap cleanup EXIT

packages=systemd,systemd-sysv,dbus,ca-certificates,openssl,nginx-light,postfix,dovecot-core,sudo,sqlite3,iproute2,procps,adduser,python3-minimal,curl
if [ "$(cat "$base/.packages" 2>/dev/null)" != "$packages" ]; then
  rm -rf "$base"
  mkdir -p "$base"
  debootstrap --variant=minbase --include="$packages" bookworm "$base" >/dev/null
  echo "$packages" >"$base/.packages"
fi
cp -a --reflink=auto "$base" "$machine"
rm -f "$machine/etc/hostname" "$machine/etc/machine-id"
echo mon1 >"$machine/etc/hostname"
: >"$machine/etc/machine-id"
printf '127.0.0.1 localhost mon1 mon1.example.test\n::1 localhost\n' >"$machine/etc/hosts"
rm -f "$machine/etc/resolv.conf"

# The mail server of the machine: loopback, local users only; port 587 wants TLS and a login, as providers do.
cat >"$machine/etc/postfix/main.cf" <<'POSTFIX'
compatibility_level = 3.6
myhostname = mon1.example.test
mydestination = mon1.example.test, localhost
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
home_mailbox = Maildir/
alias_maps =
alias_database =
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/postfix/mon1.pem
smtpd_tls_key_file = /etc/postfix/mon1.key
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
POSTFIX
cat >>"$machine/etc/postfix/master.cf" <<'POSTFIX'
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
POSTFIX
cat >"$machine/etc/dovecot/dovecot.conf" <<'DOVECOT'
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {
  driver = static
  args = user=alerts password=correct-horse
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
DOVECOT
chroot "$machine" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
  -subj /CN=mon1.example.test -addext subjectAltName=DNS:mon1.example.test -addext basicConstraints=critical,CA:FALSE \
  -keyout /etc/postfix/mon1.key -out /etc/postfix/mon1.pem 2>/dev/null
chroot "$machine" useradd -m -s /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' >"$machine/etc/sudoers.d/ops"
chroot "$machine" useradd -m -s /bin/bash guest
# A link to an absolute path, which would lead out of the machine.
rm -f "$machine/etc/nginx/sites-enabled/default"
cat >"$machine/etc/nginx/sites-enabled/default" <<'NGINX'
server { listen 127.0.0.1:80; server_name localhost; location / { return 200 "fine\n"; } }
NGINX

systemd-nspawn -q -D "$machine" --boot --register=no --keep-unit --private-network --console=pipe --link-journal=no \
  >"$work/console" 2>&1 </dev/null &
nspawn=$!

eventually() { # eventually SECONDS WHAT COMMAND...
  local patience=$1 what=$2
  shift 2
  local end=$((SECONDS + patience))
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ]; then
      echo "waited $patience s in vain for $what" >&2
      [ -n "$leader" ] && inside journalctl -u sitewatch --no-pager -n 60 >&2
      tail -20 "$work/console" >&2
      exit 1
    fi
    sleep 0.2
  done
}
# The child that is number 1 in a namespace of its own: another one makes the namespaces first, and goes.
leader_of() {
  local child
  for child in $(pgrep -P "$nspawn"); do
    leader=$child
    grep -Eq '^NSpid:.*\s1$' "/proc/$child/status" && return
  done
  leader=
  return 1
}
inside() { timeout --kill-after=10 300 nsenter -t "$leader" -m -u -i -n -p -C -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
ok() { passed=$((passed + 1)); echo "   ok: $*"; }
expect() { # expect WHAT COMMAND...
  local what=$1
  shift
  "$@" || { echo "not so: $what" >&2; inside systemctl status sitewatch --no-pager >&2; inside journalctl -u sitewatch --no-pager -n 60 >&2; exit 1; }
  ok "$what"
}
status_text() { inside systemctl show -p StatusText --value sitewatch; }
status_says() { status_text | grep -q "$1"; }
main_pid() { inside systemctl show -p MainPID --value sitewatch; }
mails() { inside sh -c 'cat /home/ops/Maildir/new/* 2>/dev/null' | grep -c "^Subject: $1" || true; }
mailed() { [ "$(mails "$1")" -ge "$2" ]; }
typed() { inside su - ops -c "SUDO_EDITOR=/srv/editor $1"; } # as the ordinary user types it at home

eventually 30 "the first process" leader_of
eventually 60 "the system" inside systemctl is-active multi-user.target
eventually 60 "nginx" inside curl -sf http://localhost/
eventually 60 "postfix" inside systemctl is-active postfix

# The README's lines from the package to the first mail, as they stand there.
mapfile -t lines < <(sed -n '/^## On a Debian server/,/^## /p' README.md | sed -n '/^```sh/,/^```/p' | grep -v '^```')
expect "the README takes five lines" [ ${#lines[@]} = 5 ]
named=$(grep -o 'sitewatch_[^ ]*\.deb' <<<"${lines[0]}")
expect "its package is the one that was built" [ "$named" = "$(basename "$package")" ]
cp "$package" "$machine/home/ops/$named"
cp "$machine/etc/postfix/mon1.pem" "$machine/srv/mail-ca.pem"
# What the user writes in the editor: apart from the intervals, what a first file has.
cat >"$machine/srv/monitors.toml" <<'TOML'
[email]
host = "mon1.example.test"
username = "alerts"
ca_file = "/srv/mail-ca.pem"
from = "sitewatch <sitewatch@mon1.example.test>"
to = ["ops@mon1.example.test"]

[alerts]
group_wait = "1s"

[defaults]
interval = "2s"
timeout = "1s"
retry_interval = "500ms"

[[monitor]]
name = "front"
url = "http://localhost/"
TOML
printf '#!/bin/sh\ncat /srv/monitors.toml >"$1"\n' >"$machine/srv/editor"
chmod 755 "$machine/srv/editor"

expect "${lines[0]}" typed "${lines[0]}" >"$work/typed" 2>&1 </dev/null || { cat "$work/typed" >&2; exit 1; }
eventually 30 "the service" inside systemctl is-active sitewatch
expect "installed, active and idle" status_says "no sites are configured"
expect "the unit is in order" sh -c '[ -z "$("$@" 2>&1)" ]' _ \
  nsenter -t "$leader" -m -u -i -n -p -C -- systemd-analyze --man=no verify sitewatch.service
expect "the configuration is for root and the service only" \
  inside sh -c '[ "$(stat -c %U:%G:%a /etc/sitewatch/monitors.toml)" = root:sitewatch:640 ]'
expect "${lines[1]}" typed "${lines[1]}" <<<correct-horse
expect "the password is for root only" \
  inside sh -c '[ "$(stat -c %U:%a /etc/credstore/sitewatch.smtp-password)" = root:600 ]'
for line in "${lines[@]:2}"; do
  expect "$line" typed "$line"
done
eventually 30 "the test mail" mailed '\[TEST\] sitewatch on mon1' 1
ok "the first mail lies in the mailbox: TLS, login, by the credential"
expect "the configuration kept its owner and mode" \
  inside sh -c '[ "$(stat -c %U:%G:%a /etc/sitewatch/monitors.toml)" = root:sitewatch:640 ]'

# Watch and mail.
expect "reload with a good file" inside systemctl reload sitewatch
eventually 30 "a first check" status_says "1 up"
ok "the unit's status counts the sites: $(status_text)"
inside sh -c 'sed -i "s/return 200/return 503/" /etc/nginx/sites-enabled/default && systemctl reload nginx'
eventually 60 "the DOWN mail" mailed '\[DOWN 503\] front' 1
ok "a DOWN mail lies in the mailbox"
expect "the journal finds the change by monitor" \
  inside sh -c 'journalctl SITEWATCH_MONITOR=front SITEWATCH_STATE=down -o cat | grep -q front'

# A broken file changes nothing and says so.
cp "$machine/etc/sitewatch/monitors.toml" "$work/good.toml"
sed 's/^interval/intervall/' "$work/good.toml" >"$machine/etc/sitewatch/monitors.toml"
pid=$(main_pid)
code=0
inside /usr/bin/sitewatch reload --config /etc/sitewatch/monitors.toml >"$work/reload" 2>&1 || code=$?
expect "a broken file is refused with exit status 2" [ "$code" = 2 ]
expect "the refusal names the key" grep -q 'did you mean .interval' "$work/reload"
expect "systemctl reload fails" sh -c '! "$@"' _ nsenter -t "$leader" -m -u -i -n -p -C -- systemctl reload sitewatch
expect "the status says that it was refused" status_says "[Rr]efused"
expect "the old configuration goes on in the same process" [ "$(main_pid)" = "$pid" ]
cat "$work/good.toml" >"$machine/etc/sitewatch/monitors.toml"
expect "reload with the mended file" inside systemctl reload sitewatch

# A hung daemon is noticed and comes back with its state; so does a killed one.
mkdir -p "$machine/etc/systemd/system/sitewatch.service.d"
printf '[Service]\nWatchdogSec=6s\nRestartSec=1s\n' >"$machine/etc/systemd/system/sitewatch.service.d/test.conf"
inside systemctl daemon-reload
inside systemctl restart sitewatch
pid=$(main_pid)
inside kill -STOP "$pid"
other_pid() { local now; now=$(main_pid); [ "$now" != 0 ] && [ "$now" != "$pid" ] && inside systemctl is-active sitewatch; }
eventually 60 "the watchdog" other_pid
ok "the watchdog replaced a stopped process"
pid=$(main_pid)
inside kill -KILL "$pid"
eventually 60 "the restart after a kill" other_pid
sleep 5
expect "no second DOWN mail after two restarts" [ "$(mails '\[DOWN 503\] front')" = 1 ]
inside sh -c 'sed -i "s/return 503/return 200/" /etc/nginx/sites-enabled/default && systemctl reload nginx'
eventually 60 "the UP mail" mailed '\[UP after' 1
ok "the incident from before the restarts ended with one UP mail"

# Rights.
inside adduser -q ops sitewatch >/dev/null
expect "a member of the group reads the history" \
  inside su ops -c 'sitewatch history front --limit 3 --json | grep -q "\"monitor\":\"front\""'
code=0
inside su guest -c 'sitewatch history front' >"$work/denied" 2>&1 || code=$?
expect "anybody else is told what to do (exit 1)" sh -c "[ $code = 1 ] && grep -q 'adduser' '$work/denied'"
expect "root finds database and socket without the service's environment" inside sh -c 'cd /; sitewatch recheck front'

# A clean stop within its limit.
began=$SECONDS
expect "a clean stop" inside systemctl stop sitewatch
expect "it took less than 20 s" [ $((SECONDS - began)) -lt 20 ]
expect "and ended with success" [ "$(inside systemctl show -p Result --value sitewatch)" = success ]
expect "the history is readable while it is stopped" inside su ops -c 'sitewatch history front --limit 1 >/dev/null'

# Installing again keeps what was recorded; remove keeps it, purge does not.
before=$(inside sitewatch history front --limit 100000 --json | wc -l)
inside apt-get install -y -qq --reinstall "/home/ops/$named" >"$work/apt" 2>&1 || { cat "$work/apt" >&2; exit 1; }
inside systemctl start sitewatch
eventually 30 "the service after the installation" inside systemctl is-active sitewatch
after=$(inside sitewatch history front --limit 100000 --json | wc -l)
expect "the history survives another installation ($before rows)" [ "$after" -ge "$before" ]
inside apt-get remove -y -qq sitewatch >/dev/null 2>&1
expect "remove keeps configuration and history" \
  inside sh -c '[ -f /etc/sitewatch/monitors.toml ] && [ -f /var/lib/sitewatch/sitewatch.db ]'
inside apt-get purge -y -qq sitewatch >/dev/null 2>&1
expect "purge takes both" inside sh -c '[ ! -e /etc/sitewatch/monitors.toml ] && [ ! -e /var/lib/sitewatch ]'

# An upgrade of a package whose database has the first format.
cp "$earlier" "$machine/srv/earlier.deb"
cp tests/e2e/earlier.sql "$machine/srv/earlier.sql"
inside apt-get install -y -qq /srv/earlier.deb >"$work/apt" 2>&1 || { cat "$work/apt" >&2; exit 1; }
mapfile -t lines < <(grep -o '`sudo sitewatch [^`]*`' docs/installing.md | tr -d '`')
expect "the upgrade has two lines" [ ${#lines[@]} = 2 ]
# While the database is its own: the one that follows stands for one of an older program.
expect "${lines[0]}" typed "${lines[0]}" >/dev/null
inside systemctl stop sitewatch
inside sh -c 'cp /srv/monitors.toml /etc/sitewatch/monitors.toml
  rm -f /var/lib/sitewatch/*
  sqlite3 /var/lib/sitewatch/sitewatch.db </srv/earlier.sql >/dev/null
  chown sitewatch:sitewatch /var/lib/sitewatch/sitewatch.db && chmod 640 /var/lib/sitewatch/sitewatch.db'
inside apt-get install -y -qq "/home/ops/$named" >"$work/apt" 2>&1 || { cat "$work/apt" >&2; exit 1; }
expect "the package was upgraded" grep -q 'Unpacking sitewatch .* over' "$work/apt"
inside systemctl start sitewatch
eventually 30 "the upgraded service" status_says "1 up"
expect "a copy in the first format was made" \
  inside sh -c '[ "$(sqlite3 /var/lib/sitewatch/sitewatch.db.before-* "PRAGMA user_version")" = 1 ]'
expect "the journal names it" \
  inside sh -c 'journalctl -u sitewatch -o cat | grep -q "a copy with the old ones is /var/lib/sitewatch/sitewatch.db.before-"'
expect "the checks of the first format are in the history" \
  inside sh -c 'sitewatch history front --since 2026-11-22 --until 2026-11-24 --limit 1000 --json | grep -q "\"status\":503"'
expect "${lines[1]}" typed "${lines[1]}" >/dev/null
expect "and its incident" inside sh -c 'sitewatch incidents --since 2026-11-22 --json | grep -q "\"cause\":{\"kind\":\"status\""'

# What docs/installing.md says below a heading: the lines of its shell, or its files.
block() { # block HEADING LANGUAGE NUMBER
  sed -n "/^## $1\$/,/^## /p" docs/installing.md |
    awk -v begin="^\`\`\`$2" -v wanted="$3" '/^```/ { if (in_it) in_it = 0; else if ($0 ~ begin) in_it = ++count; next } in_it == wanted'
}
quietly() { "$@" >"$work/typed" 2>&1 || { cat "$work/typed" >&2; return 1; }; }
as_typed() { # the lines of standard input, one after the other; questions are answered by yes
  local line
  while IFS= read -r line <&3; do expect "$line" quietly typed "$line" <<<Y; done 3<&0
}

block "Backup by a timer" ini 1 >"$machine/etc/systemd/system/sitewatch-backup.service"
block "Backup by a timer" ini 2 >"$machine/etc/systemd/system/sitewatch-backup.timer"
inside systemctl daemon-reload
typed "sudo systemctl enable --now sitewatch-backup.timer" >/dev/null 2>&1
expect "the timer of the backup has a next time" \
  inside sh -c 'systemctl list-timers sitewatch-backup.timer --no-legend | grep -q "03:[12]"'
inside install -o sitewatch -m 640 -D /dev/null /var/lib/sitewatch-backup/old.db
inside touch -d '16 days ago' /var/lib/sitewatch-backup/old.db
expect "a backup" inside systemctl start sitewatch-backup.service
expect "it is a database with the history, for the service only; what is older than 14 days is gone" inside sh -c '
  set -e; cd /var/lib/sitewatch-backup; [ "$(ls | wc -l)" = 1 ]; [ "$(stat -c %U:%a *.db)" = sitewatch:640 ]
  [ "$(sqlite3 *.db "PRAGMA integrity_check")" = ok ]
  sitewatch --database "$PWD"/*.db history front --since 2026-11-22 --until 2026-11-24 --limit 1000 --json | grep -q "\"status\":503"'

# A downgrade. Both packages have the same tables, so a later version's mark stands for what one has changed.
inside systemctl stop sitewatch
inside sqlite3 /var/lib/sitewatch/sitewatch.db 'PRAGMA user_version = 99' >/dev/null
inside systemctl start --no-block sitewatch
refusal() { inside journalctl -u sitewatch -o cat | grep -q 'it was written by a newer sitewatch (format 99, this one knows'; }
eventually 30 "the refusal of a newer database" refusal
ok "a newer database is refused"
cp "$earlier" "$machine/home/ops/sitewatch_OLD_amd64.deb"
copy=$(inside sh -c 'cd /var/lib/sitewatch; ls sitewatch.db.before-*')
block Downgrade sh 1 | sed "s/sitewatch.db.before-N/$copy/" | as_typed
eventually 30 "the older version" status_says "1 up"
expect "it has what the copy had" \
  inside sh -c 'sitewatch history front --since 2026-11-22 --until 2026-11-24 --limit 1000 --json | grep -q "\"status\":503"'
expect "the newer one is kept" inside sh -c '[ -f /var/lib/sitewatch/newer/sitewatch.db ]'

# To another machine, which is this one after a purge.
before=$(inside sitewatch history front --limit 100000 --json | wc -l)
block "Moving the database to another machine" sh 1 | sed 's/ *# .*//' >"$work/move"
head -2 "$work/move" | as_typed
inside cp /tmp/sitewatch.db /etc/sitewatch/monitors.toml /home/ops/
expect "scp takes both files" grep -qx 'scp root@old:/tmp/sitewatch.db root@old:/etc/sitewatch/monitors.toml .' "$work/move"
inside apt-get purge -y -qq sitewatch >/dev/null 2>&1
inside apt-get install -y -qq "/home/ops/$named" >"$work/apt" 2>&1 || { cat "$work/apt" >&2; exit 1; }
tail -n +4 "$work/move" | as_typed
eventually 30 "the moved service" status_says "1 up"
after=$(inside sitewatch history front --limit 100000 --json | wc -l)
expect "the history is on the new machine ($before rows)" [ "$after" -ge "$before" ]
inside apt-get purge -y -qq sitewatch >/dev/null 2>&1

echo "systemd: $passed passed, 0 failed"
