#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Publish and subscribe: the bytes of redis-server (pubsub_stories.txt), messages across reactors
and nodes, clients that never read, nodes that die. pubsub.py [path/to/kvorum]; ends with `N passed,
N failed`. pubsub.py [path/to/kvorum [scenario ...]]"""
import itertools
import os
import signal
import sys
import threading
import time

import redis

from node_processes import Checks, Cluster, Resp, RespError, ServerPair, until
from redis_differential import Peer, encode, read_word, redis_server

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MEMORY = 'engine: {type: memory}\n'
FENCE = itertools.count()
checks = Checks()


# ---- stories, told to both


class Story:
    """What connections of one server say, and what each hears."""

    def __init__(self, port, version):
        self.port, self.version = port, version
        self.peers = {}

    def peer(self, name):
        if name not in self.peers:
            self.peers[name] = Peer(self.port)
            if self.version == 3:
                self.peers[name].send(encode(['HELLO', '3']))
                self.peers[name].reply()
        return self.peers[name]

    def heard(self, peer, fence):
        """All until the answer of a PING that is said now."""
        peer.send(encode(['PING', fence]))
        replies = []
        while not replies or (fence not in replies[-1] and replies[-1] != b'(closed)'):
            replies.append(peer.reply())
        return [self.shape(each, fence) for each in replies]

    @staticmethod
    def shape(reply, fence):
        """What the two tell alike."""
        if fence in reply:
            return b'pong'
        return b'greeting' if b'server\r\n' in reply else reply

    def tell(self, step, fence):
        """What every connection heard. `.` says something that is not answered; `!` ends it."""
        names, kind, words = step
        all_heard = []
        for name in names:
            peer = self.peer(name)
            peer.send(encode(words))
            if kind == '!':
                replies = []
                while not replies or replies[-1] != b'(closed)':
                    replies.append(peer.reply())
                all_heard.append((name, replies))
                del self.peers[name]
        if kind == '.':
            return all_heard
        # Who spoke first: the others' messages have left by then.
        for name in names + [other for other in self.peers if other not in names]:
            if name in self.peers:
                heard = self.heard(self.peers[name], fence)
                # One message, in the order of patterns, which is any.
                all_heard.append((name, heard if name in names else sorted(heard)))
        return all_heard

    def close(self):
        for peer in self.peers.values():
            peer.close()


def read_stories(name='pubsub_stories.txt'):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    stories, title = {}, None
    with open(path, encoding='utf-8') as file:
        for line in file:
            line = line.strip()
            if line.startswith('['):
                title = line[1:-1]
                stories[title] = []
            elif line and not line.startswith('#'):
                at = min(line.index(kind) for kind in ':.!' if kind in line)
                names = [name.strip() for name in line[:at].split(',')]
                words = [read_word(word) for word in line[at + 1 :].split()]
                stories[title].append((names, line[at], words))
    return stories


def words_in_any_order(words):
    return words[:2] == [b'PUBSUB', b'CHANNELS']


def in_order(all_heard):
    return [(name, [sorted(reply.split(b'\r\n')) for reply in heard]) for name, heard in all_heard]


def same_bytes():
    """Byte by byte, but for the CLIENT LIST of both."""
    with ServerPair(BINARY, 'redis', redis_server) as servers:
        for (title, steps), version in itertools.product(read_stories().items(), (2, 3)):
            ours, theirs = Story(servers.ours, version), Story(servers.theirs, version)
            wrong = []
            for step in steps:
                fence = b'fence%d' % next(FENCE)
                one, other = ours.tell(step, fence), theirs.tell(step, fence)
                if words_in_any_order(step[2]):
                    one, other = in_order(one), in_order(other)
                if one != other:
                    wrong.append((step[2], one, other))
            checks.that('RESP%d: %s' % (version, title), not wrong, wrong[:1])
            ours.close()
            theirs.close()


# ---- clusters


class Listener(threading.Thread):
    """Subscribes, with redis-py or in RESP3, and keeps what it hears, until it has heard `end`, or
    is closed."""

    def __init__(self, cluster, name, channels=(), patterns=(), version=2):
        super().__init__(daemon=True)
        self.heard, self.broken = [], ''
        if version == 3:
            self.plain = cluster.resp(name, 30)
            self.plain('HELLO', '3')
            self.next = self.next_push
            subscribe = lambda *words: self.plain.socket.sendall(Resp.encode(*words))
        else:
            self.pubsub = redis.Redis(port=cluster.port(name), socket_timeout=30).pubsub()
            self.next = self.next_message
            subscribe = self.pubsub.execute_command
        if channels:
            subscribe('SUBSCRIBE', *channels)
        if patterns:
            subscribe('PSUBSCRIBE', *patterns)
        for _ in range(len(channels) + len(patterns)):
            self.next()  # the confirmation
        self.start()

    def next_message(self):
        """Type, channel and data."""
        said = self.pubsub.parse_response(timeout=30)
        return None if said is None else (said[0], said[-2], said[-1])

    def next_push(self):
        said = self.plain.read()
        return said[0], said[-2], said[-1]

    def run(self):
        try:
            while not self.heard or self.heard[-1][1] != b'end':
                message = self.next()
                if message is None:
                    break
                self.heard.append(message[1:])
        except (OSError, redis.RedisError, RespError, ValueError) as error:
            self.broken = str(error)

    def of(self, channel):
        return [data for heard, data in self.heard if heard == channel]

    def wait(self, seconds=20):
        self.join(seconds)
        return not self.is_alive()


def on_shared_links():
    """Most reactors ask on the link of another one."""
    across_nodes('limits: {peer_links: 2}\n')


def across_nodes(limits=''):
    extra = 'reactors: 3\n' + limits + MEMORY
    with Cluster(BINARY, 'abc', extra) as cluster:
        cluster.start().wait_settled()
        names = list('abc')
        # Several of each node, so that each reactor has some.
        listeners = [
            Listener(cluster, name, ['news', 'own-' + name], ['p*'], version)
            for name in names
            for version in (2, 3, 2, 3)
        ]
        count = 300

        def publish(name):
            with cluster.resp(name, 20) as client:
                for i in range(count):
                    client('PUBLISH', 'news', '%s-%d' % (name, i))
                    client('PUBLISH', 'p-' + name, '%d' % i)

        publishers = [threading.Thread(target=publish, args=(name,)) for name in names]
        for publisher in publishers:
            publisher.start()
        for publisher in publishers:
            publisher.join()
        with cluster.resp('a') as client:
            replies = [client('PUBLISH', 'own-' + name, 'here') for name in names]
            checks.that('the reply counts those of the node', replies == [4, 0, 0], replies)
            checks.that('over its reactors', client('PUBSUB', 'NUMSUB', 'news') == [b'news', 4])
            checks.that('patterns once', client('PUBSUB', 'NUMPAT') == 1)
            shown = [
                line
                for line in client('CLIENT', 'LIST', 'TYPE', 'pubsub').splitlines()
                if b'flags=P' in line and b'sub=2 psub=1 ssub=0' in line
            ]
            checks.that('CLIENT LIST TYPE pubsub', len(shown) == 4, shown)
            others = client('CLIENT', 'LIST', 'TYPE', 'normal')
            checks.that('CLIENT LIST TYPE normal', b'psub=1' not in others, others)
            info = client('INFO', 'stats') + client('INFO', 'clients')
            for field in (b'pubsub_channels:2', b'pubsub_patterns:1', b'pubsub_clients:4'):
                checks.that('INFO has %s' % field.decode(), field + b'\r\n' in info, info)
            client('PUBLISH', 'news', 'end')
        done = [listener.wait() for listener in listeners]
        checks.that('everybody hears the end', all(done), [each.heard[-3:] for each in listeners])
        sent = {name: [b'%s-%d' % (name.encode(), i) for i in range(count)] for name in names}
        in_order = all(
            [data for data in each.of(b'news') if data.startswith(name.encode() + b'-')]
            == sent[name]
            for each in listeners
            for name in names
        )
        checks.that('every message of every node, once, in its publisher\'s order', in_order)
        numbers = [b'%d' % i for i in range(count)]
        wrong = [
            (name, len(each.of(b'p-' + name.encode())))
            for each in listeners
            for name in names
            if each.of(b'p-' + name.encode()) != numbers
        ]
        checks.that('and for patterns', not wrong, wrong)
        own = [each.of(b'own-' + name.encode()) for each, name in zip(listeners, 'aaaabbbbcccc')]
        checks.that('any node reaches any other', own == [[b'here']] * 12, own)
        large_messages(cluster)


def large_messages(cluster):
    """Beyond what a frame holds, and what is shared and not copied."""
    listeners = [Listener(cluster, name, ['big'], (), 3) for name in 'abcab']
    values = [os.urandom(size) for size in (100, 200_000, 300_000, 5_000_000, 1)]
    with cluster.resp('b', 30) as client:
        for value in values:
            client('PUBLISH', 'big', value)
        client('PUBLISH', 'big', 'end')
    for each in listeners:
        each.wait()
    right = [each.of(b'big') == values + [b'end'] for each in listeners]
    checks.that('messages of 5 MB, in order', all(right), right)


def keys_expire():
    """Each replica of a key empties its copy; one of them tells, and everybody hears it once."""
    with Cluster(BINARY, 'abc', 'reactors: 2\n' + MEMORY) as cluster:
        cluster.start().wait_settled()
        for name in 'abc':
            with cluster.resp(name) as client:
                client('CONFIG', 'SET', 'notify-keyspace-events', 'Ex')
        listeners = [Listener(cluster, name, ['__keyevent@0__:expired']) for name in 'abcab']
        keys = [b'key%d' % i for i in range(100)]
        with cluster.resp('b') as client:
            for key in keys:
                client('SET', key, 'v', 'PX', 200)
            client('SET', 'end', 'v', 'PX', 1500)
        done = [each.wait() for each in listeners]
        checks.that('everybody hears of keys that expire', all(done))
        once = [sorted(each.of(b'__keyevent@0__:expired')) for each in listeners]
        counts = [len(each) for each in once]
        checks.that('once each', once == [sorted(keys + [b'end'])] * 5, counts)


def a_node_dies():
    with Cluster(BINARY, 'abc', 'reactors: 2\n' + MEMORY) as cluster:
        cluster.start().wait_settled()
        kept = Listener(cluster, 'b', ['news'])
        lost = Listener(cluster, 'c', ['news'])
        with cluster.resp('a', 10) as client:
            client('PUBLISH', 'news', 'first')
            until(lambda: kept.heard and lost.heard, 10)
            cluster.end('c', signal.SIGKILL)
            slowest = 0
            for i in range(200):
                began = time.monotonic()
                client('PUBLISH', 'news', 'more-%d' % i)
                slowest = max(slowest, time.monotonic() - began)
            checks.that('nobody waits for it', slowest < 1, slowest)
            checks.that('its clients are told', until(lambda: lost.broken, 10), lost.heard[-2:])
            dropped = until(
                lambda: b'pubsub_dropped:0\r\n' not in client('INFO', 'stats')
                or client('PUBLISH', 'nobody', 'x') != 0,
                10,
            )
            checks.that('what it misses is counted', dropped, client('INFO', 'stats'))
            cluster.start('c')
            cluster.wait_settled()
            again = Listener(cluster, 'c', ['news'])
            client('PUBLISH', 'news', 'end')
        checks.that('the others hear all', kept.wait(), kept.heard[-2:])
        wanted = [b'first'] + [b'more-%d' % i for i in range(200)] + [b'end']
        checks.that('in order', kept.of(b'news') == wanted, kept.heard[-2:])
        checks.that('it hears again once it is back', again.wait(10), again.heard)


def who_never_reads():
    limits = 'reactors: 2\nlimits: {in_flight: 64mb}\n'
    with Cluster(BINARY, 'ab', limits + MEMORY) as cluster:
        cluster.start().wait_settled()
        stuck = [cluster.resp(name, 30) for name in 'abab']
        for each in stuck:
            each('SUBSCRIBE', 'news')
        reader = Listener(cluster, 'b', ['news'])
        before = {name: cluster.resident_bytes(name) for name in 'ab'}
        most = dict(before)
        count, value = 400, os.urandom(500_000)
        with cluster.resp('a', 30) as client, cluster.resp('b', 30) as other:
            for i in range(count):
                client('PUBLISH', 'news', value)
                if reader.broken:
                    break
                # Who reads is not outrun.
                until(lambda i=i: len(reader.heard) + 10 > i or reader.broken, 20)
                for name in 'ab':
                    most[name] = max(most[name], cluster.resident_bytes(name))
            client('PUBLISH', 'news', 'end')

            def closed():
                info = client('INFO', 'stats') + other('INFO', 'stats')
                return info.count(b'pubsub_clients_closed:2\r\n') == 2

            checks.that('who never reads is closed', until(closed, 20), client('INFO', 'stats'))
            waits = [client('INFO', 'memory'), other('INFO', 'memory')]
            checks.that(
                'and nothing is held for it',
                until(lambda: b'in_flight_replies:0\r\n' in client('INFO', 'memory'), 10),
                waits,
            )
        checks.that('others hear all', reader.wait() and len(reader.heard) == count + 1)
        grown = {name: (most[name] - before[name]) >> 20 for name in 'ab'}
        checks.that('memory is bounded', all(mb < 64 + 64 for mb in grown.values()), grown)
        log = cluster.log('a')
        checks.that('it is logged', 'does not take the messages' in log, log)
        for each in stuck:
            each.socket.close()


SCENARIOS = {
    'bytes': same_bytes,
    'nodes': across_nodes,
    'links': on_shared_links,
    'expiry': keys_expire,
    'death': a_node_dies,
    'stuck': who_never_reads,
}


if __name__ == '__main__':
    sys.exit(checks.play(SCENARIOS, beside_redis='bytes'))
