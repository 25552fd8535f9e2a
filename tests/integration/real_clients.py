#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stock clients against three real nodes: redis-cli (RESP2 and RESP3), redis-benchmark, redis-py,
hiredis (hiredis_client.cc), memccapable and pymemcache.

real_clients.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import re
import subprocess
import sys

from node_processes import Checks, Cluster, run

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SYSTEM_PYTHON = '/usr/bin/python3'  # which has Debian's client modules
checks = Checks()

REDIS_PY = """
import redis, sys, threading
a = redis.Redis(port=int(sys.argv[1]))
c = redis.Redis(port=int(sys.argv[2]), decode_responses=True)
assert a.set('py', 'x', ex=100) and c.get('py') == 'x' and 0 < c.ttl('py') <= 100
assert a.set('py', 'y', nx=True) is None and a.delete('py', 'absent') == 1
with c.pipeline(transaction=False) as pipe:
    for i in range(1000): pipe.set('py:%d' % i, i)
    assert all(pipe.execute())
assert sorted(int(k.split(b':')[1]) for k in a.scan_iter('py:*', count=100)) == list(range(1000))
with a.pipeline() as pipe:  # MULTI and EXEC, as it is by itself
    pipe.mset({'tx:1': 1, 'tx:2': 2}).incrby('tx:1', 9).get('tx:1').expire('tx:2', 10)
    assert pipe.execute() == [True, 10, b'10', True]
def count(port):
    with redis.Redis(port=port) as own:
        for _ in range(50):
            def add(pipe):
                value = int(pipe.get('watched') or 0)
                pipe.multi()
                pipe.set('watched', value + 1)
            own.transaction(add, 'watched')
counters = [threading.Thread(target=count, args=[int(port)]) for port in sys.argv[1:3] * 2]
for each in counters: each.start()
for each in counters: each.join()
assert c.get('watched') == '200', c.get('watched')
assert c.mget('py:1', 'nothing', 'py:999') == ['1', None, '999']
assert [a.incr('n') for _ in range(5)] == [1, 2, 3, 4, 5]
a.execute_command('KV.PUT', 'two', '', '1'); a.execute_command('KV.PUT', 'two', '', '2')
assert sorted(c.execute_command('GET', 'two')) == ['1', '2']

try:
    a.lpush('py:1', 'x')
    raise SystemExit('LPUSH was taken')
except redis.ResponseError as error:
    assert 'unknown command' in str(error)
print('fine')
"""

PYMEMCACHE = """
import sys
from pymemcache.client.base import Client
a = Client(('127.0.0.1', int(sys.argv[1]))); b = Client(('127.0.0.1', int(sys.argv[2])))
assert a.set('m', b'1', noreply=False) and b.get('m') == b'1'
assert b.add('m', b'2', noreply=False) is False and b.replace('m', b'2', noreply=False) is True
value, cas = a.gets('m')
assert value == b'2' and b.cas('m', b'3', cas) is True and a.cas('m', b'4', cas) is False
assert a.incr('m', 4) == 7 and b.decr('m', 100) == 0
assert a.append('m', b'x', noreply=False) and b.prepend('m', b'y', noreply=False)
assert a.get('m') == b'y0x'
a.set_many({'k%d' % i: b'v%d' % i for i in range(200)}, noreply=False)
assert b.get_many(['k%d' % i for i in range(200)]) == {'k%d' % i: b'v%d' % i for i in range(200)}
assert b.touch('m', 100, noreply=False) and b.delete('m', noreply=False) and a.get('m') is None
print('fine')
"""

def said(result):
    return result.stdout + result.stderr


def redis_cli(cluster):
    for version in ((), ('-3',)):
        port = str(cluster.port('a'))
        label = 'redis-cli %s' % (version[0] if version else '-2')
        out = run('redis-cli', '-p', port, *version, 'SET', 'cli', 'value')
        checks.that(label + ': SET', out.stdout.strip() == 'OK', said(out))
        other = str(cluster.port('c'))
        out = run('redis-cli', '-p', other, *version, 'GET', 'cli')
        checks.that(label + ': GET at another node', out.stdout.strip() == 'value', said(out))
        out = run('redis-cli', '-p', other, *version, '--no-raw', 'KV.QUORUM')
        checks.that(label + ': KV.QUORUM', '"R"' in out.stdout, said(out))
        out = run('redis-cli', '-p', other, *version, '--scan', '--pattern', 'cl*')
        checks.that(label + ': --scan', out.stdout.split() == ['cli'], said(out))
    port = str(cluster.port('b'))
    out = run('redis-cli', '-p', port, '--pipe', '--pipe-timeout', '5', seconds=30)
    checks.that('redis-cli --pipe ends', 'errors: 0' in said(out), said(out))


def redis_benchmark(cluster):
    command = ['redis-benchmark', '-p', str(cluster.port('b')), '-n', '20000', '-P', '16', '-q']
    out = run(*command, '-r', '10000', '-t', 'set,get,incr,mset', seconds=60)
    lines = re.findall(r'(\w+)[^\r\n]*: [\d.]+ requests per second', said(out))
    ran = out.returncode == 0 and {'SET', 'GET', 'INCR'} <= set(lines)
    checks.that('redis-benchmark', ran, said(out))


def python_clients(cluster):
    ports = [str(cluster.port(name)) for name in 'ac']
    out = run(SYSTEM_PYTHON, '-c', REDIS_PY, *ports, seconds=60)
    checks.that('redis-py', out.stdout.strip() == 'fine', said(out))
    ports = [str(cluster.port(name, 'memcached')) for name in 'ab']
    out = run(SYSTEM_PYTHON, '-c', PYMEMCACHE, *ports, seconds=60)
    checks.that('pymemcache', out.stdout.strip() == 'fine', said(out))


def hiredis(cluster):
    program = os.path.join(os.path.dirname(os.path.abspath(BINARY)), 'hiredis_client')
    out = run(program, str(cluster.port('c')), str(cluster.port('a')), seconds=60)
    verdicts = re.findall(r'^\[ +(OK|FAILED) +\] (\w+\.\w+) \(', out.stdout, re.MULTILINE)
    for verdict, name in verdicts:
        checks.that('hiredis: ' + name, verdict == 'OK', said(out))
    checks.that('hiredis: all of it', out.returncode == 0 and 'PASSED' in out.stdout, said(out))


def memccapable(cluster):
    port = str(cluster.port('a', 'memcached'))
    command = ['memccapable', '-h', '127.0.0.1', '-p', port]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired as late:
        checks.that('memccapable ends', False, late)
        return
    verdicts = r'^((?:ascii|binary) [^\[\n]*?)\s*\[(\w+)\]'
    for name, verdict in re.findall(verdicts, said(out), re.MULTILINE):
        checks.that('memccapable: ' + name, verdict == 'pass', said(out))
    for protocol in ('ascii', 'binary'):
        passed = len(re.findall(r'^%s .*\[pass\]' % protocol, said(out), re.MULTILINE))
        checks.that('memccapable: all 27 of %s' % protocol, passed == 27, said(out))


def main():
    with Cluster(BINARY, 'abc', 'engine: {type: memory}') as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled(), cluster.log('a'))
        for name, scenario in (
            ('redis-cli', redis_cli),
            ('redis-benchmark', redis_benchmark),
            ('python clients', python_clients),
            ('hiredis', hiredis),
            ('memccapable', memccapable),
        ):
            checks.attempt(name, scenario, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
