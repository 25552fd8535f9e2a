#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stock clients of Redis Cluster against three real nodes with `partitioner: slots`: redis-cli -c,
redis-benchmark --cluster, redis-py's RedisCluster. They find the node to ask, so that no node asks
another one to coordinate; one node is killed and they go on.

slot_clients.py [path/to/kvorum]; ends with `N passed, N failed`."""
import subprocess
import sys

from node_processes import Checks, Cluster, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SYSTEM_PYTHON = '/usr/bin/python3'  # which has Debian's client modules
SLOTS = 'name: test\n  partitions: 64\n  partitioner: slots'
checks = Checks()

REDIS_PY = """
import sys, time
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
until = time.monotonic() + 20
while True:  # a node that the machine held up is left out for a moment
    client = RedisCluster(host='127.0.0.1', port=int(sys.argv[1]), decode_responses=True)
    if len(client.get_nodes()) == 3: break
    assert time.monotonic() < until, client.get_nodes()
    client.close()
for i in range(1000): assert client.set('key:%d' % i, i)
assert [client.get('key:%d' % i) for i in range(1000)] == [str(i) for i in range(1000)]
assert client.mset({'{tag}a': 1, '{tag}b': 2}) and client.mget('{tag}a', '{tag}b') == ['1', '2']
assert client.cluster_keyslot('foo') == 12182
assert client.cluster_countkeysinslot(client.keyslot('{tag}')) == 2
assert client.eval("return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])",
                   2, '{tag}a', '{tag}b') == 5
with client.pipeline() as pipe:
    for i in range(100): pipe.incr('count:%d' % i)
    assert pipe.execute() == [1] * 100
if len(sys.argv) > 2:  # a node is killed now
    print('ready', flush=True)
    input()
    until = time.monotonic() + 60
    for i in range(1000):
        while True:
            try:
                assert client.get('key:%d' % i) == str(i)
                break
            except RedisError:  # as long as it takes to look for other nodes
                if time.monotonic() > until: raise
print('done')
"""


def forwards(cluster):
    total = 0
    for name in cluster.names:
        fields = cluster.resp(name)('INFO', 'dynamo').decode().split('\r\n')
        total += sum(int(field.split(':')[1]) for field in fields if field.startswith('forwards:'))
    return total


def redis_cli(cluster, *words):
    command = ['redis-cli', '-c', '-p', str(cluster.port('a'))] + list(words)
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()


def check_redis_cli(cluster):
    before = forwards(cluster)
    for i in range(20):
        key = 'cli:%d' % i
        checks.that('redis-cli -c SET %s' % key, redis_cli(cluster, 'SET', key, 'v') == 'OK')
    checks.that("a node serves another one's keys", forwards(cluster) > before)
    checks.that('CONFIG GET cluster-enabled', redis_cli(
        cluster, 'CONFIG', 'GET', 'cluster-enabled').split() == ['cluster-enabled', 'yes'])
    checks.that('CLUSTER INFO', 'cluster_state:ok' in redis_cli(cluster, 'CLUSTER', 'INFO'))
    nodes = redis_cli(cluster, 'CLUSTER', 'NODES').splitlines()
    checks.that('CLUSTER NODES has three masters', len(nodes) == 3, nodes)
    check = subprocess.run(
        ['redis-cli', '--cluster', 'info', '127.0.0.1:%d' % cluster.port('b')],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    checks.that('redis-cli --cluster info', '3 masters' in check.stdout, check.stdout)


def check_redis_py(cluster):
    before = forwards(cluster)
    command = [SYSTEM_PYTHON, '-c', REDIS_PY, str(cluster.port('b'))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    checks.that('RedisCluster', done.stdout == 'done\n', done.stdout + done.stderr)
    checks.that('its requests took no hop', forwards(cluster) == before, forwards(cluster) - before)


def check_benchmark(cluster):
    before = forwards(cluster)
    command = ['redis-benchmark', '--cluster', '-p', str(cluster.port('c')), '-n', '3000']
    command += ['-c', '9', '-r', '1000', '-t', 'set,get,incr', '-q']
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    checks.that('redis-benchmark --cluster', done.returncode == 0 and 'GET' in done.stdout,
                done.stdout + done.stderr)  # fmt: skip
    checks.that('its requests took no hop', forwards(cluster) == before, forwards(cluster) - before)


def check_killed_node(cluster):
    command = [SYSTEM_PYTHON, '-c', REDIS_PY, str(cluster.port('b')), 'killed']
    flushed = cluster.resp('a')('FLUSHALL')
    checks.that('FLUSHALL', flushed == b'OK', flushed)
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    client = subprocess.Popen(command, text=True, **pipes)
    said = client.stdout.readline()
    checks.that('it has written', said == 'ready\n', said or client.stderr.read())
    cluster.processes['c'].kill()
    cluster.processes['c'].wait()
    first = lambda: {row[2][2] for row in cluster.resp('a')('CLUSTER', 'SLOTS')}
    checks.that('nobody is sent to the dead node', until(lambda: len(first()) == 2, 20), first())
    out, error = client.communicate('go\n', timeout=120)
    checks.that('RedisCluster goes on without it', out == 'done\n', out + error)


def main():
    with Cluster(BINARY, 'abc', 'engine: {type: memory}', SLOTS) as cluster:
        cluster.start()
        checks.that('settled', cluster.wait_settled())
        for check in (check_redis_cli, check_redis_py, check_benchmark, check_killed_node):
            checks.attempt(check.__name__, check, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
