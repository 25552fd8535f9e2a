#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scripts on three real nodes, as libraries send them: redis-py's locks and registered scripts, a
limiter that many ask at once through all nodes, scripts that never end, a node that dies.

scripts.py [path/to/kvorum]; ends with `N passed, N failed`."""
import collections
import hashlib
import subprocess
import sys
import threading
import time

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SYSTEM_PYTHON = '/usr/bin/python3'  # which has Debian's client modules
LIMIT = 100
LIMITER = """local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], 600000) end
if n > tonumber(ARGV[1]) then return 0 end
return 1"""
ENDLESS = 'while true do pcall(function() while true do end end) end'
checks = Checks()

REDIS_PY = """
import redis, sys, threading
from redis.lock import Lock
ports = [int(port) for port in sys.argv[1:]]
held, seen = [], []
def work(port):
    client = redis.Redis(port=port)
    for _ in range(20):
        with client.lock('lock', timeout=10, sleep=0.005):  # released by a script
            held.append(1)
            seen.append(len(held))
            held.pop()
threads = [threading.Thread(target=work, args=[port]) for port in ports]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert set(seen) == {1} and len(seen) == 20 * len(ports), collections.Counter(seen)
a, b = (redis.Redis(port=port, decode_responses=True) for port in ports[:2])
script = a.register_script("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")
assert script(keys=['s'], args=['x'], client=b) == 'x'
with b.pipeline() as pipe:
    script(keys=['s'], args=['y'], client=pipe)
    pipe.get('s')
    assert pipe.execute() == ['y', 'y']
lock = Lock(a, 'extended', timeout=5)
assert lock.acquire(blocking=False) and lock.extend(7) and lock.reacquire() and lock.owned()
lock.release()
assert b.get('extended') is None
print('done')
"""


def check_redis_py(cluster):
    ports = [str(cluster.port(name)) for name in cluster.names]
    done = subprocess.run([SYSTEM_PYTHON, '-c', REDIS_PY] + ports, capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    checks.that('redis-py: locks, registered scripts', done.stdout == 'done\n', done.stderr)


def ask(cluster, name, count, said):
    client = cluster.resp(name, 10)
    sha = hashlib.sha1(LIMITER.encode()).hexdigest()
    for _ in range(count):
        reply = client('EVALSHA', sha, '1', 'limit', str(LIMIT))
        said[str(reply).split(' ', maxsplit=1)[0]] += 1


def check_limiter(cluster):
    """It was loaded at one node only."""
    cluster.resp('b')('SCRIPT', 'LOAD', LIMITER)
    said = collections.Counter()
    threads = [
        threading.Thread(target=ask, args=[cluster, name, 60, said]) for name in cluster.names * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checks.that('the limiter lets its limit through', said == {'1': LIMIT, '0': 260}, said)


def run_endless(cluster, answers, key):
    try:
        answers.append(str(cluster.resp('a', 30)('EVAL', ENDLESS, '1', key)))
    except (OSError, RespError) as error:
        answers.append(repr(error))


def check_endless(cluster):
    answers = []
    threads = [
        threading.Thread(target=run_endless, args=[cluster, answers, 'end%d' % i]) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    client = cluster.resp('a')
    running = lambda: b'long_scripts:4\r' in client('INFO', 'dynamo')
    checks.that('INFO shows what runs', until(running, 10), client('INFO', 'dynamo'))
    slowest = 0
    for i in range(500):
        began = time.monotonic()
        client('SET', 'meanwhile', str(i))
        slowest = max(slowest, time.monotonic() - began)
    checks.that('others are served meanwhile', slowest < 2, slowest)
    checks.that('also other scripts', client('EVAL', 'return redis.call("GET", KEYS[1])', '1',
                                             'meanwhile') == b'499')  # fmt: skip
    checks.that('SCRIPT KILL', client('SCRIPT', 'KILL') == b'OK')
    for thread in threads:
        thread.join(20)
    killed = 'ERR Error running script: Script killed by user with SCRIPT KILL.'
    checks.that('all are told', answers == [killed] * 4, answers)
    checks.that('none runs any more', str(client('SCRIPT', 'KILL')).startswith('NOTBUSY'))


def check_dead_node(cluster):
    cluster.processes['c'].kill()
    cluster.processes['c'].wait()
    client = cluster.resp('a')
    answered = lambda: client('EVAL', LIMITER, '1', 'after', '5') in (0, 1)
    checks.that('a script runs without the dead node', until(answered, 10))
    before = time.monotonic()
    reply = client('EVALSHA', 'a' * 40, '0')
    quick = time.monotonic() - before < 2 and str(reply).startswith('NOSCRIPT')
    checks.that('NOSCRIPT waits for no dead node', quick, reply)


def check_stop(cluster):
    """A script that never ends does not hold up the end of its node."""
    thread = threading.Thread(target=run_endless, args=[cluster, [], 'stop'])
    thread.start()
    client = cluster.resp('a')
    until(lambda: b'long_scripts:1\r' in client('INFO', 'dynamo'), 10)
    began = time.monotonic()
    cluster.processes['a'].terminate()
    cluster.processes['a'].wait(30)
    thread.join(30)
    checks.that('the node stops', time.monotonic() - began < 10, time.monotonic() - began)


def main():
    with Cluster(BINARY, 'abc', 'engine: {type: memory}') as cluster:
        cluster.start()
        checks.that('settled', cluster.wait_settled())
        for check in (check_redis_py, check_limiter, check_endless, check_dead_node, check_stop):
            checks.attempt(check.__name__, check, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
