#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Durable hints with real processes: their holders killed before and while they deliver, their
quota, what an operator sees. hints.py [path/to/kvorum]; ends with `N passed, N failed`."""
import json
import signal
import sys
import urllib.request

from node_processes import Checks, Cluster, RespError, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SYNC = 'engine: {type: leveldb, sync: interval}\n'
checks = Checks()


def hints_of(cluster, name):
    url = 'http://127.0.0.1:%d/api/v1/hints' % cluster.port(name, 'admin')
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def row_for(cluster, name, target):
    return [row for row in hints_of(cluster, name)['targets'] if row['target'] == target][0]


def count_of(cluster, *names):
    return sum(hints_of(cluster, name)['count'] for name in names)


def is_down(cluster, asked, member):
    with cluster.resp(asked) as client:
        lines = client('KV.CLUSTER', 'STATUS').decode().split('\r\n')
    return any(line.startswith('member_%s:' % member) and 'state=down' in line for line in lines)


def pipelined(client, commands):
    replies = []
    for at in range(0, len(commands), 50):
        part = commands[at : at + 50]
        client.socket.sendall(b''.join(client.encode(*words) for words in part))
        replies += [client.read() for _ in part]
    return replies


def write(cluster, name, numbers, value='value'):
    """Returns what was refused."""
    with cluster.resp(name, 10) as client:
        sets = [('SET', 'key%d' % i, '%s%d' % (value, i)) for i in numbers]
        return [reply for reply in pipelined(client, sets) if reply != b'OK']


def local_values(cluster, name, numbers):
    """What the node itself holds of the keys, without asking another."""
    with cluster.resp(name, 10) as client:
        asked = [('KV.LOCAL', 'key%d' % i) for i in numbers]
        return [reply[1] for reply in pipelined(client, asked)]


def shown_row(cluster, name, target):
    shown = run(BINARY, 'hints', '--admin', '127.0.0.1:%d' % cluster.port(name, 'admin')).stdout
    return ''.join(line for line in shown.splitlines() if line.startswith(target + ' '))


def holders_killed_before_they_deliver():
    with Cluster(BINARY, 'abc', SYNC) as cluster:
        cluster.start().wait_settled()
        cluster.end('b', signal.SIGKILL)
        checks.that('b is seen down', until(lambda: is_down(cluster, 'a', 'b'), 5))
        refused = write(cluster, 'a', range(500))
        checks.that('writes go on', not refused, refused[:3])
        kept = count_of(cluster, 'a', 'c')
        checks.that('each left a hint for b', kept == 500, kept)
        line = until(lambda: 'no link to it' in shown_row(cluster, 'a', 'b'), 5)
        checks.that('kvorum hints names target and reason', line, shown_row(cluster, 'a', 'b'))
        for name in 'ac':
            cluster.end(name, signal.SIGKILL)
        cluster.start('a', 'c')
        found = until(lambda: safe_count(cluster, 'a', 'c') == 500, 10)
        checks.that('kill -9 of both holders loses no hint', found, safe_count(cluster, 'a', 'c'))
        cluster.start('b')
        checks.that('all is delivered when b returns', cluster.wait_settled())
        values = local_values(cluster, 'b', range(500))
        stale = [i for i, got in enumerate(values) if got != [b'value%d' % i]]
        checks.that('b itself holds every one of them', not stale, stale[:9])
        delivered = sum(row_for(cluster, name, 'b')['delivered'] for name in 'ac')
        checks.that('and they were counted', delivered >= 500, delivered)


def safe_count(cluster, *names):
    try:
        return count_of(cluster, *names)
    except (OSError, ValueError):
        return -1


def less_than(cluster, name, before):
    """The count once it is less, else 0; -1 where all have gone."""
    count = safe_count(cluster, name)
    if count == 0:
        return -1
    return count if 0 < count < before else 0


def holder_killed_while_it_delivers():
    with Cluster(BINARY, 'abc', SYNC) as cluster:
        cluster.start().wait_settled()
        cluster.end('b', signal.SIGKILL)
        until(lambda: is_down(cluster, 'a', 'b') and is_down(cluster, 'c', 'b'), 5)
        numbers, large = range(2000), 'x' * 65536  # so that delivering them takes a while
        refused = write(cluster, 'a', numbers, large)
        checks.that('2000 large writes go on', not refused, refused[:3])
        cluster.start('b')
        counts = [safe_count(cluster, 'a')]
        while len(counts) < 4 and counts[-1] > 0:
            # As soon as it delivers: the removals of the latest are not on the disk yet.
            counts.append(until(lambda: less_than(cluster, 'a', counts[-1]), 10))
            cluster.end('a', signal.SIGKILL)
            cluster.start('a')
            until(lambda: safe_count(cluster, 'a') >= 0, 10)
        checks.that('everything is delivered in the end', cluster.wait_settled(seconds=30))
        values = local_values(cluster, 'b', numbers)
        expected = [[('%s%d' % (large, i)).encode()] for i in numbers]
        wrong = [i for i in numbers if values[i] != expected[i]]
        checks.that('b holds each once, without siblings', not wrong, wrong[:5])
        some = numbers[::97]
        with cluster.resp('b', 10) as client:
            wrong = [i for i in some if [client('GET', 'key%d' % i)] != expected[i]]
        checks.that('and so does the cluster', not wrong, wrong[:5])
        checks.that('it was killed with hints left', 0 < counts[1] < counts[0], counts)


def overwritten_and_deleted_meanwhile():
    with Cluster(BINARY, 'abc', SYNC) as cluster:
        cluster.start().wait_settled()
        write(cluster, 'a', range(100), 'old')
        cluster.end('b', signal.SIGKILL)
        until(lambda: is_down(cluster, 'a', 'b') and is_down(cluster, 'c', 'b'), 5)
        write(cluster, 'a', range(100), 'new')
        with cluster.resp('c') as client:
            gone = [client('DEL', 'key%d' % i) for i in range(0, 100, 2)]
        checks.that('half of them are deleted', gone == [1] * 50, gone[:5])
        cluster.end('c', signal.SIGKILL)
        cluster.start('b', 'c')
        checks.that('settled again', cluster.wait_settled())
        values = local_values(cluster, 'b', range(100))
        expected = [[] if i % 2 == 0 else [b'new%d' % i] for i in range(100)]
        checks.that('deleted stays deleted at the node that was away', values == expected, values)


def over_quota():
    limits = SYNC + 'limits: {hints: 64kb}\n'
    with Cluster(BINARY, 'abc', limits) as cluster:
        cluster.start().wait_settled()
        cluster.end('b', signal.SIGKILL)
        until(lambda: is_down(cluster, 'a', 'b') and is_down(cluster, 'c', 'b'), 5)
        refused = write(cluster, 'a', range(400), 'x' * 1000)
        checks.that('W is met without hints', not refused, refused[:3])
        for name in 'ac':
            hints = hints_of(cluster, name)
            checks.that(
                'the hints of %s stay within their bytes' % name,
                0 < hints['bytes'] <= hints['bytes_max'] == 65536,
                hints,
            )
            checks.that('and others are refused', hints['refused'] > 0, hints)
        kept = count_of(cluster, 'a', 'c')
        cluster.end('c', signal.SIGKILL)
        until(lambda: is_down(cluster, 'a', 'c'), 5)
        with cluster.resp('a', 10) as client:
            replies = [client('SET', 'short%d' % i, 'y' * 5000) for i in range(40)]
            full = [r for r in replies if isinstance(r, RespError) and 'NOQUORUM' in str(r)]
            checks.that('alone and over quota: NOQUORUM', full and replies[-1] in full, replies[-1])
            checks.that(
                'nothing else', all(r == b'OK' or r in full for r in replies), replies[:5]
            )
            untouched = client('KV.LOCAL', 'short39')
            checks.that('and nothing was touched', untouched[1] == [], untouched)
        cluster.start('b', 'c')
        checks.that('what was kept is delivered', cluster.wait_settled())
        held = sum(bool(v) for v in local_values(cluster, 'b', range(400)))
        checks.that('none of the old hints was given up', held >= kept, (held, kept))


def seen_in_metrics():
    with Cluster(BINARY, 'abc', SYNC) as cluster:
        cluster.start().wait_settled()
        cluster.end('c', signal.SIGKILL)
        until(lambda: is_down(cluster, 'a', 'c'), 5)
        write(cluster, 'a', range(30))
        url = 'http://127.0.0.1:%d/metrics' % cluster.port('a', 'admin')
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
        checks.that('kvorum_hints_pending by target', 'kvorum_hints_pending{target="c"} ' in text)
        checks.that('their bytes', 'kvorum_hints_bytes ' in text and 'event="refused"' in text)
        with cluster.resp('a') as client:
            info = client('INFO', 'dynamo').decode()
            status = client('KV.CLUSTER', 'STATUS').decode()
        kept = hints_of(cluster, 'a')['count']
        checks.that('INFO', 'hints_pending:%d\r\n' % kept in info and 'hints_bytes:' in info, info)
        checks.that('KV.CLUSTER STATUS', 'hints_pending:%d\r\n' % kept in status, status)
        cluster.end('b', signal.SIGKILL)
        until(lambda: is_down(cluster, 'a', 'b'), 5)
        with cluster.resp('a') as client:
            reply = client('SET', 'soft', 'x')
            served = client('KV.LASTOP')
            served = dict(zip(served[::2], served[1::2]))
            checks.that('a write of one copy says so', reply == b'OK' and served[b'replicas'] == 1)
            checks.that('and what W it missed', served[b'short_of_w'] == 1, served)
            info = client('INFO', 'dynamo').decode()
        checks.that('and is counted', 'writes_softened:1\r\n' in info, info)


for scenario in (
    holders_killed_before_they_deliver,
    holder_killed_while_it_delivers,
    overwritten_and_deleted_meanwhile,
    over_quota,
    seen_in_metrics,
):
    checks.attempt(scenario.__name__, scenario)
sys.exit(checks.summary())
