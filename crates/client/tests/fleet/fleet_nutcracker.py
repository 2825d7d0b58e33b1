"""nutcracker's part of the fleet, asked by pymemcache: fleet_nutcracker.py write|read FILE RULE SOCKET"""
import sys

from pymemcache.client.base import Client

verb, file, _, socket = sys.argv[1:]
client = Client(socket, timeout=20)

with open(file, "rb") as lines:
    items = [line.rstrip(b"\n").split(b"\t") for line in lines]
for key, value in items:
    done = client.set(key, value, noreply=False) if verb == "write" else client.get(key) == value
    if not done:
        sys.exit(f"{verb} {key!r}")
print(verb, len(items))
