"""Django's cache framework makes its round with both of its memcached backends, in the low-level calls and as a site
would use it: cached pages, and sessions that lie in the cache, alone or in front of a database."""
import asyncio

import django
from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.views.decorators.cache import cache_page

from checks import HOST, PORT, SHORT_TIMEOUT_S, TIMEOUT_S, done, end_server, fails, same, server_stopped

SERVER = f"{HOST}:{PORT}"
PYMEMCACHE = "django.core.cache.backends.memcached.PyMemcacheCache"
PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache"
BACKENDS = ("pymemcache", "pylibmc", "pylibmc_binary")


def backend(name, options, prefix=""):
    return {"BACKEND": name, "LOCATION": SERVER, "KEY_PREFIX": prefix, "OPTIONS": options}


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def leave(request):
    request.session.flush()
    return HttpResponse("left")


made = 0


def page(request):
    global made
    made += 1
    return HttpResponse(f"made {made} times")


settings.configure(
    ALLOWED_HOSTS=["testserver"],
    CACHES={
        "default": backend(PYMEMCACHE, {}),
        "pymemcache": backend(PYMEMCACHE, {"timeout": TIMEOUT_S}, "p"),
        "pylibmc": backend(PYLIBMC, {}, "l"),
        "pylibmc_binary": backend(PYLIBMC, {"binary": True}, "b"),
        "impatient_pymemcache": backend(PYMEMCACHE, {"timeout": SHORT_TIMEOUT_S, "retry_attempts": 0}),
        "impatient_pylibmc": backend(PYLIBMC, {"behaviors": {"_poll_timeout": int(SHORT_TIMEOUT_S * 1000)}}),
    },
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
)

# cache_page looks at the settings.
urlpatterns = [
    path("count", count),
    path("leave", leave),
    *(path(f"page/{name}", cache_page(100, cache=name)(page)) for name in BACKENDS),
]


def store_and_read(c):
    same(c.set("a", "text"), None)
    same(c.get("a"), "text")
    same(c.get("missing"), None)
    same(c.get("missing", "default"), "default")
    c.set("none", None)
    same(c.get("none", "default"), None)
    c.set("object", {"an": ["object", 1, 2.5, None]})
    same(c.get("object"), {"an": ["object", 1, 2.5, None]})
    same(c.add("a", "x"), False)
    same(c.add("b", "x"), True)
    same(c.get_or_set("c", lambda: "made"), "made")
    same(c.get_or_set("c", lambda: "made again"), "made")
    same(c.has_key("a") and "a" in c, True)
    same("missing" in c, False)
    same(c.touch("a", 100), True)
    same(c.touch("missing", 100), False)
    same(c.delete("b"), True)
    same(c.delete("b"), False)
    c.set("kept", "x", timeout=None)
    same(c.get("kept"), "x")


def versions(c):
    c.set("v", 1, version=2)
    same(c.get("v"), None)
    same(c.get("v", version=2), 1)
    same(c.incr_version("v", version=2), 3)
    same(c.get("v", version=3), 1)


def many(c):
    values = {f"many{i}": {"value": i} for i in range(300)}
    same(c.set_many(values), [])
    same(c.get_many([*values, "missing"]), values)
    c.delete_many(list(values))
    same(c.get_many(list(values)), {})


def numbers(c):
    c.set("n", 10)
    same(c.incr("n", 5), 15)
    same(c.decr("n", 3), 12)
    fails(ValueError, lambda: c.incr("missing"))


def large(c):
    text = "l" * 900000
    c.set("large", text)
    same(c.get("large"), text)


def expired(c):
    c.set("gone", "x", timeout=0)
    same(c.get("gone"), None)


async def awaited(c):
    await c.aset("awaited", [1, 2])
    same(await c.aget("awaited"), [1, 2])
    same(await c.aget_many(["awaited", "missing"]), {"awaited": [1, 2]})
    same(await c.adelete("awaited"), True)


def pages(name):
    visitor = Client()
    first = visitor.get(f"/page/{name}").content
    same(visitor.get(f"/page/{name}").content, first)
    caches[name].clear()
    same(visitor.get(f"/page/{name}").content == first, False)


def sessions(name, engine):
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}", SESSION_CACHE_ALIAS=name):
        visitor, other = Client(), Client()
        same([visitor.get("/count").content for _ in range(3)], [b"1", b"2", b"3"])
        same(other.get("/count").content, b"1")
        key = f"django.contrib.sessions.{engine}" + visitor.cookies["sessionid"].value
        same(caches[name].get(key)["count"], 3)
        # What only lay in the cache is gone with it; what lay in a database as well is read into it again.
        caches[name].clear()
        same(visitor.get("/count").content, b"4" if engine == "cached_db" else b"1")
        same(visitor.get("/leave").content, b"left")
        same(visitor.get("/count").content, b"1")


def server_leaves():
    caches["pymemcache"].set("kept", "x")
    impatient = [caches["impatient_pymemcache"], caches["impatient_pylibmc"]]
    with server_stopped():
        for c in impatient:
            fails(Exception, lambda: c.get("kept"))
    same(caches["pymemcache"].get("kept"), "x")
    end_server()
    for c in [*impatient, caches["pymemcache"]]:
        fails(Exception, lambda: c.get("kept"))


django.setup()
call_command("migrate", verbosity=0)
for name in BACKENDS:
    cache = caches[name]
    for part in (store_and_read, versions, many, numbers, large):
        part(cache)
    # A time in the past, -1, is one in the year 2106 in the binary protocol.
    if name != "pylibmc_binary":
        expired(cache)
    asyncio.run(awaited(cache))
    pages(name)
    for engine in ("cache", "cached_db"):
        sessions(name, engine)
server_leaves()
done()
