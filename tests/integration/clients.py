#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients do with their sockets: ending their side early, many of them at once on several
reactors, speaking another protocol. clients.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import re
import socket
import sys
import time

from node_processes import Checks, Cluster, Resp, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
TRIES = 200
checks = Checks()


def until_closed(port, raw, slow=False):
    """Sends, ends the own side, and reads until the other one closes; `slow`: begins late, so that
    the replies fill the socket first."""
    with socket.socket() as client:
        if slow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(('127.0.0.1', port))
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        if slow:
            time.sleep(0.05)
        got = []
        while True:
            more = client.recv(1 << 20)
            if not more:
                return b''.join(got)
            got.append(more)


def answered(port, raw, expected, tries=TRIES, slow=False):
    wrong = []
    for _ in range(tries):
        got = until_closed(port, raw, slow)
        if got != expected:
            wrong.append(got[:100])
    return wrong


def half_closed(cluster, what):
    """Every node is asked, so that most keys are at others."""
    value = b'v' * 300_000
    with cluster.resp(cluster.names[0], 20) as client:
        client('SET', 'large', value)
        client('SET', 'small', 'v')
    resp, cache = cluster.port(cluster.names[-1]), cluster.port(cluster.names[-1], 'memcached')
    many = b''.join(Resp.encode('SET', 'k%d' % i, i) for i in range(300))
    reads = b''.join(Resp.encode('GET', 'k%d' % i) for i in range(300))
    numbers = b''.join(b'$%d\r\n%d\r\n' % (len(str(i)), i) for i in range(300))
    bulk = b'$%d\r\n%s\r\n' % (len(value), value)
    item = b'VALUE large 0 %d\r\n%s\r\nEND\r\n' % (len(value), value)
    for name, port, raw, expected, tries in (
        ('PING', resp, b'PING\r\n', b'+PONG\r\n', TRIES),
        ('GET', resp, b'GET small\r\n', b'$1\r\nv\r\n', TRIES),
        ('get', cache, b'get small\r\n', b'VALUE small 0 1\r\nv\r\nEND\r\n', TRIES),
        ('version', cache, b'mn\r\n', b'MN\r\n', TRIES),
        ('a pipeline', resp, many + reads, b'+OK\r\n' * 300 + numbers, 10),
        ('part of a request', resp, b'PING\r\n*2\r\n$3\r\nGET\r\n$5', b'+PONG\r\n', 20),
        ('part of a line', cache, b'mn\r\nset small 0 0 5\r\nab', b'MN\r\n', 20),
        ('KEYS', resp, b'EXISTS small\r\nDBSIZE\r\nPING\r\n', b':1\r\n:302\r\n+PONG\r\n', 10),
        ('QUIT', resp, b'PING\r\nQUIT\r\nPING\r\n', b'+PONG\r\n+OK\r\n', 20),
    ):
        wrong = answered(port, raw, expected, tries)
        checks.that('%s: %d of %d times %s' % (what, tries, tries, name), not wrong, wrong[:3])
    wrong = answered(resp, b'GET large\r\n' * 20, bulk * 20, 5, slow=True)
    checks.that('%s: large replies to a slow reader' % what, not wrong)
    wrong = answered(cache, b'get large\r\n' * 20, item * 20, 5, slow=True)
    checks.that('%s: large items to a slow reader' % what, not wrong)


def a_client_that_sends_no_more():
    with Cluster(BINARY, 'a', 'engine: {type: memory}') as cluster:
        cluster.start().wait_settled()
        half_closed(cluster, 'one node')
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        half_closed(cluster, 'three nodes')
        gone = until(lambda: connected(cluster, 'c') <= 1, 5)
        checks.that('none of these connections stays', gone, connected(cluster, 'c'))


def connected(cluster, name):
    with cluster.resp(name) as client:
        return int(re.search(rb'connected_clients:(\d+)', client('INFO', 'clients')).group(1))


