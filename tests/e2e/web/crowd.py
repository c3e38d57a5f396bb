"""Many readers at once: do the checks still begin on time?"""
import asyncio
import sys
import time
import urllib.request

base, readers, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
host, port = base.removeprefix("http://").split(":")
PATHS = ["/", "/metrics", "/monitor/shop", "/api/v1/monitors", "/badge/shop.svg", "/feed.atom"]
# A check that begins later than this is late; the grid of these monitors is one and two seconds.
LATE_S = 0.25


def lateness():
    text = urllib.request.urlopen(base + "/metrics", timeout=30).read().decode()
    bins, count = {}, 0
    for line in text.splitlines():
        if line.startswith("sitewatch_check_lateness_seconds_bucket"):
            bound, value = line.split('le="')[1].split('"} ')
            bins[float(bound.replace("+Inf", "inf"))] = int(value)
    return bins


def between(before, after):
    total = after[float("inf")] - before[float("inf")]
    late = total - (after[LATE_S] - before[LATE_S])
    shares = {bound: (after[bound] - before[bound]) / max(total, 1) for bound in sorted(after)}
    p99 = next(bound for bound, share in shares.items() if share >= 0.99)
    return total, late, p99


async def reader(end, index, taken):
    while time.monotonic() < end:
        stream, writer = await asyncio.open_connection(host, int(port))
        try:
            for turn in range(20):
                if time.monotonic() >= end:
                    break
                path = PATHS[(index + turn) % len(PATHS)]
                began = time.monotonic()
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
                head = await stream.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                await stream.readexactly(length)
                taken.append(time.monotonic() - began)
        finally:
            writer.close()


async def crowd():
    taken = []
    end = time.monotonic() + seconds
    await asyncio.gather(*(reader(end, index, taken) for index in range(readers)))
    return sorted(taken)


start = lateness()
time.sleep(seconds)
quiet = lateness()
taken = asyncio.run(crowd())
loud = lateness()
for name, (total, late, p99) in (("quiet", between(start, quiet)), ("loud", between(quiet, loud))):
    print(f"{name}: {total} checks, {late} of them more than {LATE_S} s late, 99 % within {p99} s")
print(f"{len(taken)} answers to {readers} readers, median {taken[len(taken) // 2] * 1000:.1f} ms,"
      f" 99 % within {taken[len(taken) * 99 // 100] * 1000:.1f} ms")
quiet_total, quiet_late, _ = between(start, quiet)
loud_total, loud_late, _ = between(quiet, loud)
assert loud_total >= 0.9 * quiet_total, "checks were left out while many read"
assert loud_late <= quiet_late + 0.01 * loud_total, "checks began late while many read"
