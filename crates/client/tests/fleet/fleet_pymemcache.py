"""pymemcache's part of the fleet: fleet_pymemcache.py write|read FILE RULE HOST:PORT:WEIGHT ... (it knows no weights)"""
import sys

from pymemcache.client.hash import HashClient

verb, file, _, *servers = sys.argv[1:]
nodes = [server.split(":") for server in servers]
client = HashClient([(host, int(port)) for host, port, _ in nodes], timeout=20, connect_timeout=20)

with open(file, "rb") as lines:
    items = [line.rstrip(b"\n").split(b"\t") for line in lines]
for key, value in items:
    # Keys as text: bytes would go elsewhere.
    key = key.decode()
    done = client.set(key, value, noreply=False) if verb == "write" else client.get(key) == value
    if not done:
        sys.exit(f"{verb} {key!r}")
print(verb, len(items))
