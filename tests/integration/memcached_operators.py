#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What memcached's operators ask of a running node: `watch` over all reactors, dumps with sizes and
times, another memory limit, connections through a Unix socket.
memcached_operators.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import re
import socket
import sys
import time

from node_processes import Checks, Cluster, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
NODE = 'reactors: 2\nengine: {type: memory, memory: 256mb, eviction: lru}\n'
NODE += 'keyspaces: {default: {n: 1, r: 1, w: 1, conflicts: lww}}\n'
CLIENTS = 8  # more than reactors: each has some
FOUND = 'type=item_get key=k%d status=found clsid=1 cfd=.* size=3'
checks = Checks()


class Client:
    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(10)
        self.file = self.socket.makefile('rb')

    def say(self, text, end=b'\r\n'):
        """The lines of the answer up to the one that ends so."""
        self.socket.sendall(text.encode() + b'\r\n')
        lines = [self.file.readline()]
        while lines[-1] and not lines[-1].endswith(end):
            lines.append(self.file.readline())
        return [line.decode().rstrip('\r\n') for line in lines]

    def close(self):
        self.file.close()
        self.socket.close()


def connect(cluster):
    return Client(socket.create_connection(('127.0.0.1', cluster.port('a', 'memcached')), 10))


def stat(client, name):
    return dict(line.split(' ', 2)[1:] for line in client.say('stats', b'END\r\n')[:-1])[name]


def lines_until(watcher, wanted):
    """Reads what a watcher is told until that is all there, in whatever order."""
    lines, missing = [], list(wanted)
    while missing:
        line = watcher.file.readline().decode()
        if not line:
            break
        lines.append(line)
        missing = [each for each in missing if not re.search(each, line)]
    return lines, missing


def watch(cluster):
    watcher = connect(cluster)
    checks.that('watch is taken',
                watcher.say('watch fetchers mutations connevents') == ['OK'])
    clients = [connect(cluster) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        client.say('set k%d 0 100 3\r\nabc' % number)
        client.say('get k%d' % number, b'END\r\n')
    wanted = ['type=conn_new rip=127.0.0.1 rport=%d transport=tcp cfd=' % port
              for port in (each.socket.getsockname()[1] for each in clients)]
    for number in range(CLIENTS):
        stored = 'type=item_store key=k%d status=stored cmd=set ttl=(99|100) clsid=1 cfd='
        wanted += [each % number for each in (stored, FOUND)]
    lines, missing = lines_until(watcher, wanted)
    checks.that('a watcher sees the clients of all reactors', missing == [], missing)
    numbers = [int(re.search(r'gid=(\d+)', line).group(1)) for line in lines]
    checks.that('no line comes twice', len(set(numbers)) == len(numbers), lines)
    told = float(re.match(r'ts=([\d.]+) ', lines[0]).group(1))
    checks.that('with its time', abs(told - time.time()) < 60, lines[0])
    for client in clients:
        client.close()
    missing = lines_until(watcher, ['type=conn_close .* reason=normal cfd='])[1]
    checks.that('and that they go', missing == [], missing)
    asks = connect(cluster)
    checks.that('stats count watchers', stat(asks, 'log_watchers') == '1')
    watcher.close()
    checks.that('until they go', until(lambda: stat(asks, 'log_watchers') == '0', 10))


def dumps(cluster):
    client = connect(cluster)
    client.say('flush_all')
    client.say('set plain 0 0 5\r\n12345')
    client.say('set short 0 1000 3\r\n123')
    now = int(time.time())
    dumped = client.say('lru_crawler metadump all', b'END\r\n')
    found = dict(re.match(r'key=(\w+) exp=(.*)', line).groups() for line in dumped[:-1])
    plain = re.fullmatch(r'-1 la=(\d+) cas=([1-9]\d*) fetch=no cls=1 size=5', found['plain'])
    checks.that('metadump: size and time', plain and abs(int(plain.group(1)) - now) < 60, found)
    unique = client.say('gets plain', b'END\r\n')[0].split()[-1]
    checks.that('metadump: cas', plain and plain.group(2) == unique, (found, unique))
    expires = int(found['short'].split()[0])
    checks.that('metadump: the deadline', abs(expires - now - 1000) < 60, found)
    cached = client.say('stats cachedump 1 10', b'END\r\n')
    checks.that('cachedump', sorted(cached) == ['END', 'ITEM plain [5 b; 0 s]',
                                                'ITEM short [3 b; %d s]' % expires], cached)


def evictions(cluster):
    """Of a node that is full: to a watcher, and to who hears keyspace events."""
    values, size = 4000, 4000
    with cluster.resp('a') as subscriber, cluster.resp('a') as writer:
        checks.that('evicted events', writer('CONFIG', 'SET', 'notify-keyspace-events', 'Ee',
                                             'maxmemory', '8mb') == b'OK')
        subscriber('SUBSCRIBE', '__keyevent@0__:evicted')
        watcher = connect(cluster)
        checks.that('watch evictions', watcher.say('watch evictions') == ['OK'])
        for number in range(values):
            if writer('SET', 'full:%d' % number, b'x' * size, 'EX', '1000') != b'OK':
                checks.that('a full cache takes more', False, number)
        stats = writer('INFO', 'stats').decode()
        evicted = int(re.search(r'evicted_keys:(\d+)', stats).group(1))
        checks.that('it has evicted', evicted > values // 4, evicted)
        line = r'type=eviction key=full%%3A\d+ fetch=no ttl=\d{3} la=\d+ clsid=1 size=%d$' % size
        missing = lines_until(watcher, [line])[1]
        checks.that('a watcher is told', missing == [], missing)
        told = subscriber.read()
        checks.that('a subscriber is told', told[:2] == [b'message', b'__keyevent@0__:evicted']
                    and told[2].startswith(b'full:'), told)
        watcher.close()
        checks.that('as before', writer('CONFIG', 'SET', 'notify-keyspace-events', '',
                                        'maxmemory', '256mb') == b'OK')


def memory_limit(cluster):
    client = connect(cluster)
    checks.that('cache_memlimit', client.say('cache_memlimit 64') == ['OK'])
    checks.that('is in force', until(lambda: stat(client, 'limit_maxbytes') == str(64 << 20), 10))


def unix_socket(cluster):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.path.join(cluster.folder, 'memcached.sock'))
    client = Client(connection)
    shown = client.say('stats conns', b'END\r\n')
    path = 'unix:%s/memcached.sock' % cluster.folder
    checks.that('stats conns names Unix sockets',
                any(line.endswith(':listen_addr ' + path) for line in shown), shown)


def main():
    with Cluster(BINARY, 'a', NODE) as cluster:
        listen = 'listen: {memcached_socket: "%s/memcached.sock"}\n' % cluster.folder
        cluster.config = cluster.write_config('sockets.yaml', NODE + listen, 'name: test')
        cluster.start()
        checks.that('the node settles', cluster.wait_settled(), cluster.log('a'))
        for name, scenario in (
            ('watch', watch),
            ('evictions', evictions),
            ('dumps', dumps),
            ('memory limit', memory_limit),
            ('Unix socket', unix_socket),
        ):
            checks.attempt(name, scenario, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
