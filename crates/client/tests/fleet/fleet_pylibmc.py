"""pylibmc's part of the fleet: fleet_pylibmc.py write|read FILE RULE HOST:PORT:WEIGHT ..."""
import sys

import pylibmc

verb, file, rule, *servers = sys.argv[1:]
behaviors = {"connect_timeout": 20000, "_poll_timeout": 20000}
if rule != "default":
    behaviors[rule] = True
client = pylibmc.Client(servers, behaviors=behaviors)

with open(file, "rb") as lines:
    items = [line.rstrip(b"\n").split(b"\t") for line in lines]
for key, value in items:
    # A str would be stored with client flags that say so, and that others do not know.
    done = client.set(key, value) if verb == "write" else client.get(key) == value
    if not done:
        sys.exit(f"{verb} {key!r}")
print(verb, len(items))
