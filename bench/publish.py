# SPDX-License-Identifier: Apache-2.0
"""./x bench publish: the server's CPU for each PUBLISH that so many subscribers hear.

redis-server and one Kvorum node take turns on one core; the publisher and the subscribers, plain
sockets whose bytes are counted, are on another. Medians over the runs, and of the ratios within
each run. Every subscriber must have got every byte. See bench/README.md.
"""
import argparse
import os
import selectors
import socket
import statistics
import sys
import time

import servers as fleet

CHANNEL = b'bench'
DEPTHS = (1, 16)


def encode(*words):
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)


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
            publisher.sendall(batch)
            answered = b''
            while len(answered) < len(reply) * depth:
                answered += publisher.recv(65536)
            if answered != reply * depth:
                raise fleet.ServerError('%s answered %r' % (server.name, answered[:200]))
            published += depth
            audience.listen()
        whole = audience.wait(published * len(message))
        spent = fleet.cpu_ns(server.pids) - before
    audience.close()
    if not whole:
        raise fleet.ServerError('%s: a subscriber missed messages' % server.name)
    return spent / 1000 / published


def main():
    options = argparse.ArgumentParser(prog='./x bench publish', description=__doc__)
    options.add_argument('--build', default='build/release')
    options.add_argument('--subscribers', type=int, default=50)
    options.add_argument('--bytes', type=int, default=100)
    options.add_argument('--runs', type=int, default=5)
    options.add_argument('--seconds', type=float, default=3)
    settings = options.parse_args()
    binary = os.path.join(os.path.abspath(settings.build), 'kvorum')
    kinds = [
        lambda: fleet.Redis('redis', 'Redis', False),
        lambda: fleet.Kvorum('kvorum', 'Kvorum, one node', binary, 'memory'),
    ]
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[-1]})
    found = {depth: {'redis': [], 'kvorum': []} for depth in DEPTHS}
    for run in range(settings.runs):
        for kind in kinds[run % 2 :] + kinds[: run % 2]:
            server = kind()
            missing = server.missing()
            if missing:
                raise SystemExit(missing)
            try:
                server.start(cpus[0] if len(cpus) > 1 else None)
                server.wait_until_ready()
                for depth in DEPTHS:
                    found[depth][server.name].append(measure(server, settings, depth))
            finally:
                server.stop()
    shown = (settings.subscribers, settings.bytes, settings.runs)
    print('%d subscribers, %d bytes, %d runs' % shown)
    for depth, each in found.items():
        ratios = [ours / theirs for ours, theirs in zip(each['kvorum'], each['redis'])]
        print(
            'depth %2d: Redis %.1f us, Kvorum %.1f us of CPU for each PUBLISH, ratio %.2f'
            % (
                depth,
                statistics.median(each['redis']),
                statistics.median(each['kvorum']),
                statistics.median(ratios),
            )
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
