"""pymemcache makes its whole round: every command it has, large and many values, its errors, its pool."""
import socket

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheIllegalInputError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
)

from checks import HOST, PORT, SHORT_TIMEOUT_S, TIMEOUT_S, done, end_server, fails, same, server_stopped


def store_and_read(c):
    same(c.set("a", "1", noreply=False), True)
    same(c.get("a"), b"1")
    same(c.get("missing"), None)
    same(c.get("missing", "default"), "default")
    same(c.add("a", "2", noreply=False), False)
    same(c.add("b", "2", noreply=False), True)
    same(c.replace("b", "3", noreply=False), True)
    same(c.replace("missing", "3", noreply=False), False)
    same(c.append("b", "4", noreply=False), True)
    same(c.prepend("b", "2", noreply=False), True)
    same(c.get("b"), b"234")
    c.set("quiet", "x", noreply=True)
    same(c.get("quiet"), b"x")


def cas(c):
    c.set("c", "1", noreply=False)
    value, unique = c.gets("c")
    same(value, b"1")
    same(c.cas("c", "2", unique, noreply=False), True)
    same(c.cas("c", "3", unique, noreply=False), False)
    same(c.cas("missing", "3", unique, noreply=False), None)
    same(c.get("c"), b"2")
    found = c.gets_many(["c", "missing"])
    same(list(found), ["c"])


def many(c):
    values = {f"many:{i}": f"value {i}".encode() for i in range(1000)}
    same(c.set_many(values, noreply=False), [])
    same(c.get_many(list(values) + ["missing"]), values)
    c.delete_many(list(values), noreply=False)
    same(c.get_many(list(values)), {})


def numbers(c):
    c.set("n", "10", noreply=False)
    same(c.incr("n", 5), 15)
    same(c.decr("n", 100), 0)
    same(c.incr("missing", 1), None)
    c.set("n", "no number", noreply=False)
    fails(MemcacheClientError, lambda: c.incr("n", 1))


def large(c):
    value = bytes(i * 7 % 256 for i in range(1000)) * 1000
    same(c.set("large", value, noreply=False), True)
    same(c.get("large"), value)
    fails(MemcacheServerError, lambda: c.set("large", b"x" * 1100000, noreply=False))
    same(c.get("large"), None)


def the_rest(c):
    c.set("t", "1", noreply=False)
    same(c.touch("t", 100, noreply=False), True)
    same(c.touch("missing", 100, noreply=False), False)
    same(c.delete("t", noreply=False), True)
    same(c.delete("t", noreply=False), False)
    same(c.set("gone", "1", expire=-1, noreply=False), True)
    same(c.get("gone"), None)
    fails(MemcacheIllegalInputError, lambda: c.get("a key with blanks"))
    same(c.flush_all(noreply=False), True)
    same(c.get("a"), None)


def only_client(c):
    assert c.version().startswith(b"1.6."), c.version()
    assert c.stats()[b"limit_maxbytes"] == 64 * 1024 * 1024, c.stats()
    assert b"maxbytes" in c.stats("settings")
    same(c.cache_memlimit(64), True)
    c.quit()


def server_leaves():
    clients = [
        Client((HOST, PORT), timeout=SHORT_TIMEOUT_S),
        PooledClient((HOST, PORT), timeout=SHORT_TIMEOUT_S),
        HashClient([(HOST, PORT)], timeout=SHORT_TIMEOUT_S, retry_attempts=0, dead_timeout=0),
    ]
    patient = Client((HOST, PORT), timeout=TIMEOUT_S)
    patient.set("kept", "1", noreply=False)
    with server_stopped():
        for c in clients:
            fails(socket.timeout, lambda: c.get("kept"))
    same(patient.get("kept"), b"1")
    end_server()
    for c in [*clients, patient]:
        fails((OSError, MemcacheUnexpectedCloseError), lambda: c.get("kept"))


for make in (
    lambda: Client((HOST, PORT), timeout=TIMEOUT_S),
    lambda: PooledClient((HOST, PORT), max_pool_size=3, timeout=TIMEOUT_S),
    lambda: HashClient([(HOST, PORT)], use_pooling=True, timeout=TIMEOUT_S),
):
    client = make()
    for part in (store_and_read, cas, many, numbers, large, the_rest):
        if isinstance(client, HashClient) and part is the_rest:
            client.flush_all(noreply=False)
            continue
        part(client)
only_client(Client((HOST, PORT), timeout=TIMEOUT_S))
server_leaves()
done()
