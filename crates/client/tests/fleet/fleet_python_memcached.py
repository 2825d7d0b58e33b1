"""python-memcached's part of the fleet: fleet_python_memcached.py write|read FILE RULE HOST:PORT:WEIGHT ..."""
import sys

import memcache

verb, file, _, *servers = sys.argv[1:]
nodes = [server.rsplit(":", 1) for server in servers]
client = memcache.Client([(address, int(weight)) for address, weight in nodes], socket_timeout=20)

with open(file, "rb") as lines:
    items = [line.rstrip(b"\n").split(b"\t") for line in lines]
for key, value in items:
    done = client.set(key, value) if verb == "write" else client.get(key) == value
    if not done:
        sys.exit(f"{verb} {key!r}")
print(verb, len(items))
