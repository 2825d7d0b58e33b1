"""emcache, asyncio in Cython, makes its whole round, its batches of gets of one turn of the loop too."""
import asyncio

import emcache

from checks import HOST, PORT, SHORT_TIMEOUT_S, TIMEOUT_S, done, end_server, fails_later, same, server_stopped

NODE = emcache.MemcachedHostAddress(HOST, PORT)


async def client(**options):
    return await emcache.create_client([NODE], **{"timeout": TIMEOUT_S, **options})


async def value_of(c, key):
    item = await c.get(key)
    return item and item.value


async def store_and_read(c):
    await c.set(b"a", b"1", flags=9)
    same(await c.get(b"a", return_flags=True), emcache.Item(b"1", 9, None))
    same(await c.get(b"missing"), None)
    await fails_later(emcache.NotStoredStorageCommandError, c.add(b"a", b"2"))
    await c.add(b"b", b"2")
    await c.replace(b"b", b"3")
    await fails_later(emcache.NotStoredStorageCommandError, c.replace(b"missing", b"3"))
    await c.append(b"b", b"4")
    await c.prepend(b"b", b"2")
    same(await value_of(c, b"b"), b"234")
    await c.set(b"quiet", b"x", noreply=True)


async def cas(c):
    await c.set(b"c", b"1")
    unique = (await c.gets(b"c")).cas
    await c.cas(b"c", b"2", unique)
    await fails_later(emcache.StorageCommandError, c.cas(b"c", b"3", unique))
    await fails_later(emcache.StorageCommandError, c.cas(b"missing", b"3", unique))
    same(list(await c.gets_many([b"c", b"missing"])), [b"c"])
    same(await value_of(c, b"c"), b"2")


async def many(c):
    values = {b"many:%d" % i: b"value %d" % i for i in range(500)}
    await asyncio.gather(*(c.set(key, value) for key, value in values.items()))
    found = await c.get_many([*values, b"missing"])
    same({key: item.value for key, item in found.items()}, values)
    batching = await client(autobatching=True)
    items = await asyncio.gather(*(batching.get(key) for key in [*values, b"missing"]))
    same([item and item.value for item in items], [*values.values(), None])
    await batching.close()
    await asyncio.gather(*(c.delete(key) for key in values))
    same(await c.get_many(list(values)), {})


async def numbers(c):
    await c.set(b"n", b"10")
    same(await c.increment(b"n", 5), 15)
    same(await c.decrement(b"n", 100), 0)
    await fails_later(emcache.NotFoundCommandError, c.increment(b"missing", 1))
    await c.set(b"n", b"no number")
    await fails_later(ValueError, c.increment(b"n", 1))


async def large(c):
    value = bytes(i * 7 % 256 for i in range(1000)) * 1000
    await c.set(b"large", value)
    same(await value_of(c, b"large"), value)
    await fails_later(emcache.CommandError, c.set(b"large", b"x" * 1100000))
    same(await value_of(c, b"large"), None)


async def times(c):
    await c.touch(b"a", 100)
    await fails_later(emcache.NotFoundCommandError, c.touch(b"missing", 100))
    same((await c.gat(100, b"a")).value, b"1")
    assert (await c.gats(100, b"a")).cas, "gats brings a CAS unique"
    same(await c.gat(100, b"missing"), None)
    same(list(await c.gat_many(100, [b"a", b"missing"])), [b"a"])
    same(list(await c.gats_many(100, [b"a", b"missing"])), [b"a"])
    await c.set(b"gone", b"1", exptime=-1)
    same(await c.get(b"gone"), None)
    same((await c.gat(-1, b"a")).value, b"1")
    same(await c.get(b"a"), None)


async def the_rest(c):
    await c.delete(b"b")
    await fails_later(emcache.NotFoundCommandError, c.delete(b"b"))
    await fails_later(ValueError, c.get(b"a key with blanks"))
    assert (await c.version(NODE)).startswith("1.6."), await c.version(NODE)
    same((await c.stats(NODE))["limit_maxbytes"], "67108864")
    same((await c.stats(NODE, "settings"))["maxbytes"], "67108864")
    await c.verbosity(NODE, 1)
    await c.cache_memlimit(NODE, 64)
    await c.flush_all(NODE)
    same(await c.get(b"c"), None)


async def server_leaves(c):
    await c.set(b"kept", b"1")
    impatient = await client(timeout=SHORT_TIMEOUT_S)
    with server_stopped():
        await fails_later(asyncio.TimeoutError, impatient.get(b"kept"))
    same(await value_of(c, b"kept"), b"1")
    end_server()
    # Its pool goes on trying to connect in the background, so that a call ends by its timeout.
    await fails_later((asyncio.TimeoutError, OSError, emcache.CommandError), impatient.get(b"kept"))
    await impatient.close()


async def the_round():
    c = await client()
    for part in (store_and_read, cas, many, numbers, large, times, the_rest, server_leaves):
        await part(c)
    await c.close()
    done()


asyncio.run(the_round())
