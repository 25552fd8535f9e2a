#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator does to a running node with redis-cli: the slow log, LATENCY, CONFIG SET, CLIENT
KILL and PAUSE, DEBUG. operating.py [path/to/kvorum]; ends with `N passed, N failed`."""
import re
import sys
import threading
import time

from node_processes import Checks, Cluster, Resp, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
ONE = 'keyspaces: {default: {n: 1, r: 1, w: 1}}\nreactors: 2\ndebug: {commands: local}'
EVICTING = (
    'keyspaces: {default: {n: 1, r: 1, w: 1, conflicts: lww}}\n'
    'engine: {type: memory, memory: 256mb, eviction: lru}'
)
checks = Checks()


def is_closed(client):
    try:
        return client.socket.recv(1) == b''
    except ConnectionError:
        return True


def slow_log(cluster):
    with cluster.resp('a') as client:
        client('CONFIG', 'SET', 'slowlog-log-slower-than', '50000')
        client('SLOWLOG', 'RESET')
        client('CLIENT', 'SETNAME', 'slow-one')
        client('PING')
        client('DEBUG', 'SLEEP', '0.06')
        found = client('SLOWLOG', 'GET')
        checks.that('a slow command is kept', len(found) == 1, found)
        entry = found[0]
        checks.that('with its words', entry[3] == [b'DEBUG', b'SLEEP', b'0.06'], entry)
        checks.that('its time', entry[2] >= 60000, entry)
        checks.that('its client', entry[5] == b'slow-one' and entry[4].startswith(b'127.'), entry)
        client('CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '5')
        client('SLOWLOG', 'RESET')
        client('AUTH', 'secret word', 'x')
        client('CONFIG', 'SET', 'requirepass', 'secret word')
        client('CONFIG', 'SET', 'requirepass', '')
        for number in range(10):
            client('SET', 'k%d' % number, 'v' * 200)
        found = client('SLOWLOG', 'GET', -1)
        checks.that('as many as wanted', len(found) == 5, found)
        cut = b'v' * 128 + b'... (72 more bytes)'
        checks.that('words are cut', found[0][3][2] == cut, found[0])
        client('CONFIG', 'SET', 'slowlog-max-len', '100')
        client('AUTH', 'secret word')
        checks.that('no secret', b'secret' not in repr(client('SLOWLOG', 'GET')).encode())
        client('CONFIG', 'SET', 'slowlog-log-slower-than', '-1')
        client('SLOWLOG', 'RESET')
        client('DEBUG', 'SLEEP', '0.01')
        checks.that('none are slow', client('SLOWLOG', 'LEN') == 0)
        client('CONFIG', 'SET', 'slowlog-log-slower-than', '10000')


def latency(cluster):
    with cluster.resp('a') as client:
        checks.that('nothing is sampled', client('LATENCY', 'LATEST') == [])
        client('CONFIG', 'SET', 'latency-monitor-threshold', '20')
        client('DEBUG', 'SLEEP', '0.03')
        latest = client('LATENCY', 'LATEST')
        checks.that('an event', latest and latest[0][0] == b'command', latest)
        checks.that('its time', latest[0][2] >= 30 and latest[0][3] >= latest[0][2], latest)
        history = client('LATENCY', 'HISTORY', 'command')
        checks.that('its history', len(history) == 1 and history[0][1] >= 30, history)
        checks.that('a graph', b'all time high' in client('LATENCY', 'GRAPH', 'command'))
        checks.that('reset', client('LATENCY', 'RESET', 'command') == 1)
        client('CONFIG', 'SET', 'latency-monitor-threshold', '0')
        client('CONFIG', 'RESETSTAT')
        others = [cluster.resp('a') for _ in range(4)]  # at both reactors
        for other in others:
            other('SET', 'x', 'y')
        shown = client('LATENCY', 'HISTOGRAM', 'set', 'nosuch')
        checks.that('a histogram of all reactors', shown[0] == b'set' and shown[1][1] == 4, shown)
        for other in others:
            other.socket.close()


def call_counts(client):
    """Command -> what INFO commandstats says of it."""
    found = {}
    for line in client('INFO', 'commandstats').decode().split('\r\n'):
        if line.startswith('cmdstat_'):
            name, _, fields = line[len('cmdstat_'):].partition(':')
            found[name] = {key: float(value) for key, value in
                           (field.split('=') for field in fields.split(','))}
    return found


def statistics(cluster):
    """Of commands within transactions and scripts too, at whatever reactor they run."""
    others = [cluster.resp('a') for _ in range(4)]
    with cluster.resp('a', 30) as client:
        client('CONFIG', 'RESETSTAT')
        for other in others:
            other('MULTI')
            other('SET', 'm', 1)
            other('INCRBY', 'm', 2)
            other('APPEND', 'm', 'x')
            other('INCR', 'm')
            other('EXEC')
        for at, other in enumerate(others):
            body = "for i = 1, 25 do redis.call('GET', KEYS[1]) end " \
                   "redis.pcall('INCR', KEYS[1]) redis.call('PING')"
            other('EVAL', body, 1, 'm')
            other('EVAL', "redis.call('MSET', KEYS[1], 1)", 1, 'm%d' % at)
        client('EVAL', "for i = 1, 3e6 do end redis.call('STRLEN', KEYS[1])", 1, 'm')
        seen = call_counts(client)
        names = ('set', 'incrby', 'append', 'incr', 'exec', 'multi', 'get', 'ping', 'mset', 'eval')
        calls = {name: seen.get(name, {}).get('calls') for name in names}
        checks.that('calls of transactions and scripts', calls == {
            'set': 4, 'incrby': 4, 'append': 4, 'incr': 8, 'exec': 4, 'multi': 4, 'get': 100,
            'ping': 4, 'mset': 4, 'eval': 9}, calls)
        checks.that('of a script that takes long', seen['strlen']['calls'] >= 1, seen)
        checks.that('those that failed', seen['incr']['failed_calls'] == 8, seen['incr'])
        timed = ('set', 'incrby', 'append', 'get', 'mset', 'exec', 'eval', 'strlen')
        checks.that('their time', all(seen[name]['usec'] > 0 for name in timed), seen)
        lines = client('INFO', 'latencystats').decode().split('\r\n')
        checks.that('latencystats', lines[0] == '# Latencystats' and all(
            re.fullmatch(r'latency_percentiles_usec_[a-z|.-]+:'
                         r'p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}', line)
            for line in lines[1:-1]), lines)
        named = {line.partition(':')[0].rpartition('usec_')[2] for line in lines[1:-1]}
        checks.that('of the same commands', set(timed) <= named, named)
        shown = client('LATENCY', 'HISTOGRAM', 'get')
        checks.that('the histogram too', shown[1][1] == 100, shown)
        client('CONFIG', 'SET', 'latency-tracking-info-percentiles', '12.5 100')
        text = client('INFO', 'latencystats')
        checks.that('other percentiles', b'_get:p12.5=' in text and b',p100=' in text, text)
        client('CONFIG', 'SET', 'latency-tracking', 'no')
        text = client('INFO', 'latencystats', 'cluster')
        checks.that('none', text.startswith(b'# Latencystats\r\n\r\n# Cluster\r\n'), text)
        client('CONFIG', 'SET', 'latency-tracking', 'yes', 'latency-tracking-info-percentiles',
               '50 99 99.9')
        client('CONFIG', 'RESETSTAT')
        checks.that('counted from now on', 'get' not in call_counts(client))
        text = client('INFO', 'latencystats')
        checks.that('timed too', b'_get:' not in text, text)
    for other in others:
        other.socket.close()


def configuration(cluster):
    with cluster.resp('a') as client:
        checks.that('several at once', client('CONFIG', 'SET', 'hz', 20, 'activedefrag', 'yes'))
        wrong = client('CONFIG', 'SET', 'hz', 30, 'activedefrag', 'perhaps')
        checks.that('all or none', "must be 'yes' or 'no'" in str(wrong), wrong)
        checks.that('none', client('CONFIG', 'GET', 'hz') == [b'hz', b'20'])
        twice = client('CONFIG', 'SET', 'HZ', 30, 'hz', 30)
        checks.that('not twice', 'duplicate parameter' in str(twice), twice)
        older = client('CONFIG', 'GET', 'hash-max-ziplist-entries')
        checks.that('an older name', older == [b'hash-max-ziplist-entries', b'512'], older)
        fixed = client('CONFIG', 'SET', 'databases', 3)
        checks.that('what is fixed', 'immutable' in str(fixed), fixed)


def memory():
    with Cluster(BINARY, 'a', EVICTING) as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('CONFIG', 'SET', 'maxmemory', '64mb', 'maxmemory-policy', 'VOLATILE-ttl')
            shown = client('CONFIG', 'GET', 'maxmemory*')[:4]
            wanted = [b'maxmemory', b'67108864', b'maxmemory-policy', b'volatile-ttl']
            checks.that('maxmemory and its policy', shown == wanted, shown)
            wrong = client('CONFIG', 'SET', 'maxmemory', '32mb', 'maxmemory-policy', 'some')
            checks.that('no such policy', 'must be one of the following' in str(wrong), wrong)
            info = client('INFO', 'memory')
            checks.that('nothing is set then', b'maxmemory:67108864\r' in info, info)
            client('CONFIG', 'SET', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction')
            said = [client('SET', 'k%d' % at, b'x' * 100000) for at in range(20)]
            full = str(said[-1])
            checks.that('it is in force', full.startswith('OOM command not allowed'), full)
            client('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
            room = until(lambda: client('SET', 'more', b'x' * 100000) == b'OK', 10)
            checks.that('and the policy', room)
    with Cluster(BINARY, 'a', ONE) as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            refused = client('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
            checks.that('no policy without effect', 'engine.eviction' in str(refused), refused)


def kill(cluster):
    with cluster.resp('a') as client:
        others = [cluster.resp('a') for _ in range(6)]
        ids = [other('CLIENT', 'ID') for other in others]
        checks.that('by id', client('CLIENT', 'KILL', 'ID', ids[0]) == 1)
        checks.that('it is closed', is_closed(others[0]))
        checks.that('once', client('CLIENT', 'KILL', 'ID', ids[0]) == 0)
        address = '127.0.0.1:%d' % others[1].socket.getsockname()[1]
        checks.that('by address', client('CLIENT', 'KILL', address) == b'OK')
        checks.that('closed', is_closed(others[1]))
        nobody = client('CLIENT', 'KILL', address)
        checks.that('nobody', str(nobody) == 'ERR No such client', nobody)
        memcached = Resp(cluster.port('a', 'memcached'))
        memcached.socket.sendall(b'version\r\n')
        memcached.file.readline()
        others[2]('SUBSCRIBE', 'news')
        checks.that('by type', client('CLIENT', 'KILL', 'TYPE', 'pubsub') == 1)
        checks.that('closed too', is_closed(others[2]))
        checks.that('all others', client('CLIENT', 'KILL', 'TYPE', 'normal') == 4)
        checks.that('of memcached too', is_closed(memcached))
        checks.that('not oneself', client('PING') == b'PONG')
        own = client('CLIENT', 'KILL', 'ID', client('CLIENT', 'ID'), 'SKIPME', 'no')
        checks.that('but when asked to, with the reply', own == 1 and is_closed(client), own)


def pause(cluster):
    with cluster.resp('a') as client, cluster.resp('a') as other, cluster.resp('a') as third:
        client('SET', 'p', 'before')
        checks.that('writes wait', client('CLIENT', 'PAUSE', 100000, 'WRITE') == b'OK')
        for waiting in (other, third):
            waiting.socket.sendall(Resp.encode('SET', 'p', 'after'))
        seen = until(lambda: b'blocked_clients:2\r' in client('INFO', 'clients'), 5)
        checks.that('and are counted', seen, client('INFO', 'clients'))
        checks.that('reads go on', client('GET', 'p') == b'before')
        client('MULTI')
        client('GET', 'p')
        checks.that('a transaction that reads', client('EXEC') == [b'before'])
        checks.that('unpause', client('CLIENT', 'UNPAUSE') == b'OK')
        checks.that('they go on', (other.read(), third.read()) == (b'OK', b'OK'))
        nobody = until(lambda: b'blocked_clients:0\r' in client('INFO', 'clients'), 5)
        checks.that('nobody waits any more', nobody, client('INFO', 'clients'))
        began = time.monotonic()
        client('CLIENT', 'PAUSE', 150)
        checks.that('all wait', other('GET', 'p') == b'after' and time.monotonic() - began > 0.14)
        client('CLIENT', 'PAUSE', 100000)
        thread = threading.Timer(0.05, lambda: client('CLIENT', 'UNPAUSE'))
        thread.start()
        checks.that('but who ends it', other('GET', 'p') == b'after')
        thread.join()


def debug(cluster):
    with cluster.resp('a') as client:
        client('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
        client('SET', 'gone', 'x', 'PX', '1')
        gone = until(lambda: client('GET', 'gone') is None, 5)
        checks.that('what has expired is not seen', gone)
        client('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
        checks.that('DEBUG OBJECT', b'encoding:' in client('DEBUG', 'OBJECT', 'p'))
        client('HELLO', '3')
        client.socket.sendall(Resp.encode('DEBUG', 'PROTOCOL', 'double'))
        checks.that('DEBUG PROTOCOL', client.file.readline() == b',3.141\r\n')
        said = client('DEBUG', 'ERROR', 'LOADING for a\r\nmoment')
        checks.that('DEBUG ERROR', str(said) == 'LOADING for a  moment', said)
    with Cluster(BINARY, 'a') as plain:
        plain.start().wait_settled()
        with plain.resp('a') as client:
            refused = client('DEBUG', 'SLEEP', '0')
            checks.that('off unless enabled', isinstance(refused, RespError), refused)


def main():
    with Cluster(BINARY, 'a', ONE) as cluster:
        cluster.start().wait_settled()
        for scenario in (slow_log, latency, statistics, configuration, kill, pause, debug):
            checks.attempt(scenario.__name__.replace('_', ' '), scenario, cluster)
    checks.attempt('memory', memory)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
