#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long probes waited
"""What monitoring sees of real processes: livez, readyz, problems, exit statuses, and an admin
address that serves probes whatever else knocks at it. health.py [path/to/kvorum]; ends with
`N passed, N failed`."""
import http.client
import json
import os
import signal
import socket
import sys
import time

from node_processes import Checks, Cluster, free_ports, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()


def ask(cluster, name, path, method='GET', headers=None, seconds=5):
    """(status, body, headers); status 0 where nobody answers."""
    connection = http.client.HTTPConnection('127.0.0.1', cluster.port(name, 'admin'), seconds)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error), {}
    finally:
        connection.close()


def verb(cluster, name, *words):
    return run(BINARY, *words, '--admin', cluster.address(name, 'admin'))


def codes(cluster, name):
    return [one['code'] for one in json.loads(ask(cluster, name, '/api/v1/status')[1])['problems']]


def one_node_is_ready():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        for path in ('/livez', '/readyz', '/healthz'):
            checks.that(path, ask(cluster, 'a', path)[:2] == (200, 'ok\n'))
        done = verb(cluster, 'a', 'health')
        checks.that('kvorum health: 0', (done.returncode, done.stdout) == (0, 'ready\n'), done)
        done = verb(cluster, 'a', 'status')
        checks.that('kvorum status: 0', done.returncode == 0, done)
        log = cluster.log('a')
        banner = log.splitlines()[0]
        words = ('kvorum 0', cluster.config, 'cluster test', 'n 3 r 2 w 2', 'members a', 'leveldb')
        checks.that('the first line says what starts', all(w in banner for w in words), banner)
        settled = cluster.wait_log('a', 'the cluster is settled')
        checks.that('settled is logged', settled, cluster.log('a'))
        nobody = '127.0.0.1:%d' % free_ports(1)[0]
        done = run(BINARY, 'health', '--admin', nobody)
        checks.that('health of nobody: 1', done.returncode == 1 and 'reach' in done.stderr, done)
        done = run(BINARY, 'status', '--admin', nobody)
        checks.that('status of nobody: 2', done.returncode == 2, done)


def quorum_lost():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        ready = until(lambda: ask(cluster, 'a', '/readyz')[0] == 200, 10)
        checks.that('three nodes are ready', ready, ask(cluster, 'a', '/readyz'))
        cluster.end('b', signal.SIGKILL)
        down = until(lambda: 'member_down' in codes(cluster, 'a'), 10)
        checks.that('one down is a problem', down, codes(cluster, 'a'))
        checks.that('and no reason to be asked nothing', ask(cluster, 'a', '/readyz')[0] == 200)
        done = verb(cluster, 'a', 'status')
        checks.that('kvorum status: 1', done.returncode == 1, done)
        for word in ('problem: b is down', 'next: kvorum serve'):
            checks.that('status says "%s"' % word, word in done.stdout, done.stdout)
        checks.that('kvorum health: 0', verb(cluster, 'a', 'health').returncode == 0)
        told = cluster.wait_log('a', 'the cluster is degraded: b: no link')
        checks.that('degraded is logged with the reason', told, cluster.log('a'))
        cluster.end('c', signal.SIGKILL)
        unready = until(lambda: ask(cluster, 'a', '/readyz')[0] == 503, 10)
        with cluster.resp('a') as client:
            refused = str(client('GET', 'k')).startswith('NOQUORUM')
        checks.that('reads answer -NOQUORUM and /readyz 503', unready and refused)
        reasons = json.loads(ask(cluster, 'a', '/healthz')[1])
        checks.that(
            'the reason is given', reasons and '16 of 16 partitions' in str(reasons), reasons
        )
        checks.that('it lives', ask(cluster, 'a', '/livez')[0] == 200)
        done = verb(cluster, 'a', 'health')
        checks.that('kvorum health: 1', done.returncode == 1 and 'quorum' in done.stderr, done)
        with cluster.resp('a') as client:
            said = client('KV.CLUSTER', 'STATUS').decode() + client('INFO', 'dynamo').decode()
        checks.that('KV.CLUSTER STATUS and INFO name it', said.count(':reads_short: ') == 2, said)
        checks.that('so does the log', cluster.wait_log('a', 'reads_short: reads are short'))
        cluster.start('b', 'c').wait_settled()
        ready = until(lambda: ask(cluster, 'a', '/readyz')[0] == 200, 10)
        checks.that('it is ready again', ready)
        told = cluster.wait_log('a', 'the cluster is settled after', 15)
        checks.that('settled again is logged', told, cluster.log('a'))
        checks.that('the problem is over in the log', cluster.wait_log('a', 'reads_short: over'))


def hints_and_repair_are_told():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        cluster.end('c', signal.SIGKILL)
        until(lambda: 'member_down' in codes(cluster, 'a'), 10)
        with cluster.resp('a') as client:
            for i in range(200):
                client('SET', 'k%d' % i, i)
        cluster.start('c').wait_settled()
        told = until(lambda: 'hints delivered to c in' in cluster.log('a') + cluster.log('b'), 15)
        checks.that('hints delivered are told', told, cluster.log('a'))
        done = verb(cluster, 'a', 'repair')
        checks.that('kvorum repair: 0', done.returncode == 0, done)
        checks.that('a repair that begins is told', cluster.wait_log('a', 'repair begun: all'))
        checks.that('and that ends', cluster.wait_log('a', 'repair ended: '), cluster.log('a'))


