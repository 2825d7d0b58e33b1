"""Python's ssl and pymemcache over TLS. usage: tls_round.py HOST PORT CA [CERTIFICATE]; the round judges by itself."""

import socket
import ssl
import sys

from pymemcache.client.base import Client
from pymemcache.client.hash import HashClient

host, port, ca, own = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def context(version=None):
    made = ssl.create_default_context(cafile=ca)
    if own:
        made.load_cert_chain(own)
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def plain_ssl():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with socket.create_connection((host, port), 20) as tcp:
            with context(version).wrap_socket(tcp, server_hostname=host) as tls:
                tls.sendall(b"set ssl 0 0 3\r\nabc\r\nget ssl\r\n")
                wanted = b"STORED\r\nVALUE ssl 0 3\r\nabc\r\nEND\r\n"
                got = b""
                while len(got) < len(wanted):
                    more = tls.recv(4096)
                    assert more, got
                    got += more
                assert got == wanted, got


def strangers():
    """A client that trusts nobody we know, and, where certificates are asked for, one that has none."""
    wrong = [ssl.create_default_context()]
    if own:
        wrong.append(ssl.create_default_context(cafile=ca))
    for refused in wrong:
        try:
            with socket.create_connection((host, port), 20) as tcp:
                with refused.wrap_socket(tcp, server_hostname=host) as tls:
                    tls.sendall(b"mn\r\n")
                    assert not tls.recv(1)
        except (ssl.SSLError, ConnectionError):
            pass


def pymemcache():
    for client in (
        Client((host, port), tls_context=context(), timeout=20),
        HashClient([(host, port)], tls_context=context(), timeout=20),
    ):
        value = b"v" * 200_000
        assert client.set("key", value, noreply=False)
        assert client.get("key") == value
        many = {"key-%d" % number: b"%d" % number for number in range(500)}
        assert not client.set_many(many, noreply=False)
        assert client.get_many(many) == many
        assert client.incr("key-1", 2, noreply=False) == 3
        client.close()


plain_ssl()
strangers()
pymemcache()
print("whole round done")
