# SPDX-License-Identifier: Apache-2.0
"""./x bench batches: the server's CPU for what clients send as one: a transaction of five SETs
whose keys have one hash tag, the script of a limiter, a function.

redis-server and one Kvorum node take turns on one core (bench/side_by_side.py). As many clients as
in `./x bench` ask at once, for as many keys. Each reply is checked. See bench/README.md.
"""
import contextlib
import hashlib
import socket
import sys
import time
from random import Random

import servers as fleet
import side_by_side
from side_by_side import encode

DEPTHS = (1, 16)
LIMITER = b"""local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], 600000) end
if n > tonumber(ARGV[1]) then return 0 end
return 1"""
LIBRARY = b"""#!lua name=limits
redis.register_function('limit', function(KEYS, ARGV)
%s
end)""" % LIMITER
CONNECTIONS = 50
TAGS = 200000  # of five keys each
BATCHES = 4001  # that are sent by turns


def transaction(number):
    sets = [encode(b'SET', b'{k%d}%d' % (number, at), b'v' * 100) for at in range(5)]
    return encode(b'MULTI') + b''.join(sets) + encode(b'EXEC')


def limiter(number):
    sha = hashlib.sha1(LIMITER).hexdigest().encode()
    return encode(b'EVALSHA', sha, b'1', b'limit:%d' % number, b'1000000000')


def function(number):
    return encode(b'FCALL', b'limit', b'1', b'limit:%d' % number, b'1000000000')


CASES = {
    'transaction': (transaction, b'+OK\r\n' + b'+QUEUED\r\n' * 5 + b'*5\r\n' + b'+OK\r\n' * 5),
    'limiter': (limiter, b':1\r\n'),
    'function': (function, b':1\r\n'),
}


def connect(server):
    client = socket.create_connection(('127.0.0.1', server.ports[0]), 5)
    client.settimeout(10)
    return client


def load_scripts(server):
    with connect(server) as client:
        for words in ((b'SCRIPT', b'LOAD', LIMITER), (b'FUNCTION', b'LOAD', b'REPLACE', LIBRARY)):
            client.sendall(encode(*words))
            if not client.recv(4096).startswith(b'$'):
                raise fleet.ServerError('%s takes no script' % server.name)


def measure(server, settings, case):
    """Microseconds of the server's CPU for each request."""
    name, depth = case
    make, reply = CASES[name]
    load_scripts(server)
    random = Random(depth)
    batches = [b''.join(make(random.randrange(TAGS)) for _ in range(depth)) for _ in range(BATCHES)]
    done = 0
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server)) for _ in range(CONNECTIONS)]
        before = fleet.cpu_ns(server.pids)
        until = time.monotonic() + settings.seconds
        while time.monotonic() < until:
            for client in clients:
                client.sendall(batches[done % BATCHES])
                done += 1
            for client in clients:
                side_by_side.receive(client, server, reply * depth)
        spent = fleet.cpu_ns(server.pids) - before
    return spent / 1000 / (done * depth)


def main():
    settings = side_by_side.options_of('batches', __doc__).parse_args()
    cases = [(name, depth) for name in CASES for depth in DEPTHS]
    found = side_by_side.alternate(settings, cases, measure)
    print('%d runs' % settings.runs)
    for (name, depth), each in found.items():
        side_by_side.tell('%s, depth %2d' % (name, depth), name, each)
    return 0


if __name__ == '__main__':
    sys.exit(main())
