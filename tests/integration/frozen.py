#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""One of three, and of five, real processes stands still (SIGSTOP): clients of the others hardly
notice, and are told which node it is and why. frozen.py [path/to/kvorum]."""
import re
import signal
import sys
import time
import urllib.request

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SECONDS = 4
# A request that waits for the frozen node alone would take a second or fail. The bound leaves room
# for a machine with other things to do.
P99_SECONDS_MAX = 0.25
REASON = re.compile(r'reason=(suspected for \d+ s: \d+ timeouts in a row|no link for \d+ s)')
checks = Checks()


def p99_of_requests(cluster, names):
    """GETs and SETs in turn at these nodes, for some seconds; their p99, and the errors."""
    clients = [cluster.resp(name, 10) for name in names]
    taken, errors = [], []
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        client = clients[number % len(clients)]
        key = 'key%d' % (number % 200)
        began = time.monotonic()
        reply = client('SET', key, number) if number % 3 == 0 else client('GET', key)
        taken.append(time.monotonic() - began)
        if isinstance(reply, RespError):
            errors.append(reply)
        number += 1
    for client in clients:
        client.socket.close()
    return sorted(taken)[int(len(taken) * 0.99)], errors


def line_of(cluster, asked, member):
    with cluster.resp(asked) as client:
        text = client('KV.CLUSTER', 'STATUS').decode()
    return next(line for line in text.splitlines() if line.startswith('member_%s:' % member))


def metrics(cluster, name):
    url = 'http://127.0.0.1:%d/metrics' % cluster.port(name, 'admin')
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def frozen(names):
    last, others = names[-1], names[:-1]
    with Cluster(BINARY, names) as cluster:
        cluster.start()
        checks.that('%d nodes are settled' % len(names), cluster.wait_settled())
        before, errors = p99_of_requests(cluster, others)
        checks.that('requests succeed', not errors, errors[:3])
        cluster.send(last, signal.SIGSTOP)
        try:
            during, errors = p99_of_requests(cluster, others)
            print('p99 %.1f ms, then %.1f ms' % (1e3 * before, 1e3 * during))
            checks.that('and while one stands still', not errors, errors[:3])
            checks.that('p99 is bounded', during < P99_SECONDS_MAX, during)
            # Suspected first; after some seconds of silence its link is given up.
            told = until(lambda: REASON.search(line_of(cluster, others[0], last)), 15)
            line = line_of(cluster, others[0], last)
            checks.that('the status says why and since when', told, line)
            text = metrics(cluster, others[0])
            found = re.search(r'kvorum_peer_timeouts_total\{member="%s"\} (\d+)' % last, text)
            checks.that('its timeouts are counted', found and int(found.group(1)) >= 3, found)
        finally:
            cluster.send(last, signal.SIGCONT)
        back = cluster.wait_settled(seconds=30)
        checks.that('it comes back', back, line_of(cluster, others[0], last))
        checks.that('without a reason', 'reason=' not in line_of(cluster, others[0], last))


def main():
    for names in ('abc', 'abcde'):
        checks.attempt('one of %d stands still' % len(names), frozen, names)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
