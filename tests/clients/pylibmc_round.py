"""pylibmc, Python on libmemcached itself, makes its whole round, in text and binary, and with its behaviours on."""
import pylibmc

from checks import HOST, PORT, SHORT_TIMEOUT_S, TIMEOUT_S, done, end_server, fails, same, server_stopped

SERVER = f"{HOST}:{PORT}"


def round_of(c, binary=False):
    same(c.set("a", "text"), True)
    same(c.get("a"), "text")
    same(c.set("d", {"an": ["object", 1, 2.5]}), True)
    same(c.get("d"), {"an": ["object", 1, 2.5]})
    same(c.get("missing"), None)
    same(c.add("a", "x"), False)
    same(c.add("b", "x"), True)
    same(c.replace("b", "y"), True)
    # The binary protocol says that there is no such key, text only that nothing was stored.
    if binary:
        fails(pylibmc.NotFound, lambda: c.replace("missing", "y"))
    else:
        same(c.replace("missing", "y"), False)
    same(c.append("b", "z"), True)
    same(c.prepend("b", "x"), True)
    same(c.get("b"), "xyz")

    c.set("n", 10)
    same(c.incr("n", 5), 15)
    same(c.decr("n", 1), 14)
    fails(pylibmc.NotFound, lambda: c.incr("missing"))
    c.set("n", "no number")
    fails(pylibmc.Error, lambda: c.incr("n"))
    c.set("n", 14)
    same(c.touch("n", 100), True)
    same(c.touch("missing", 100), False)

    values = {f"many{i}": i for i in range(500)}
    same(c.set_multi(values), [])
    same(c.get_multi(list(values) + ["missing"]), values)
    same(c.delete_multi(list(values)), True)
    same(c.get_multi(list(values)), {})

    large = "l" * 900000
    same(c.set("large", large), True)
    same(c.get("large"), large)
    fails(pylibmc.Error, lambda: c.set("large", "l" * 1100000))
    same(c.get("a"), "text")
    same(c.delete("a"), True)
    same(c.delete("a"), False)
    # Above thirty days it is a time of day, here one long ago.
    same(c.set("gone", "x", time=30 * 86400 + 1), True)
    same(c.get("gone"), None)
    (name, stats), = c.get_stats()
    assert stats["version"].startswith(b"1.6."), (name, stats)
    c.flush_all()
    same(c.get("b"), None)


def cas_of(c):
    c.set("c", "1")
    value, unique = c.gets("c")
    same(value, "1")
    same(c.cas("c", "2", unique), True)
    same(c.cas("c", "3", unique), False)
    same(c.get("c"), "2")


def server_leaves():
    clients = [pylibmc.Client([SERVER], binary=binary, behaviors={"_poll_timeout": int(SHORT_TIMEOUT_S * 1000)}) for binary in (False, True)]
    patient = pylibmc.Client([SERVER], behaviors={"_poll_timeout": TIMEOUT_S * 1000})
    patient.set("kept", "x")
    with server_stopped():
        for c in clients:
            fails(pylibmc.Error, lambda: c.get("kept"))
    same(patient.get("kept"), "x")
    end_server()
    for c in [*clients, patient]:
        fails(pylibmc.Error, lambda: c.get("kept"))


round_of(pylibmc.Client([SERVER]))
round_of(pylibmc.Client([SERVER], binary=True), binary=True)
round_of(pylibmc.Client([SERVER], behaviors={"tcp_nodelay": True, "ketama": True}))
cas_of(pylibmc.Client([SERVER], behaviors={"cas": True}))
cas_of(pylibmc.Client([SERVER], binary=True, behaviors={"cas": True}))
quiet = pylibmc.Client([SERVER], behaviors={"_noreply": True})
quiet.set("quiet", "x")
same(quiet.get("quiet"), "x")
unwaited = pylibmc.Client([SERVER], behaviors={"no_block": True})
for i in range(200):
    unwaited.set(f"unwaited{i}", i)
same(unwaited.get("unwaited199"), 199)
same(len(unwaited.get_multi([f"unwaited{i}" for i in range(200)])), 200)
server_leaves()
done()
