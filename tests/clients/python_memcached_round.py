"""python-memcached, the oldest of Python's clients, makes its whole round. It tells misses, refusals and servers that
are gone by None and 0, hardly ever by an exception. (Its get_slabs fails in Python 3, with any server.)"""
import memcache

from checks import HOST, PORT, SHORT_TIMEOUT_S, TIMEOUT_S, done, end_server, fails, same, server_stopped


def client(**options):
    return memcache.Client([f"{HOST}:{PORT}"], **{"socket_timeout": TIMEOUT_S, "dead_retry": 0, **options})


def store_and_read(c):
    same(c.set("a", "text"), 1)
    same(c.get("a"), "text")
    same(c.set("object", {"an": ["object", 1, 2.5]}), 1)
    same(c.get("object"), {"an": ["object", 1, 2.5]})
    same(c.set("bytes", b"\x00\r\n\xff"), 1)
    same(c.get("bytes"), b"\x00\r\n\xff")
    same(c.get("missing"), None)
    same(c.get("missing", "default"), "default")
    same(c.add("a", "x"), 0)
    same(c.add("b", "x"), 1)
    same(c.replace("b", "y"), 1)
    same(c.replace("missing", "y"), 0)
    same(c.append("b", "z"), 1)
    same(c.prepend("b", "x"), 1)
    same(c.get("b"), "xyz")
    same(c.set("quiet", "x", noreply=True), True)
    same(c.get("quiet"), "x")


def cas():
    c = client(cache_cas=True)
    c.set("c", "1")
    same(c.gets("c"), "1")
    same(client().set("c", "of another"), 1)
    same(c.cas("c", "2"), False)
    same(c.gets("c"), "of another")
    same(c.cas("c", "2"), 1)
    same(c.get("c"), "2")


def many(c):
    values = {f"many{i}": f"value {i}" for i in range(500)}
    same(c.set_multi(values, key_prefix="p:"), [])
    same(c.get_multi(list(values) + ["missing"], key_prefix="p:"), values)
    same(c.delete_multi(list(values), key_prefix="p:"), 1)
    same(c.get_multi(list(values), key_prefix="p:"), {})


def numbers(c):
    same(c.set("n", 10), 1)
    same(c.incr("n", 5), 15)
    same(c.decr("n", 100), 0)
    same(c.incr("missing"), None)
    same(c.set("n", "no number"), 1)
    fails(ValueError, lambda: c.incr("n"))


def large(c):
    large = "l" * 900000
    same(c.set("large", large), 1)
    same(c.get("large"), large)
    # The client's own limit is raised above the server's, so that the server is the one who refuses.
    same(client(server_max_value_length=1 << 22).set("large", "l" * 1100000), 0)
    same(c.get("large"), None)
    same(c.set("small", "l" * 900000, min_compress_len=1000), 1)
    same(c.get("small"), large)


def the_rest(c):
    same(c.touch("a", 100), 1)
    same(c.touch("missing", 100), 0)
    same(c.set("gone", "x", time=-1), 1)
    same(c.get("gone"), None)
    same(c.delete("a"), 1)
    same(c.get("a"), None)
    (name, stats), = c.get_stats()
    same(stats["limit_maxbytes"], "67108864")
    (name, settings), = c.get_stats("settings")
    same(settings["maxbytes"], "67108864")
    assert "1" in list(c.get_slab_stats()[0][1]), c.get_slab_stats()
    c.flush_all()
    same(c.get("b"), None)


def server_leaves(c):
    same(c.set("kept", "x"), 1)
    impatient = client(socket_timeout=SHORT_TIMEOUT_S)
    with server_stopped():
        same(impatient.get("kept"), None)
        same(impatient.set("kept", "y"), 0)
    same(c.get("kept") in ("x", "y"), True)
    end_server()
    same(c.get("kept"), None)
    same(c.set("kept", "z"), 0)


c = client()
for part in (store_and_read, many, numbers, large, the_rest):
    part(c)
cas()
server_leaves(c)
done()
