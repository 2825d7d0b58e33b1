"""What the rounds of Python's clients share: how they judge a reply, and what they do to the server.

Each round is called with the server's host, port and process id. Against Debian's memcached all of them pass as well.
"""
import contextlib
import subprocess
import sys

HOST, PORT, PID = sys.argv[1], int(sys.argv[2]), sys.argv[3]

# Long enough for a server on a busy machine.
TIMEOUT_S = 20
# For clients that are to wait in vain.
SHORT_TIMEOUT_S = 0.2


def same(got, expected):
    assert got == expected, f"{got!r} in place of {expected!r}"


def fails(error, call):
    try:
        got = call()
    except error:
        return
    raise AssertionError(f"{got!r} in place of {error.__name__}")


async def fails_later(error, awaitable):
    try:
        got = await awaitable
    except error:
        return
    raise AssertionError(f"{got!r} in place of {error.__name__}")


@contextlib.contextmanager
def server_stopped():
    """Within it the kernel still takes connections and bytes for the server, and nothing answers."""
    subprocess.check_call(["./server", "stop", PID])
    try:
        yield
    finally:
        subprocess.check_call(["./server", "resume", PID])


def end_server():
    """Ends the server as a crash would; afterwards connections are refused."""
    subprocess.check_call(["./server", "end", PID])


def done():
    print("whole round done")
