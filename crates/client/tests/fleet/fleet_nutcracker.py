"""nutcracker's part of the fleet, asked by pymemcache: fleet_nutcracker.py write|read FILE RULE SOCKET"""
import sys

from pymemcache.client.base import Client

import fleet

verb, file, _, socket = sys.argv[1:]
client = Client(socket, timeout=20)

fleet.play(verb, file, lambda key, value: client.set(key, value, noreply=False), client.get)
