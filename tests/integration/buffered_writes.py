#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sync: buffered` under real processes: replicas acknowledge from memory, and one process at a
time is killed under load, with checkpoints of small journals. Nothing that was acknowledged is
lost. buffered_writes.py [path/to/kvorum]."""
import signal
import sys
import threading
import time

from node_processes import Checks, Cluster, RespError, until
from repair import equal_roots, is_whole

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
KEYS = 2000
BATCH = 100
ROUNDS = 6
ACKNOWLEDGED_LEAST = 2000  # between two kills
SETTINGS = 'engine: {sync: buffered, journal: 16mb}'
checks = Checks()


class Writer(threading.Thread):
    """Writes keys of its own at a node, and knows the last value of each that was acknowledged.
    One that was not may be there, or come yet."""

    def __init__(self, cluster, node):
        super().__init__(daemon=True)
        self.cluster, self.node = cluster, node
        self.acknowledged, self.count, self.last = {}, 0, 0
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                with self.cluster.resp(self.node, 10) as client:
                    while not self.done.is_set():
                        self.batch(client)
            except (OSError, RespError):
                time.sleep(0.02)  # between two attempts to reach a node that is down

    def batch(self, client):
        written = []
        for _ in range(BATCH):
            self.last += 1
            key = '%s%d' % (self.node, self.last % KEYS)
            written.append((key, self.last))
            words = ('SET', key, b'%d:' % self.last * 60)
            client.socket.sendall(client.encode(*words))
        for key, value in written:
            if client.read() == b'OK':
                self.acknowledged[key] = value
                self.count += 1

    def lost(self, client):
        found = []
        for key, value in self.acknowledged.items():
            seen = client('GET', key) or b'0:'
            siblings = seen if isinstance(seen, list) else [seen]
            seen = max(int(sibling.split(b':')[0]) for sibling in siblings)
            if seen < value:
                found.append((key, value, seen))
        return found


def one_at_a_time():
    with Cluster(BINARY, 'abc', SETTINGS) as cluster:
        cluster.start().wait_settled()
        writers = [Writer(cluster, node) for node in 'abc']
        for writer in writers:
            writer.start()
        for number in range(ROUNDS):
            victim = 'abc'[number % 3]
            before = sum(writer.count for writer in writers)
            more = until(
                lambda at=before: sum(w.count for w in writers) >= at + ACKNOWLEDGED_LEAST, 60
            )
            checks.that('writes go on', more, [writer.count for writer in writers])
            cluster.end(victim, signal.SIGKILL)
            cluster.start(victim)
            settled = cluster.wait_settled(seconds=60)
            checks.that('it returns', settled, cluster.log(victim)[-1000:])
            # Only then is another death one process's.
            compared = until(lambda: all(is_whole(cluster, node) for node in 'abc'), 60)
            checks.that('its copies are compared', compared)
        for writer in writers:
            writer.done.set()
            writer.join(30)
        checks.that('all roots are equal', until(lambda: equal_roots(cluster), 60))
        for node in 'abc':
            with cluster.resp(node, 10) as client:
                for writer in writers:
                    lost = writer.lost(client)
                    what = 'what %s acknowledged is at %s' % (writer.node, node)
                    checks.that(what, not lost, (len(lost), lost[:3]))


if __name__ == '__main__':
    sys.exit(checks.play({'one_at_a_time': one_at_a_time}))
