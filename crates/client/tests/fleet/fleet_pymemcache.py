"""pymemcache's part of the fleet: fleet_pymemcache.py write|read FILE RULE HOST:PORT:WEIGHT ... (it knows no weights)"""
import sys

from pymemcache.client.hash import HashClient

import fleet

verb, file, _, *servers = sys.argv[1:]
nodes = [server.split(":") for server in servers]
client = HashClient([(host, int(port)) for host, port, _ in nodes], timeout=20, connect_timeout=20)

# Keys as text: bytes would go elsewhere.
fleet.play(
    verb,
    file,
    lambda key, value: client.set(key.decode(), value, noreply=False),
    lambda key: client.get(key.decode()),
)