def flushes_are_quick():
    with Cluster(BINARY, 'a', 'engine: {type: memory}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            for ask in (
                lambda: client('FLUSHDB') == b'OK',
                lambda: client('FLUSHALL') == b'OK',
                lambda: until_closed(cluster.port('a', 'memcached'), b'flush_all\r\n') == b'OK\r\n',
            ):
                times = []
                for _ in range(9):
                    began = time.monotonic()
                    checks.that('a flush of a memory node', ask())
                    times.append(time.monotonic() - began)
                checks.that('waits for nothing', sorted(times)[4] < 0.05, times)


def clients_of_all_reactors():
    with Cluster(BINARY, 'a', 'reactors: 2') as cluster:
        cluster.start().wait_settled()
        clients = [cluster.resp('a') for _ in range(24)]
        try:
            for number, client in enumerate(clients):
                client('CLIENT', 'SETNAME', 'client-%d' % number)
            for client in clients[:4]:
                lines = client('CLIENT', 'LIST').decode().splitlines()
                names = {re.search(r' name=(\S*)', line).group(1) for line in lines}
                missing = {'client-%d' % i for i in range(24)} - names
                checks.that('CLIENT LIST shows every client', not missing, missing)
                ids = [int(line.split()[0][3:]) for line in lines]
                checks.that('in the order of their ids', ids == sorted(ids), ids)
            ids = [client('CLIENT', 'ID') for client in clients]
            some = clients[0]('CLIENT', 'LIST', 'ID', ids[3], ids[4], ids[20]).decode()
            checks.that('or those that are named', some.count('\n') == 3, some)
            ages = re.findall(r' age=(\d+) idle=(\d+) ', clients[0]('CLIENT', 'LIST').decode())
            young = all(int(age) < 60 and int(idle) < 60 for age, idle in ages)
            checks.that('their ages are true', young, ages)
            with socket.create_connection(('127.0.0.1', cluster.port('a')), 5):
                ages = lambda: re.findall(r' age=(\d+)', clients[0]('CLIENT', 'LIST').decode())
                seen = until(lambda: len(ages()) == 25, 5)
                checks.that('one that said nothing is shown', seen)
                checks.that('with its age', all(int(age) < 60 for age in ages()), ages())
        finally:
            for client in clients:
                client.__exit__()


def what_info_says():
    with Cluster(BINARY, 'a', 'reactors: 2') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            for i in range(10):
                client('SET', 'k%d' % i, 'v', 'EX', 1000 + i)
            client('SET', 'stays', 'v')
            client('PERSIST', 'k0')
            client('DEL', 'k1')
            client('NOSUCH')
            client('INCR', 'stays')
            info = client('INFO', 'everything').decode()
            checks.that('expires is true', 'db0:keys=10,expires=8,' in info, info[-2000:])
            calls = re.search(r'cmdstat_set:calls=11,usec=([1-9]\d*),', info)
            checks.that('commandstats are filled', calls, info[-2000:])
            failed = re.search(r'cmdstat_incr:calls=1,.*,failed_calls=1\r', info)
            checks.that('failed calls are counted', failed, info[-2000:])
            checks.that('cluster_enabled', 'cluster_enabled:0\r\n' in info)
            times = [client('TIME') for _ in range(50)]
            within = {int(micros) % 1000 for _, micros in times}
            checks.that('TIME has microseconds', len(within) > 5, within)
            far = abs(int(times[0][0]) - time.time())
            checks.that('and is right', far < 5, far)


def addresses_of_ipv6():
    if not os.path.exists('/proc/net/if_inet6'):
        return
    with Cluster(BINARY, 'a') as cluster:
        options = ['--redis', '[::1]:%d' % cluster.port('a')]
        cluster.start('a', options=options).wait_log('a', 'takes clients')
        with Resp(cluster.port('a'), 5, '::1') as client:
            bind = client('CONFIG', 'GET', 'bind')
            checks.that('CONFIG GET bind', bind == [b'bind', b'::1'], bind)


def main():
    for scenario in (
        a_client_that_sends_no_more,
        flushes_are_quick,
        clients_of_all_reactors,
        what_info_says,
        addresses_of_ipv6,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
