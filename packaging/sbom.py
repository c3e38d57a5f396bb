#!/usr/bin/env python3
"""Prints a CycloneDX 1.5 list of what is in the binary: every crate of Cargo.lock that a build for Linux takes.

sbom.py > sitewatch.cdx.json
"""

import json
import platform
import subprocess
import sys
import tomllib


def main():
    triple = f"{platform.machine()}-unknown-linux-gnu"
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", triple]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    taken, left = set(), [root]
    while left:
        one = left.pop()
        if one in taken:
            continue
        taken.add(one)
        for dependency in nodes[one]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                left.append(dependency["pkg"])
    with open("Cargo.lock", "rb") as file:
        lock = tomllib.load(file)
    sums = {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}

    def component(package, kind):
        name, version = package["name"], package["version"]
        made = {
            "type": kind,
            "bom-ref": f"pkg:cargo/{name}@{version}",
            "purl": f"pkg:cargo/{name}@{version}",
            "name": name,
            "version": version,
        }
        if package["license"]:
            made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if sums.get((name, version)):
            made["hashes"] = [{"alg": "SHA-256", "content": sums[name, version]}]
        return made

    ordered = sorted(taken - {root}, key=lambda one: (packages[one]["name"], packages[one]["version"]))
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(packages[root], "application")},
        "components": [component(packages[one], "library") for one in ordered],
    }
    json.dump(bom, sys.stdout, indent=1, sort_keys=True)
    print()


main()
