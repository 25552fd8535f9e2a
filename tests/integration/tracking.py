#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that cache what they read (CLIENT TRACKING): the bytes of redis-server
(tracking_stories.txt), changes of all nodes, nodes that die and stop while caches are in use.
tracking.py [path/to/kvorum [scenario ...]]; ends with `N passed, N failed`."""
import itertools
import os
import random
import re
import signal
import sys
import threading
import time

from node_processes import Checks, Cluster, Resp, RespError, ServerPair, until
from pubsub import Story, read_stories
from redis_differential import encode, redis_server

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'chaos'))
from networks import network_for  # pylint: disable=wrong-import-position

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MEMORY = 'engine: {type: memory}\n'
FENCE = itertools.count()
checks = Checks()


# ---- stories, told to both


class TrackingStory(Story):
    """@a is the id of a; replies with ids are alike."""

    def peer(self, name):
        is_new = name not in self.peers
        peer = super().peer(name)
        if is_new:
            peer.send(encode(['CLIENT', 'ID']))
            peer.id = peer.reply()[1:].strip()
        return peer

    def tell(self, step, fence):
        names, kind, words = step
        words = [self.peer(word[1:].decode()).id if word[:1] == b'@' else word for word in words]
        for name in 'abc':  # whoever comes later is not told of what was before
            self.peer(name) if name not in self.gone else None
        if kind == '!':
            self.gone.update(names)
        heard = super().tell((names, kind, words), fence)
        tells_ids = words[1:2] in ([b'GETREDIR'], [b'TRACKINGINFO'])
        plain = lambda replies: [self.without_ids(reply, tells_ids) for reply in replies]
        return [(name, plain(replies)) for name, replies in heard]

    def __init__(self, port, version):
        super().__init__(port, version)
        self.gone = set()

    @staticmethod
    def without_ids(reply, tells_ids):
        if not tells_ids and b'tracking-redir-broken' not in reply:
            return reply
        return re.sub(rb':[1-9]\d*\r', b':id\r', reply)


def same_bytes():
    with ServerPair(BINARY, 'redis', redis_server) as servers:
        stories = read_stories('tracking_stories.txt')
        for (title, steps), version in itertools.product(stories.items(), (2, 3)):
            ours = TrackingStory(servers.ours, version)
            theirs = TrackingStory(servers.theirs, version)
            wrong = []
            for step in steps:
                fence = b'fence%d' % next(FENCE)
                one, other = ours.tell(step, fence), theirs.tell(step, fence)
                if one != other:
                    wrong.append((step[2], one, other))
            checks.that('RESP%d: %s' % (version, title), not wrong, wrong[:1])
            for story in (ours, theirs):
                story.peer('z').send(encode(['FLUSHALL']))
                story.peer('z').reply()
                story.close()


# ---- clusters


class Cache:
    """A client that caches what it reads, and believes what it is told, in RESP3."""

    def __init__(self, cluster, name, *options, timeout=30):
        self.plain = Resp3(cluster.port(name), timeout, cluster.network.host(name))
        self.plain('HELLO', '3', 'AUTH', 'default', cluster.password)
        self.values, self.told, self.emptied = {}, 0, 0
        self.plain.on_push = self.on_push
        self.options = options
        self.reply = self.plain('CLIENT', 'TRACKING', 'ON', *options)

    def on_push(self, words):
        if words[0] != b'invalidate':
            return
        if words[1] is None:
            self.values.clear()
            self.emptied += 1
            return
        for key in words[1]:
            self.told += 1
            self.values.pop(key, None)

    def __call__(self, *words):
        return self.plain(*words)

    def get(self, key):
        if key not in self.values:
            reply = self.plain('GET', key)
            if isinstance(reply, RespError):
                return reply
            self.values[key] = reply
        return self.values[key]

    def hear(self):
        self.plain('PING')

    def close(self):
        self.plain.__exit__()


class Resp3(Resp):
    """Pushes, wherever they come, are told apart from replies."""

    on_push = None

    def read(self):
        while True:
            first = self.file.peek(1)[:1]
            if first != b'>':
                return self.read_value()
            words = self.read_value()
            if self.on_push:
                self.on_push(words)

    def read_value(self):
        first = self.file.peek(1)[:1]
        if first == b'_':
            self.file.readline()
            return None
        if first in (b'*', b'>', b'~'):
            return [self.read_value() for _ in range(int(self.file.readline()[1:]))]
        if first == b'%':
            count = int(self.file.readline()[1:])
            return {self.read_value(): self.read_value() for _ in range(count)}
        return super().read()


def logged_in(cluster, name, timeout):
    client = cluster.resp(name, timeout)
    client('AUTH', 'default', cluster.password)
    return client


def try_to_log_in(cluster, name):
    try:
        return logged_in(cluster, name, 10)
    except OSError:
        return None


def agree(caches, cluster, keys, seconds=30):
    """Whether each cache has, sooner or later, what a reading of all replicas gives. What is cached
    is not read again meanwhile."""
    with logged_in(cluster, 'a', 30) as reader:
        reader('KV.QUORUM', '3', '0')

        def wrong():
            for cache in caches:
                cache.hear()
            fresh = reader('MGET', *keys)
            if isinstance(fresh, RespError):
                return [fresh]
            fresh = dict(zip(keys, fresh))
            return [
                (key, value, fresh[key])
                for cache in caches
                for key, value in cache.values.items()
                if value != fresh[key]
            ]

        until(lambda: not wrong(), seconds)
        return wrong()


def across_nodes(limits=''):
    with Cluster(BINARY, 'abc', 'reactors: 3\n' + limits + MEMORY) as cluster:
        cluster.start().wait_settled()
        caches = [Cache(cluster, name) for name in 'abcab']
        checks.that('tracking begins', all(c.reply == b'OK' for c in caches))
        keys = [b'key%d' % i for i in range(50)]
        for cache in caches:
            for key in keys:
                cache.get(key)
        writers = [cluster.resp(name) for name in 'abc']
        for at, key in enumerate(keys):
            writers[at % 3]('SET', key, at)
        told = until(lambda: all(not hear_all(c) for c in caches), 10)
        checks.that('each client is told of each key, whoever wrote it', told)
        for cache in caches:
            for key in keys:
                cache.get(key)
        wrong = agree(caches, cluster, keys)
        checks.that('what they cache is right', not wrong, wrong[:3])
        kept = until(lambda: all(len(c.values) == len(keys) for c in refill(caches, keys)), 10)
        checks.that('and stays while nothing changes', kept, [len(c.values) for c in caches])
        writers[1]('FLUSHALL')
        gone = until(lambda: all(not hear_all(c) for c in caches), 10)
        checks.that('a flush at any node empties all', gone)
        info = writers[0]('INFO', 'clients') + writers[0]('INFO', 'stats')
        checks.that('INFO counts them', b'tracking_clients:2\r\n' in info, info)
        expired(caches[0], writers[1])
        broadcast(cluster, writers)
        no_loop(cluster, writers)
        redirected(cluster, writers[2])


def on_shared_links():
    """Most reactors ask on the link of another one."""
    across_nodes('limits: {peer_links: 2}\n')


def hear_all(cache):
    cache.hear()
    return cache.values


def refill(caches, keys):
    for cache in caches:
        cache.hear()
        for key in keys:
            cache.get(key)
        cache.hear()
    return caches


def expired(cache, writer):
    writer('SET', 'short', 'v', 'PX', 1500)
    checks.that('a key that is to expire', cache.get(b'short') == b'v', cache.values)
    told = until(lambda: b'short' not in hear_all(cache), 20)
    checks.that('it is told', told, cache.values)
    # One replica after the other.
    gone = until(lambda: hear_all(cache) is not None and cache.get(b'short') is None, 20)
    checks.that('it is gone', gone, cache.values)


def broadcast(cluster, writers):
    cache = Cache(cluster, 'a', 'BCAST', 'PREFIX', 'p:')
    cache.values.update({b'p:1': b'x', b'p:2': b'x', b'q:1': b'x'})
    writers[1]('SET', 'p:1', 'y')
    writers[2]('SET', 'q:1', 'y')
    writers[2]('SET', 'p:2', 'y')
    told = until(lambda: set(hear_all(cache)) == {b'q:1'}, 10)
    checks.that('prefixes are told from all nodes', told, cache.values)
    cache.close()


def no_loop(cluster, writers):
    cache = Cache(cluster, 'a', 'NOLOOP')
    keys = [b'own%d' % i for i in range(30)]
    for key in keys:
        cache.get(key)
        cache('SET', key, 'mine')
        cache.values[key] = b'mine'
    with cluster.resp('b') as fence:  # each node has told what it had to
        fence('SET', 'fence', '1')
    other = Cache(cluster, 'a')
    other.get(b'fence')
    writers[2]('SET', 'fence', '2')
    until(lambda: b'fence' not in hear_all(other), 10)
    cache.hear()
    # A hint on a busy machine may be.
    checks.that('own writes are no news', cache.told <= 3, cache.told)
    for key in keys:
        writers[2]('SET', key, 'theirs')
    told = until(lambda: not [key for key in keys if key in hear_all(cache)], 10)
    checks.that('those of others are', told, cache.values)
    cache.close()
    other.close()


def redirected(cluster, writer):
    """To a connection of another reactor, in RESP2."""
    for _ in range(4):
        ear, client = cluster.resp('a', 20), cluster.resp('a', 20)
        number = ear('CLIENT', 'ID')
        ear('SUBSCRIBE', '__redis__:invalidate')
        checks.that('redirected', client('CLIENT', 'TRACKING', 'ON', 'REDIRECT', number) == b'OK')
        client('GET', 'far')
        writer('SET', 'far', 'v')
        heard = ear.read()
        wanted = [b'message', b'__redis__:invalidate', [b'far']]
        checks.that('it is told instead', heard == wanted, heard)
        ear.socket.close()
        client.socket.close()


class Load(threading.Thread):
    """Writes keys at a node, at W = 1, until told to end."""

    def __init__(self, cluster, name, keys, seed):
        super().__init__(daemon=True)
        self.cluster, self.name, self.keys = cluster, name, keys
        self.rng = random.Random(seed)
        self.ending, self.written = False, 0
        self.start()

    def run(self):
        client = None
        while not self.ending:
            try:
                if client is None:
                    client = logged_in(self.cluster, self.name, 5)
                    client('KV.QUORUM', '1', '1')
                key = self.rng.choice(self.keys)
                if self.rng.random() < 0.1:
                    client('DEL', key)
                else:
                    client('SET', key, '%s-%d' % (self.name, self.written))
                self.written += 1
            except (OSError, RespError):
                client = None
                time.sleep(0.05)

    def finish(self):
        self.ending = True
        self.join(20)
        return self.written


def failures():
    """Caches at a; writers at b and c with W = 1, readers with R = 1; c is killed, b stands still:
    hints, repairs. At the end, what was cached and never told is what all replicas have."""
    extra = 'reactors: 2\n' + MEMORY
    with Cluster(BINARY, 'abc', extra) as cluster:
        cluster.start().wait_settled()
        keys = [b'key%d' % i for i in range(60)]
        caches = [Cache(cluster, 'a') for _ in range(3)]
        deaf = Cache(cluster, 'a')  # the test sees staleness where nobody is told
        deaf('CLIENT', 'TRACKING', 'OFF')
        for cache in caches:
            cache('KV.QUORUM', '1', '1')
        for key in keys:
            deaf.get(key)
        loads = [Load(cluster, name, keys, name) for name in 'bcb']
        rng = random.Random(1)
        read_for = lambda count: read_randomly(caches, keys, rng, count)
        read_for(500)
        cluster.end('c', signal.SIGKILL)
        read_for(500)
        cluster.start('c')
        cluster.wait_settled()
        read_for(500)
        cluster.send('b', signal.SIGSTOP)
        cluster.wait_log('a', 'b at .*the link is lost', 15)
        read_for(200)
        cluster.send('b', signal.SIGCONT)
        cluster.wait_settled()
        read_for(500)
        written = [load.finish() for load in loads]
        checks.that('there was load', all(count > 100 for count in written), written)
        read_for(300)
        cluster.wait_settled()
        wrong = agree(caches, cluster, keys, 60)
        checks.that('what is cached is what all replicas have', not wrong, wrong[:3])
        told = [(cache.told, cache.emptied) for cache in caches]
        checks.that('it was told', all(keys_ > 100 and gaps > 1 for keys_, gaps in told), told)
        stale = agree([deaf], cluster, keys, 0)
        checks.that('without that it would not be', len(stale) > 10, len(stale))
        for cache in caches:
            for key in keys:
                cache.get(key)
        wrong = agree(caches, cluster, keys, 30)
        checks.that('nor what is read now', not wrong, wrong[:3])


def cut_off():
    """The links between a, where the caches are, and c are cut, both ways and one way. What c alone
    has then a does not hear, until they are linked again."""
    network = network_for('abc', 'auto')
    if not network.can_cut:
        print('skipped: no network namespaces here')
        return
    try:
        extra, shape = 'password: secret\n' + MEMORY, 'name: cuts\n  secret: of-sixteen-bytes'
        with Cluster(BINARY, 'abc', extra, shape, network) as cluster:
            cluster.password = 'secret'
            cut_links(cluster, network)
    finally:
        network.close()


def cut_links(cluster, network):
    cluster.start()
    client = until(lambda: try_to_log_in(cluster, 'a'), 20)
    settled = until(lambda: b'state:settled' in client('KV.CLUSTER', 'STATUS'), 20)
    checks.that('nodes in namespaces', settled)
    keys = [b'key%d' % i for i in range(60)]
    for pairs in ([('a', 'c'), ('c', 'a')], [('c', 'a')], [('a', 'c')]):
        caches = [Cache(cluster, 'a') for _ in range(2)]
        for cache in caches:
            cache('KV.QUORUM', '1', '1')
        loads = [Load(cluster, name, keys, name) for name in 'bc']
        rng = random.Random(len(pairs))
        read_randomly(caches, keys, rng, 300)
        breaks = lambda: len(re.findall('c at .*silent|link from .*silent', cluster.log('a')))
        before = breaks()
        network.cut(pairs)
        noticed = until(lambda: breaks() > before, 20)
        checks.that('a notices that %r is cut' % (pairs,), noticed, cluster.log('a')[-500:])
        read_randomly(caches, keys, rng, 300)
        network.heal()
        until(lambda: b'state:settled' in client('KV.CLUSTER', 'STATUS'), 30)
        read_randomly(caches, keys, rng, 300)
        written = [load.finish() for load in loads]
        checks.that('there was load', all(count > 100 for count in written), written)
        read_randomly(caches, keys, rng, 200)
        wrong = agree(caches, cluster, keys, 60)
        checks.that('cut %r: what is cached is right at the end' % (pairs,), not wrong, wrong[:3])
        for cache in caches:
            cache.close()


def read_randomly(caches, keys, rng, count):
    for _ in range(count):
        for cache in caches:
            cache.get(rng.choice(keys))


# The last changes the network of this process.
SCENARIOS = {
    'bytes': same_bytes,
    'nodes': across_nodes,
    'links': on_shared_links,
    'failures': failures,
    'cuts': cut_off,
}


if __name__ == '__main__':
    sys.exit(checks.play(SCENARIOS, beside_redis='bytes'))
