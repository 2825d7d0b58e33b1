"""pymemcache makes its round through nutcracker (twemproxy), which spreads the keys over three servers. Behind the
first server's host, port and process id come the folder of nutcracker's sockets and the ports of the two others."""
import sys

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError

from checks import HOST, PORT, TIMEOUT_S, done, end_server, fails, same, server_stopped

FOLDER = sys.argv[4]
VALUES = {f"many{i}": b"value %d" % i for i in range(300)}


def pool(name):
    return Client(f"{FOLDER}/{name}", timeout=TIMEOUT_S)


def store_and_read(c):
    same(c.set("a", "1", noreply=False), True)
    same(c.get("a"), b"1")
    same(c.get("missing"), None)
    same(c.add("a", "2", noreply=False), False)
    same(c.add("b", "2", noreply=False), True)
    same(c.replace("b", "3", noreply=False), True)
    same(c.append("b", "4", noreply=False), True)
    same(c.prepend("b", "2", noreply=False), True)
    same(c.get("b"), b"234")
    value, unique = c.gets("b")
    same(c.cas("b", "5", unique, noreply=False), True)
    same(c.cas("b", "6", unique, noreply=False), False)
    same(c.touch("b", 100, noreply=False), True)
    same(c.delete("b", noreply=False), True)
    same(c.delete("b", noreply=False), False)
    c.set("quiet", "x", noreply=True)
    same(c.get("quiet"), b"x")
    # A time long ago: nutcracker takes no negative one, and a number of seconds above thirty days is a time of day.
    same(c.set("gone", "1", expire=30 * 86400 + 1, noreply=False), True)
    same(c.get("gone"), None)


def numbers(c):
    c.set("n", "10", noreply=False)
    same(c.incr("n", 5), 15)
    same(c.decr("n", 100), 0)
    same(c.incr("missing", 1), None)


def large(c):
    value = bytes(i * 7 % 256 for i in range(1000)) * 900
    same(c.set("large", value, noreply=False), True)
    same(c.get("large"), value)
    fails(MemcacheServerError, lambda: c.set("large", b"x" * 1100000, noreply=False))
    same(c.get("large"), None)


def many(c):
    same(c.set_many(VALUES, noreply=False), [])
    same(c.get_many([*VALUES, "missing"]), VALUES)
    # Each server has its own share, and all of them together everything, once.
    servers = [Client((HOST, int(port)), timeout=TIMEOUT_S) for port in (PORT, *sys.argv[5:])]
    shares = [set(server.get_many(list(VALUES))) for server in servers]
    assert all(len(share) > 30 for share in shares), [len(share) for share in shares]
    same(sum(len(share) for share in shares), len(VALUES))
    same(set().union(*shares), set(VALUES))
    return sorted(shares[0]), sorted(shares[1])


def a_server_leaves(c, of_first, of_second):
    with server_stopped():
        fails(MemcacheServerError, lambda: pool("impatient").get(of_first[0]))
        same(c.get(of_second[0]), VALUES[of_second[0]])
    same(c.get(of_first[0]), VALUES[of_first[0]])
    end_server()
    fails(MemcacheServerError, lambda: c.get(of_first[0]))
    same(c.get(of_second[0]), VALUES[of_second[0]])
    # After its first error the server is left out, and its keys are those of the other two.
    ejecting = pool("ejecting")
    fails(MemcacheServerError, lambda: ejecting.get(of_first[0]))
    same(ejecting.set(of_first[0], "elsewhere", noreply=False), True)
    same(ejecting.get(of_first[0]), b"elsewhere")


c = pool("patient")
for part in (store_and_read, numbers, large):
    part(c)
a_server_leaves(c, *many(c))
done()
