"""pylibmc's part of the fleet: fleet_pylibmc.py write|read FILE RULE HOST:PORT:WEIGHT ..."""
import sys

import pylibmc

import fleet

verb, file, rule, *servers = sys.argv[1:]
behaviors = {"connect_timeout": 20000, "_poll_timeout": 20000}
if rule != "default":
    behaviors[rule] = True
client = pylibmc.Client(servers, behaviors=behaviors)

# The values are bytes: a str would be stored with client flags that say so, and that others do not know.
fleet.play(verb, file, client.set, client.get)