def secret_refused():
    with Cluster(BINARY, 'abc', cluster='name: one\n  secret: s1\n  partitions: 16') as cluster:
        other = cluster.write_config(
            'other.yaml', '', 'name: one\n  secret: s2\n  partitions: 16'
        )
        cluster.start('a', config=other).start('b', 'c')
        refused = until(lambda: 'peer_refused' in str(ask(cluster, 'a', '/api/v1/status')[1]), 10)
        status = ask(cluster, 'a', '/api/v1/status')[1]
        checks.that('a secret that is refused is a problem', refused and 'secret' in status, status)
        checks.that('the odd one is not ready', ask(cluster, 'a', '/readyz')[0] == 503)
        ready = until(lambda: ask(cluster, 'b', '/readyz')[0] == 200, 10)
        checks.that('the others are', ready, ask(cluster, 'b', '/readyz'))


def open_idle(cluster, count):
    return [socket.create_connection(('127.0.0.1', cluster.port('a', 'admin')), 5)
            for _ in range(count)]


def slowest_probe(cluster, probes):
    slowest = 0
    for _ in range(probes):
        began = time.monotonic()
        if ask(cluster, 'a', '/readyz')[0] != 200:
            return 1e9
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def probes_are_not_starved():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        idle = open_idle(cluster, 300)
        slowest = slowest_probe(cluster, 20)
        checks.that('300 idle connections shut out no probe', slowest < 2, slowest)
        slow = open_idle(cluster, 64)
        for one in slow:
            one.sendall(b'GET /healthz HTTP/1.1\r\nHost: 127')
        slowest = slowest_probe(cluster, 20)
        checks.that('nor do 64 half requests', slowest < 2, slowest)

        def ended():
            slow[-1].settimeout(0.1)
            try:
                return slow[-1].recv(1) == b''
            except socket.timeout:
                return False
            except OSError:
                return True

        checks.that('a request that does not end is closed', until(ended, 9))
        pid = cluster.processes['a'].pid
        open_files = len(os.listdir('/proc/%d/fd' % pid))
        checks.that('they hold few descriptors', open_files < 100, open_files)
        for one in idle + slow:
            one.close()


def requests_of_other_sites():
    with Cluster(BINARY, 'a', 'admin: {hosts: [proxy.example]}') as cluster:
        cluster.start().wait_settled()
        port = cluster.port('a', 'admin')
        json_type = {'Content-Type': 'application/json'}
        for name, method, headers, wanted in (
            ('a foreign Origin', 'POST', dict(json_type, Origin='http://evil.example'), 403),
            ('no JSON', 'POST', {'Content-Type': 'text/plain'}, 415),
            ('a foreign Host', 'GET', {'Host': 'evil.example:%d' % port}, 403),
            ('a Host of admin.hosts', 'GET', {'Host': 'proxy.example'}, 200),
            ('its own origin', 'POST', dict(json_type, Origin='http://127.0.0.1:%d' % port), 202),
            ('no origin', 'POST', json_type, 202),
        ):
            status, said, _ = ask(cluster, 'a', '/api/v1/repair', method, headers)
            checks.that('%s with %s: %d' % (method, name, wanted), status == wanted, said)
        headers = ask(cluster, 'a', '/livez')[2]
        policy = headers.get('Content-Security-Policy', '')
        checks.that('a policy for pages', "default-src 'self'" in policy and 'ancestors' in policy)
        checks.that('no framing', headers.get('X-Frame-Options') == 'DENY', headers)


def own_address():
    """An address of this machine that is not loopback, if there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))  # sends nothing
            return probe.getsockname()[0]
        except OSError:
            return '127.0.0.1'


def other_hosts():
    address = own_address()
    if address.startswith('127.'):
        return print('skipped: this machine has no address but loopback')
    for password, wanted in (('', (403, 403)), ('sesame', (401, 200))):
        with Cluster(BINARY, 'a', 'password: "%s"' % password) as cluster:
            port = cluster.port('a', 'admin')
            cluster.start(options=['--admin', '0.0.0.0:%d' % port])
            cluster.wait_log('a', 'takes clients')
            given = {'Authorization': 'Basic YW55OnNlc2FtZQ=='}  # any:sesame
            answers = []
            for headers in ({}, given):
                connection = http.client.HTTPConnection(address, port, 5)
                connection.request('GET', '/api/v1/status', headers=headers)
                answers.append(connection.getresponse().status)
                connection.close()
            name = 'another host %s a password' % ('with' if password else 'without')
            checks.that('%s: %d, %d' % (name, *wanted), tuple(answers) == wanted, answers)
            checks.that('this machine is served', ask(cluster, 'a', '/api/v1/status')[0] == 200)


def main():
    for scenario in (
        one_node_is_ready,
        quorum_lost,
        hints_and_repair_are_told,
        secret_refused,
        probes_are_not_starved,
        requests_of_other_sites,
        other_hosts,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
