#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MONITOR: the lines of redis-server, the commands of all reactors, a monitor that never reads.
monitor.py [path/to/kvorum [scenario ...]]; ends with `N passed, N failed`."""
import itertools
import os
import re
import sys

from node_processes import Checks, Cluster, ServerPair, until
from redis_differential import Peer, encode, redis_server

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MEMORY = 'engine: {type: memory}\n'
FENCE = itertools.count()
checks = Checks()


MONITORED = [
    ['SET', 'k', 'v'],
    ['get', 'k'],
    ['SELECT', '2'],
    ['GET', b'\x00\xff"\\\n\r\t\a\b ~'],
    ['SELECT', '0'],
    ['PING'],
    ['ECHO', ''],
    ['AUTH', 'secret'],
    ['AUTH', 'default', 'secret'],
    ['HELLO', '2', 'AUTH', 'default', 'secret', 'SETNAME', 'me'],
    ['HELLO', '2', 'SETNAME', 'me'],
    ['CONFIG', 'SET', 'requirepass', ''],
    ['CONFIG', 'GET', 'requirepass'],
    ['CLIENT', 'ID'],
    ['CLIENT', 'LIST'],
    ['NOTHING', 'at', 'all'],
    ['GET'],
    ['GET', 'a', 'b'],
    ['INCR', 'k'],
    ['MULTI'],
    ['SET', 'a', '1'],
    ['GET', 'a'],
    ['EXEC'],
    ['MULTI'],
    ['GET'],
    ['EXEC'],
    ['MULTI'],
    ['SET', 'a', '2'],
    ['DISCARD'],
    ['EXEC'],
    ['WATCH', 'a'],
    ['UNWATCH'],
    ['PUBLISH', 'c', 'm'],
    ['SUBSCRIBE', 'c'],
    ['UNSUBSCRIBE', 'c'],
    ['DBSIZE'],
    ['EVAL', 'return 1', '0'],
    ['EVAL', 'return redis.call("ping", "x")', '0'],
    ['EVAL', 'redis.call("set", KEYS[1], ARGV[1]) redis.call("get", KEYS[1])', '1', 'a', '"'],
    ['EVAL', 'return redis.pcall("incr", KEYS[1])', '1', 'a'],
    ['EVAL', 'return redis.pcall("nothing")', '0'],
    ['MULTI'],
    ['EVAL', 'return redis.call("strlen", KEYS[1])', '1', 'a'],
    ['EXEC'],
    ['FLUSHALL'],
    ['RESET'],
]
BY_MONITORS = [
    ['GET', 'k'],
    ['SET', 'k', 'v'],
    ['EVAL', 'return 1', '0'],
    ['PUBLISH', 'c', 'm'],
    ['MONITOR'],
    ['ECHO', 'x'],
    ['DBSIZE'],
    ['CLIENT', 'GETNAME'],
    ['RESET'],
    ['GET', 'k'],
]


def without_time(reply):
    return re.sub(rb'^\+\d+\.\d{6} \[(\d+) [^\]]+\]', rb'+T [\1 A]', reply)


def without_fence(replies, fence):
    # The line of the one before comes with the next, where that is the monitor's own.
    return [re.sub(rb'fence\d+', b'fence', each) for each in replies if fence not in each]


def until_fence(peer, sender):
    """What is heard until an ECHO that is said now, by `sender`, is seen by `peer`."""
    fence = b'fence%d' % next(FENCE)
    sender.send(encode(['ECHO', fence]))
    replies = []
    while not replies or fence not in replies[-1]:
        replies.append(without_time(peer.reply()))
        if replies[-1] == b'(closed)':
            break
    return without_fence(replies, fence)


def monitored(port):
    """What a monitor sees of the commands, one by one; its own, and what it is answered."""
    monitor, client, fencer = Peer(port), Peer(port), Peer(port)
    monitor.send(encode(['MONITOR']))
    seen = [(['MONITOR'], [monitor.reply()])]
    for words in MONITORED:
        client.send(encode(words))
        client.reply()
        seen.append((words, until_fence(monitor, fencer)))
    for words in BY_MONITORS:
        monitor.send(encode(words))
        fence = b'fence%d' % next(FENCE)
        monitor.send(encode(['ECHO', fence]))
        replies = []
        while not replies or fence not in replies[-1]:
            replies.append(without_time(monitor.reply()))
        seen.append((words, without_fence(replies, fence)))
    for peer in (monitor, client, fencer):
        peer.close()
    return seen


def same_monitor():
    with ServerPair(BINARY, 'redis', redis_server) as servers:
        ours, theirs = monitored(servers.ours), monitored(servers.theirs)
        for (words, one), (_, other) in zip(ours, theirs):
            checks.that('MONITOR: %r' % words, one == other, (one, other))


def monitors_of_all_reactors():
    with Cluster(BINARY, 'ab', 'reactors: 3\n' + MEMORY) as cluster:
        cluster.start().wait_settled()
        monitors = [cluster.resp('a', 20) for _ in range(4)]
        for monitor in monitors:
            monitor('MONITOR')
        clients = [cluster.resp('a') for _ in range(6)]
        for at, client in enumerate(clients):
            client('SET', 'key%d' % at, 'v')
        with cluster.resp('b') as other:
            other('SET', 'elsewhere', 'v')
        clients[0]('ECHO', 'end')
        for monitor in monitors:
            lines = []
            while not lines or b'"end"' not in lines[-1]:
                lines.append(monitor.read())
            keys = sorted(re.findall(rb'"SET" "(\w+)"', b''.join(lines)))
            wanted = [b'key%d' % at for at in range(6)]
            checks.that('a monitor sees clients of all reactors', keys == wanted, lines)
        info = clients[0]('CLIENT', 'LIST')
        checks.that('CLIENT LIST marks them', info.count(b' flags=O ') == 4, info)
        never_reads(cluster)


def never_reads(cluster):
    """A monitor that takes no lines is closed, and holds no more memory than a subscriber may."""
    before = cluster.resident_bytes('a')
    with cluster.resp('a', 30) as stuck, cluster.resp('a', 30) as client:
        stuck('MONITOR')
        value = os.urandom(200_000)
        most = before
        for _ in range(400):
            client('ECHO', value)
            most = max(most, cluster.resident_bytes('a'))
        closed = until(lambda: 'does not take the messages' in cluster.log('a'), 20)
        checks.that('a monitor that never reads is closed', closed, cluster.log('a')[-500:])
        grown = (most - before) >> 20
        checks.that('its memory is bounded', grown < 256, grown)


SCENARIOS = {
    'lines': same_monitor,
    'reactors': monitors_of_all_reactors,
}


if __name__ == '__main__':
    sys.exit(checks.play(SCENARIOS, beside_redis='lines'))
