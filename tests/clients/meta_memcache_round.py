"""meta-memcache, a client of the meta commands alone, makes its whole round: leases, stale items and recaching as well."""
import logging
import random

from meta_memcache import (
    CacheClient,
    Conflict,
    Key,
    LeasePolicy,
    MemcacheServerError,
    Miss,
    NotStored,
    RecachePolicy,
    RequestFlags,
    ServerAddress,
    SetMode,
    StalePolicy,
    Success,
    Value,
    connection_pool_factory_builder,
)

from checks import HOST, PORT, SHORT_TIMEOUT_S, TIMEOUT_S, done, end_server, fails, same, server_stopped

TTL = 1000


def client(timeout=TIMEOUT_S, raise_on_server_error=True):
    return CacheClient.cache_client_from_servers(
        servers=[ServerAddress(HOST, PORT)],
        connection_pool_factory_fn=connection_pool_factory_builder(
            connection_timeout=timeout, recv_timeout=timeout, mark_down_period_s=0
        ),
        raise_on_server_error=raise_on_server_error,
    )


def store_and_read(c):
    same(c.set("a", "text", ttl=TTL), True)
    same(c.get("a"), "text")
    same(c.get("missing"), None)
    for value in (7, b"\x00\r\n\xff", b"", {"an": ["object", 1, 2.5]}, "long " * 1000):
        same(c.set("value", value, ttl=TTL), True)
        same(c.get("value"), value)
    same(c.set("a", "x", ttl=TTL, set_mode=SetMode.ADD), False)
    same(c.refill("a", "x", ttl=TTL), False)
    same(c.refill("b", b"x", ttl=TTL), True)
    same(c.set("b", b"y", ttl=TTL, set_mode=SetMode.REPLACE), True)
    same(c.set("missing", b"y", ttl=TTL, set_mode=SetMode.REPLACE), False)
    same(c.set("b", b"z", ttl=TTL, set_mode=SetMode.APPEND), True)
    same(c.set("b", b"x", ttl=TTL, set_mode=SetMode.PREPEND), True)
    same(c.get("b"), b"xyz")
    same(c.set("quiet", "x", ttl=TTL, no_reply=True), True)
    same(c.get("quiet"), "x")
    # Keys that are no words, or too long, are sent in base64 or hashed.
    for key in ("ключ", "a key with blanks", "l" * 240, "l" * 400):
        same(c.set(Key(key), key, ttl=TTL), True)
        same(c.get(Key(key)), key)
        same(c.delete(Key(key)), True)


def cas(c):
    unique = c.set_cas("c", "1", ttl=TTL)
    same(c.get_cas("c"), ("1", unique))
    same(c.set("c", "2", ttl=TTL, cas_token=unique), True)
    same(c.set("c", "3", ttl=TTL, cas_token=unique), False)
    same(c.delete("c", cas_token=unique), False)
    same(c.get("c"), "2")
    same(c.delete("c", cas_token=c.get_cas("c")[1]), True)
    same(c.set("c", "3", ttl=TTL, cas_token=unique), False)


def many(c):
    values = {f"many{i}": f"value {i}" for i in range(300)}
    for key, value in values.items():
        c.set(key, value, ttl=TTL, no_reply=True)
    found = c.multi_get([*values, "missing"])
    same({key.key: value for key, value in found.items()}, {**values, "missing": None})
    found = c.multi_get_cas(["many0", "missing"])
    same({key.key: value for key, (value, _) in found.items()}, {"many0": "value 0", "missing": None})
    for key in values:
        c.delete(key, no_reply=True)
    same(set(c.multi_get(list(values)).values()), {None})


def numbers(c):
    same(c.delta_initialize_and_get("n", 5, initial_value=10, initial_ttl=TTL), 10)
    same(c.delta_initialize("n", 5, initial_value=10, initial_ttl=TTL), True)
    same(c.delta_and_get("n", 5), 20)
    same(c.delta_and_get("n", -100), 0)
    same(c.delta("n", 1, refresh_ttl=TTL), True)
    same(c.delta("missing", 1), False)
    same(c.delta_and_get("missing", 1), None)
    c.set("n", "no number", ttl=TTL)
    fails(MemcacheServerError, lambda: c.delta("n", 1))


