"""python-memcached's part of the fleet: fleet_python_memcached.py write|read FILE RULE HOST:PORT:WEIGHT ..."""
import sys

import memcache

import fleet

verb, file, _, *servers = sys.argv[1:]
nodes = [server.rsplit(":", 1) for server in servers]
client = memcache.Client([(address, int(weight)) for address, weight in nodes], socket_timeout=20)

fleet.play(verb, file, client.set, client.get)
