#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: freezes a node to the beat of a clock
"""Three real processes, one of which stands still for 80 ms again and again, then one that is
stopped and started: INCRs through all of them are counted exactly, and nobody meets siblings.
no_conflicts.py [path/to/kvorum [seconds]]."""
import collections
import signal
import sys
import threading
import time

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 8
COUNTERS = 200
CLIENTS_PER_NODE = 3
PAUSE_SECONDS, PERIOD_SECONDS = 0.08, 0.38
checks = Checks()


class Counting(threading.Thread):
    """INCRs of all counters in turn, now and then a GET, at one node, until told to end."""

    def __init__(self, cluster, name, number):
        super().__init__()
        self.cluster, self.name_of_node, self.number = cluster, name, number
        self.ended = threading.Event()
        self.acknowledged, self.uncertain = collections.Counter(), collections.Counter()
        self.answers = collections.defaultdict(list)
        self.conflicts, self.errors = 0, collections.Counter()

    def run(self):
        client, turn = None, self.number * 37
        while not self.ended.is_set():
            turn += 1
            key = 'count%d' % (turn % COUNTERS)
            words = ('GET', key) if turn % 8 == 0 else ('INCR', key)
            try:
                client = client or self.cluster.resp(self.name_of_node, 5)
                self.note(words, client(*words))
            except (OSError, RespError):
                if words[0] == 'INCR':
                    self.uncertain[key] += 1
                client = None
                self.ended.wait(0.02)

    def note(self, words, reply):
        key = words[1]
        if isinstance(reply, list):
            self.conflicts += 1
        elif isinstance(reply, RespError):
            code = str(reply).split()[0]
            self.errors[code] += 1
            self.conflicts += code == 'CONFLICT'
            if code == 'UNCERTAIN' and words[0] == 'INCR':
                self.uncertain[key] += 1
        elif words[0] == 'INCR':
            self.acknowledged[key] += 1
            self.answers[key].append(reply)


def count_while(cluster, disturb):
    cluster.start()
    checks.that('three nodes are settled', cluster.wait_settled())
    threads = [
        Counting(cluster, name, i * 7 + j)
        for i, name in enumerate(cluster.names)
        for j in range(CLIENTS_PER_NODE)
    ]
    for thread in threads:
        thread.start()
    try:
        disturb(cluster)
    finally:
        for thread in threads:
            thread.ended.set()
        for thread in threads:
            thread.join()
    checks.that('all is settled again', cluster.wait_settled(seconds=30))
    return threads


def judge(cluster, threads):
    keys = ['count%d' % i for i in range(COUNTERS)]
    wedged, wrong, twice = [], [], []
    with cluster.resp(cluster.names[0]) as client:
        for key in keys:
            value = client('GET', key)
            acknowledged = sum(thread.acknowledged[key] for thread in threads)
            uncertain = sum(thread.uncertain[key] for thread in threads)
            answers = [answer for thread in threads for answer in thread.answers[key]]
            if len(set(answers)) < len(answers):
                twice.append(key)
            if isinstance(value, (list, RespError)):
                wedged.append((key, value))
            elif not acknowledged <= int(value or 0) <= acknowledged + uncertain:
                wrong.append((key, value, acknowledged, uncertain))
    met = sum(thread.conflicts for thread in threads)
    errors = sum((thread.errors for thread in threads), collections.Counter())
    total = sum(sum(thread.acknowledged.values()) for thread in threads)
    print('%d INCRs acknowledged, errors %s' % (total, dict(errors)))
    checks.that('most were answered', total > 100 * SECONDS, total)
    checks.that('nobody met siblings', met == 0, met)
    checks.that('no counter is left with siblings', not wedged, (len(wedged), wedged[:3]))
    checks.that('every total is what was acknowledged', not wrong, (len(wrong), wrong[:3]))
    checks.that('no two INCRs had one answer', not twice, (len(twice), twice[:3]))
    return errors


def stutters(cluster):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        cluster.send('b', signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        cluster.send('b', signal.SIGCONT)
        time.sleep(PERIOD_SECONDS - PAUSE_SECONDS)


def restarts(cluster):
    for _ in range(2):
        time.sleep(SECONDS / 8)
        cluster.end('b')
        time.sleep(SECONDS / 8)
        cluster.start('b')
        until(lambda: cluster.is_settled('b'), 20)
    time.sleep(SECONDS / 8)


def one_node_stutters():
    with Cluster(BINARY, 'abc') as cluster:
        errors = judge(cluster, count_while(cluster, stutters))
        checks.that('and nothing failed', not errors, errors)


def one_node_is_restarted():
    with Cluster(BINARY, 'abc') as cluster:
        judge(cluster, count_while(cluster, restarts))


def main():
    checks.attempt('one node stutters', one_node_stutters)
    checks.attempt('one node is restarted', one_node_is_restarted)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
