"""aiomcache, asyncio with a pool of connections, makes its whole round, one call at a time and many at once."""
import asyncio

import aiomcache
from aiomcache.exceptions import ClientException, ValidationException

from checks import HOST, PORT, SHORT_TIMEOUT_S, done, end_server, fails_later, same, server_stopped


async def store_and_read(c):
    same(await c.set(b"a", b"1"), True)
    same(await c.get(b"a"), b"1")
    same(await c.get(b"missing"), None)
    same(await c.get(b"missing", b"default"), b"default")
    same(await c.add(b"a", b"2"), False)
    same(await c.add(b"b", b"2"), True)
    same(await c.replace(b"b", b"3"), True)
    same(await c.replace(b"missing", b"3"), False)
    same(await c.append(b"b", b"4"), True)
    same(await c.prepend(b"b", b"2"), True)
    same(await c.get(b"b"), b"234")


async def cas(c):
    await c.set(b"c", b"1")
    value, unique = await c.gets(b"c")
    same(value, b"1")
    same(await c.cas(b"c", b"2", unique), True)
    same(await c.cas(b"c", b"3", unique), False)
    same(await c.cas(b"missing", b"3", unique), False)
    same(await c.gets(b"missing"), (None, None))
    same(await c.get(b"c"), b"2")


async def many(c):
    values = {b"many:%d" % i: b"value %d" % i for i in range(500)}
    same(set(await asyncio.gather(*(c.set(key, value) for key, value in values.items()))), {True})
    same(await c.multi_get(*values, b"missing"), (*values.values(), None))
    same(set(await asyncio.gather(*(c.delete(key) for key in values))), {True})
    same(set(await c.multi_get(*values)), {None})


async def numbers(c):
    await c.set(b"n", b"10")
    same(await c.incr(b"n", 5), 15)
    same(await c.decr(b"n", 100), 0)
    await fails_later(ClientException, c.incr(b"missing"))
    await c.set(b"n", b"no number")
    await fails_later(ClientException, c.incr(b"n"))


async def large(c):
    value = bytes(i * 7 % 256 for i in range(1000)) * 1000
    same(await c.set(b"large", value), True)
    same(await c.get(b"large"), value)
    await fails_later(ClientException, c.set(b"large", b"x" * 1100000))
    same(await c.get(b"large"), None)


async def the_rest(c):
    same(await c.touch(b"a", 100), True)
    same(await c.touch(b"missing", 100), False)
    same(await c.delete(b"a"), True)
    same(await c.delete(b"a"), False)
    # A time long ago: a number of seconds above thirty days is a time of day.
    same(await c.set(b"gone", b"1", exptime=30 * 86400 + 1), True)
    same(await c.get(b"gone"), None)
    await fails_later(ValidationException, c.get(b"a key with blanks"))
    assert (await c.version()).startswith(b"1.6."), await c.version()
    same((await c.stats())[b"limit_maxbytes"], b"67108864")
    same((await c.stats(b"settings"))[b"maxbytes"], b"67108864")
    await c.flush_all()
    same(await c.get(b"b"), None)


async def with_flags():
    async def to_text(value, flags):
        same(flags, 7)
        return value.decode()

    async def from_text(value):
        return value.encode(), 7

    c = aiomcache.FlagClient(HOST, PORT, get_flag_handler=to_text, set_flag_handler=from_text)
    same(await c.set(b"text", "a text"), True)
    same(await c.get(b"text"), "a text")
    await c.close()


async def server_leaves(c):
    await c.set(b"kept", b"1")
    impatient = aiomcache.Client(HOST, PORT, pool_size=1)
    same(await impatient.get(b"kept"), b"1")
    with server_stopped():
        await fails_later(asyncio.TimeoutError, asyncio.wait_for(impatient.get(b"kept"), SHORT_TIMEOUT_S))
    same(await c.get(b"kept"), b"1")
    end_server()
    # The connections of the pool are found to be closed one after another; then new ones are refused.
    errors = [type(error) for error in await asyncio.gather(*(c.get(b"kept") for _ in range(4)), return_exceptions=True)]
    assert all(issubclass(error, (OSError, ClientException)) for error in errors), errors
    await fails_later(OSError, c.get(b"kept"))


async def the_round():
    c = aiomcache.Client(HOST, PORT, pool_size=4)
    for part in (store_and_read, cas, many, numbers, large, the_rest):
        await part(c)
    await with_flags()
    await server_leaves(c)
    done()


asyncio.run(the_round())
