# SPDX-License-Identifier: Apache-2.0
"""./x bench publish: the server's CPU for each PUBLISH that so many subscribers hear.

redis-server and one Kvorum node take turns on one core; the publisher and the subscribers, plain
sockets whose bytes are counted, are on another. Medians over the runs, and of the ratios within
each run. Every subscriber must have got every byte. See bench/README.md.
"""
import os
import selectors
import socket
import sys
import time

import servers as fleet
import side_by_side
from side_by_side import encode

CHANNEL = b'bench'
DEPTHS = (1, 16)


class Audience:
    """Subscribers of one channel, read by this thread between what is published."""

    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.heard = {}
        for _ in range(count):
            one = socket.create_connection(('127.0.0.1', port), 5)
            one.sendall(encode(b'SUBSCRIBE', CHANNEL))
            confirmed = b''
            while not confirmed.endswith(b':1\r\n'):
                confirmed += one.recv(4096)
            one.setblocking(False)
            self.heard[one] = 0
            self.selector.register(one, selectors.EVENT_READ)

    def listen(self, timeout=0):
        for key, _ in self.selector.select(timeout):
            self.heard[key.fileobj] += len(key.fileobj.recv(1 << 20))

    def wait(self, bytes_each, seconds=30):
        deadline = time.monotonic() + seconds
        while min(self.heard.values()) < bytes_each and time.monotonic() < deadline:
            self.listen(0.1)
        return all(heard == bytes_each for heard in self.heard.values())

    def close(self):
        for one in self.heard:
            one.close()
        self.selector.close()


def measure(server, settings, depth):
    """Microseconds of the server's CPU for each PUBLISH."""
    payload = os.urandom(settings.bytes)
    message = encode(b'message', CHANNEL, payload)
    reply = b':%d\r\n' % settings.subscribers
    audience = Audience(server.ports[0], settings.subscribers)
    batch = encode(b'PUBLISH', CHANNEL, payload) * depth
    published = 0
    with socket.create_connection(('127.0.0.1', server.ports[0]), 5) as publisher:
        publisher.settimeout(10)
        before = fleet.cpu_ns(server.pids)
        until = time.monotonic() + settings.seconds
        while time.monotonic() < until:
            side_by_side.exchange(publisher, server, batch, reply * depth)
            published += depth
            audience.listen()
        whole = audience.wait(published * len(message))
        spent = fleet.cpu_ns(server.pids) - before
    audience.close()
    if not whole:
        raise fleet.ServerError('%s: a subscriber missed messages' % server.name)
    return spent / 1000 / published


def main():
    options = side_by_side.options_of('publish', __doc__)
    options.add_argument('--subscribers', type=int, default=50)
    options.add_argument('--bytes', type=int, default=100)
    settings = options.parse_args()
    found = side_by_side.alternate(settings, DEPTHS, measure)
    shown = (settings.subscribers, settings.bytes, settings.runs)
    print('%d subscribers, %d bytes, %d runs' % shown)
    for depth, each in found.items():
        side_by_side.tell('depth %2d' % depth, 'PUBLISH', each)
    return 0


if __name__ == '__main__':
    sys.exit(main())
