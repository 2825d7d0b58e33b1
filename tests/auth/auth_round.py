"""Clients that say who they are. usage: auth_round.py CLIENT HOST PORT USER PASSWORD CA; the round judges by itself.

CA is the file of the authority whose certificates are believed; empty, and no TLS is spoken.
"""
import asyncio
import ssl
import sys

CLIENT, HOST, PORT, USER, PASSWORD, CA = sys.argv[1:7]

SERVER = f"{HOST}:{PORT}"
TIMEOUT_S = 20
VALUES = {f"key-{i}": f"value {i}" for i in range(100)}
LARGE = "l" * 300_000


def same(got, expected):
    assert got == expected, f"{got!r} in place of {expected!r}"


def fails(call):
    try:
        got = call()
    except Exception:  # each client has errors of its own
        return
    assert not got, f"{got!r} with a wrong password"


def pylibmc():
    from pylibmc import Client

    assert not CA, "it speaks no TLS"
    c = Client([SERVER], binary=True, username=USER, password=PASSWORD)
    same(c.set_multi(VALUES), [])
    same(c.get_multi(list(VALUES)), VALUES)
    same(c.set("large", LARGE), True)
    same(c.get("large"), LARGE)
    c.set("n", 1)
    same(c.incr("n", 41), 42)
    wrong = Client([SERVER], binary=True, username=USER, password=PASSWORD + "x")
    fails(lambda: wrong.get("n"))
    stranger = Client([SERVER], binary=True)
    fails(lambda: stranger.get("n"))


def bmemcached():
    from bmemcached import Client

    context = ssl.create_default_context(cafile=CA) if CA else None
    options = {"socket_timeout": TIMEOUT_S, "tls_context": context}
    c = Client((SERVER,), USER, PASSWORD, **options)
    same(c.set_multi(VALUES), [])
    same(c.get_multi(list(VALUES)), VALUES)
    same(c.set("large", LARGE, compress_level=0), True)
    same(c.get("large"), LARGE)
    same(c.set("n", "1"), True)
    same(c.incr("n", 41), 42)
    same(c.delete("n"), True)
    wrong = Client((SERVER,), USER, PASSWORD + "x", **options)
    fails(lambda: wrong.get("large"))
    stranger = Client((SERVER,), **options)
    fails(lambda: stranger.get("large"))


async def emcache_round():
    import emcache

    nodes = [emcache.MemcachedHostAddress(HOST, int(PORT))]
    tls = {"ssl": True, "ssl_extra_ca": CA} if CA else {}
    c = await emcache.create_client(nodes, timeout=TIMEOUT_S, username=USER, password=PASSWORD, **tls)
    values = {key.encode(): value.encode() for key, value in VALUES.items()}
    await asyncio.gather(*(c.set(key, value) for key, value in values.items()))
    found = await c.get_many(list(values))
    same({key: item.value for key, item in found.items()}, values)
    await c.set(b"large", LARGE.encode())
    same((await c.get(b"large")).value, LARGE.encode())
    await c.set(b"n", b"1")
    same(await c.increment(b"n", 41), 42)
    await c.close()
    for credentials in ({"username": USER, "password": PASSWORD + "x"}, {}):
        refused = await emcache.create_client(nodes, timeout=1.0, **credentials, **tls)
        try:
            got = await refused.get(b"n")
        except (asyncio.TimeoutError, emcache.CommandError, OSError):
            got = None
        assert got is None, f"{got!r} with {credentials}"
        await refused.close()


def emcache():
    asyncio.run(emcache_round())


{"pylibmc": pylibmc, "bmemcached": bmemcached, "emcache": emcache}[CLIENT]()
print("whole round done")