def large(c):
    value = bytes(i * 7 % 256 for i in range(1000)) * 900
    same(c.set("large", value, ttl=TTL), True)
    same(c.get("large"), value)
    # What cannot be compressed is too large for the server.
    noise = random.Random(1).randbytes(1100000)
    fails(MemcacheServerError, lambda: c.set("large", noise, ttl=TTL))
    same(c.get("large"), None)


def times(c):
    same(c.touch("a", ttl=TTL), True)
    same(c.touch("missing", ttl=TTL), False)
    same(c.get("a", touch_ttl=50), "text")
    found = c.meta_get(Key("a"), flags=RequestFlags(return_value=False, return_ttl=True))
    assert isinstance(found, Success) and 30 <= found.flags.ttl <= 50, found
    # Above thirty days it is a time of day, here one long ago.
    same(c.set("gone", "x", ttl=30 * 86400 + 1), True)
    same(c.get("gone"), None)
    same(c.delete("a"), True)
    same(c.delete("a"), False)
    same(c.invalidate("a"), True)


def metadata(c):
    c.set("m", b"12345", ttl=0)
    asked = RequestFlags(
        return_value=True,
        return_cas_token=True,
        return_client_flag=True,
        return_fetched=True,
        return_key=True,
        return_last_access=True,
        return_size=True,
        return_ttl=True,
        no_update_lru=True,
        opaque=b"77",
    )
    found = c.meta_get(Key("m"), flags=asked)
    assert isinstance(found, Value), found
    same((found.value, found.size), (b"12345", 5))
    flags = found.flags
    same((flags.ttl, flags.size, flags.fetched, flags.opaque), (-1, 5, False, b"77"))
    assert flags.cas_token and flags.last_access is not None, flags
    same(isinstance(c.meta_get(Key("missing"), flags=asked), Miss), True)
    same(isinstance(c.meta_set(Key("m"), b"x", flags=RequestFlags(cas_token=1)), Conflict), True)
    same(isinstance(c.meta_set(Key("m"), b"x", flags=RequestFlags(mode=SetMode.ADD.value)), NotStored), True)


def herds(c):
    def never(_):
        raise AssertionError("waited for a lease that was free")

    # One of two wins the lease of what is missing; the other waits until the winner has stored it.
    lease = LeasePolicy(miss_retries=2)
    same(c.get_or_lease("leased", lease, lease_wait_fn=never), None)
    same(client().get_or_lease("leased", lease, lease_wait_fn=lambda _: c.set("leased", "made", ttl=TTL)), "made")
    # What will not live much longer is a miss for one, who makes it anew, and still there for the others.
    recache = RecachePolicy(ttl=100)
    c.set("old", "x", ttl=50)
    same([c.get("old", recache_policy=recache) for _ in range(3)], [None, "x", "x"])
    # So is what was deleted but left stale.
    stale = StalePolicy(mark_stale_on_deletion_ttl=50, mark_stale_on_cas_mismatch=True)
    unique = c.set_cas("stale", "x", ttl=TTL)
    same(c.delete("stale", stale_policy=stale), True)
    value, anew = c.get_cas("stale")
    same(value, None)
    same([c.get("stale") for _ in range(2)], ["x", "x"])
    same(c.set("stale", "y", ttl=TTL, cas_token=anew), True)
    same([c.get("stale") for _ in range(2)], ["y", "y"])
    # A writer that began before the deletion leaves a value that is stale from the beginning.
    same(c.set("stale", "z", ttl=TTL, cas_token=unique, stale_policy=stale), True)
    same([c.get("stale") for _ in range(3)], [None, "z", "z"])


def server_leaves(c):
    c.set("kept", "x", ttl=TTL)
    impatient, forgiving = client(SHORT_TIMEOUT_S), client(SHORT_TIMEOUT_S, raise_on_server_error=False)
    with server_stopped():
        fails(MemcacheServerError, lambda: impatient.get("kept"))
        same(forgiving.get("kept"), None)
    same(c.get("kept"), "x")
    end_server()
    fails(MemcacheServerError, lambda: c.get("kept"))
    same(forgiving.set("kept", "y", ttl=TTL), False)


# The client logs each error as well as raising it.
logging.disable()
c = client()
for part in (store_and_read, cas, many, numbers, large, times, metadata, herds, server_leaves):
    part(c)
done()
