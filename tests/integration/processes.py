#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""One node as a process: starting, refusing to start, stopping, surviving kill -9, and clients that
are many, large, slow or rude. processes.py [path/to/kvorum]; ends with `N passed, N failed`."""
import json
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request

from node_processes import Checks, Cluster, RespError, free_ports, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()


def is_error(reply, start):
    return isinstance(reply, RespError) and str(reply).startswith(start)


def acknowledged_survives_kill():
    with Cluster(BINARY, 'a', 'engine: {type: leveldb, sync: interval}') as cluster:
        cluster.start().wait_settled()
        acknowledged = []

        def write():
            try:
                with cluster.resp('a') as client:
                    for i in range(10**6):
                        if client('SET', 'key%d' % i, 'value%d' % i) != b'OK':
                            return
                        acknowledged.append(i)
            except (OSError, RespError):
                pass  # the kill

        writer = threading.Thread(target=write)
        writer.start()
        until(lambda: len(acknowledged) > 3000, 20)
        cluster.end('a', signal.SIGKILL)
        writer.join()
        count = len(acknowledged)
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            lost = []
            for first in range(0, count, 500):
                numbers = range(first, min(first + 500, count))
                values = client('MGET', *['key%d' % i for i in numbers])
                lost += [i for i, value in zip(numbers, values) if value != b'value%d' % i]
        checks.that('kill -9 loses nothing of %d acknowledged writes' % count, not lost, lost[:9])
        checks.that('it was noticed', cluster.wait_log('a', 'not a clean one', 1))


def stops_cleanly():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client, cluster.resp('a') as idle:
            client('SET', 'k', 'v')
            pipeline = b''.join(client.encode('INCR', 'n') for _ in range(2000))
            client.socket.sendall(pipeline)
            first = client.read()
            status = cluster.end('a')
            answered = 1
            try:
                while client.read() == answered + 1:
                    answered += 1
            except (RespError, OSError):
                pass
            idle.socket.settimeout(5)
            closed = idle.socket.recv(1) == b''
        checks.that('SIGTERM under load ends with status 0', status == 0 and first == 1, status)
        checks.that('idle clients are disconnected', closed)
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            counted = int(client('GET', 'n'))
            checks.that('what was answered before the stop is there', counted >= answered, counted)
            checks.that('and the rest', client('GET', 'k') == b'v')
        checks.that(
            'the stop was a clean one', 'not a clean' not in cluster.log('a').split('stopped')[1]
        )
        status = cluster.end('a', signal.SIGINT)
        checks.that('SIGINT ends with status 0', status == 0, status)


def memory_engine_forgets():
    with Cluster(BINARY, 'a', 'engine: {type: memory}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('SET', 'k', 'v')
        checks.that('a memory node ends with status 0', cluster.end('a') == 0)
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            checks.that('and starts empty', client('GET', 'k') is None)
            checks.that('and takes writes', client('SET', 'k', 'w') == b'OK')
            checks.that('FLUSHALL is acknowledged', client('FLUSHALL') == b'OK')


def flush_survives_kill():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('SET', 'before', 'x')
            checks.that('FLUSHALL', client('FLUSHALL') == b'OK')
            client('SET', 'after', 'y')
        cluster.end('a', signal.SIGKILL)
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            got = client('MGET', 'before', 'after')
            checks.that('a flush survives kill -9', got == [None, b'y'], got)


def port_in_use():
    with Cluster(BINARY, 'ab') as cluster:
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(('127.0.0.1', cluster.port('a')))
            holder.listen()
            cluster.start('a')
            status = cluster.processes['a'].wait(10)
        said = cluster.log('a')
        words = ('redis', '127.0.0.1:%d' % cluster.port('a'), 'in use', 'another port')
        checks.that('a port in use: status 1', status == 1, status)
        checks.that('and a sentence that names it', all(word in said for word in words), said)
        cluster.start('b')
        cluster.wait_log('b', 'takes clients')
        second = run(BINARY, 'serve', '--config', cluster.config, '--name', 'b')
        checks.that('a second process of a node: status 1', second.returncode == 1, second.stderr)


def data_directory_of_another():
    with Cluster(BINARY, 'ab') as cluster:
        cluster.start('b').wait_log('b', 'takes clients')
        foreign = os.path.join(cluster.folder, 'b')
        arguments = (BINARY, 'serve', '--config', cluster.config, '--name', 'a', '--data', foreign)
        in_use = run(*arguments)
        checks.that('a data directory in use: status 1', in_use.returncode == 1)
        pid = str(cluster.processes['b'].pid)
        checks.that(
            'its holder is named', pid in in_use.stderr and 'node b' in in_use.stderr, in_use.stderr
        )
        cluster.end('b')
        belongs = run(*arguments)
        checks.that('a data directory of another node: status 1', belongs.returncode == 1)
        checks.that('both are named', 'belongs to node b' in belongs.stderr, belongs.stderr)
        config = cluster.write_config('other.yaml', '', 'name: test\n  partitions: 32')
        other = run(BINARY, 'serve', '--config', config, '--name', 'b')
        checks.that('of another founding: status 1', other.returncode == 1, other.stderr)
        checks.that('and why', 'founded with cluster.partitions 16' in other.stderr, other.stderr)


def configuration_with_mistakes():
    with Cluster(BINARY, 'a') as cluster:
        path = os.path.join(cluster.folder, 'bad.yaml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(
                'node: {nam: a}\nlimits: {clients: many}\nkeyspaces:\n  default: {n: 3, r: 9}\n'
            )
        for command in (('serve', '--config', path), ('config', 'check', path)):
            done = run(BINARY, *command)
            checks.that('%s: status 2' % command[0], done.returncode == 2, done.returncode)
            lines = [line for line in done.stderr.splitlines() if line.startswith(path + ':')]
            places = [line[len(path) + 1 :].split(':')[0] for line in lines]
            checks.that('%s: all three places' % command[0], places == ['1', '2', '4'], done.stderr)
        done = run(BINARY, 'serve', '--config', '/nowhere.yaml')
        checks.that('a file that is missing: status 2', done.returncode == 2, done.stderr)
        for wrong in (['serve', '--nonsense'], [], ['dev', '--nodes', '0']):
            done = run(BINARY, *wrong)
            checks.that('wrong usage %s: status 2' % wrong, done.returncode == 2, done.returncode)
    with Cluster(BINARY, 'ab') as cluster:
        done = run(BINARY, 'serve', '--config', cluster.config)
        checks.that('several members, no name: status 2', done.returncode == 2, done.stderr)
        checks.that('the choices are named', 'a' in done.stderr and 'b' in done.stderr, done.stderr)
        shown = run(BINARY, 'config', 'show', cluster.config, '--name', 'b')
        checks.that(
            'config show', shown.returncode == 0 and 'partitions: 16' in shown.stdout, shown
        )


def rude_clients():
    with Cluster(BINARY, 'a', 'limits: {clients: 20}') as cluster:
        cluster.start().wait_settled()
        held = cluster.only_clients('a', 20)
        checks.that('as many clients as configured', all(one('PING') == b'PONG' for one in held))
        with cluster.resp('a') as late:
            said = late.read()
            checks.that('one more is told', str(said) == 'ERR max number of clients reached', said)
        held.pop().__exit__()

        def has_room():
            try:
                with cluster.resp('a') as client:
                    return client('PING') == b'PONG'
            except (OSError, RespError):
                return False

        checks.that('a place that was left is free again', until(has_room, 5))
        for client in held:
            client.__exit__()
        with socket.create_connection(('127.0.0.1', cluster.port('a')), 5) as garbage:
            garbage.sendall(os.urandom(100000).replace(b'*', b'x').replace(b'\n', b'y') + b'\r\n')
            garbage.settimeout(5)
            try:
                while garbage.recv(65536):
                    pass
                ended = True
            except ConnectionResetError:
                ended = True
            checks.that('garbage ends the connection', ended)
        with cluster.resp('a') as client:
            checks.that('and nothing else', client('SET', 'k', 'v') == b'OK')


def password():
    with Cluster(BINARY, 'a', 'password: "open sesame"') as cluster:
        cluster.start()
        cluster.wait_log('a', 'takes clients')
        with cluster.resp('a') as client:
            checks.that('without a password: NOAUTH', is_error(client('GET', 'k'), 'NOAUTH'))
            checks.that('a wrong one: WRONGPASS', is_error(client('AUTH', 'x'), 'WRONGPASS'))
            checks.that('the right one', client('AUTH', 'open sesame') == b'OK')
            checks.that('then it serves', client('SET', 'k', 'v') == b'OK')
        shown = run(BINARY, 'config', 'show', cluster.config)
        checks.that('config show masks it', 'sesame' not in shown.stdout and shown.returncode == 0)


def large_values():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        value = os.urandom(1 << 20) * 8
        with cluster.resp('a', 20) as client:
            checks.that('8 MB in', client('SET', 'big', value) == b'OK')
            checks.that('8 MB out', client('GET', 'big') == value)
            client.socket.sendall(b'*2\r\n$3\r\nGET\r\n$536870913\r\n')
            said = client.read()
            checks.that(
                'a length beyond the limit is refused', is_error(said, 'ERR Protocol'), said
            )
        # A claimed length costs nothing before the bytes come.
        before = cluster.resident_bytes('a')
        claims = [cluster.resp('a') for _ in range(50)]
        for client in claims:
            client.socket.sendall(b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nxyz')
        with cluster.resp('a') as client:
            client('PING')
        grown = cluster.resident_bytes('a') - before
        checks.that('claims of 512 MB take no memory', grown < 32 << 20, grown)


def large_value_is_told():
    with Cluster(BINARY, 'a', 'limits: {value_warn: 10kb}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('SET', 'small', b'v' * 10240)
            client('SET', 'la\nrge', b'v' * 10241)
            client('SET', 'another', b'v' * 20000)
            client('SET', 'last', 'v')
        told = cluster.wait_log('a', "10241 bytes is written to 'la\\?rge'.*value_warn")
        checks.that('a value over value_warn is reported', told, cluster.log('a'))
        lines = cluster.log('a').count('is written to')
        checks.that('once, not for each', lines == 1, cluster.log('a'))


def slow_reader():
    extra = 'limits: {pipeline_bytes: 4mb}\nengine: {type: memory, memory: 1gb}'
    with Cluster(BINARY, 'a', extra) as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 30) as client, cluster.resp('a') as other:
            value = b'v' * 1_000_000
            client('SET', 'big', value)
            before = cluster.resident_bytes('a')
            # Far more than the node keeps for one client (16 MB of 256) and than is on its way: the
            # sender blocks once the node stops reading.
            requests = client.encode('GET', 'big') + client.encode('SET', 'k', value[:250000])
            requests *= 300
            sender = threading.Thread(target=client.socket.sendall, args=(requests,))
            sender.start()
            highest = 0

            def grows():
                nonlocal highest
                other('PING')
                highest = max(highest, cluster.resident_bytes('a') - before)
                return highest > 64 << 20

            checks.that('a slow reader does not fill the memory', not until(grows, 1), highest)
            checks.that('it is not read from', sender.is_alive())
            checks.that('others are served', other('SET', 'k', 'v') == b'OK')
            right = sum(client.read() == value and client.read() == b'OK' for _ in range(300))
            sender.join()
            checks.that('it gets every reply once it reads', right == 300, right)


def http(cluster, path, method='GET'):
    request = urllib.request.Request(
        'http://127.0.0.1:%d%s' % (cluster.port('a', 'admin'), path), method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def admin_api():
    with Cluster(BINARY, 'a', 'password: "sesame"') as cluster:
        cluster.start()
        cluster.wait_log('a', 'takes clients')
        checks.that('/healthz', http(cluster, '/healthz') == (200, 'ok\n'))
        status = json.loads(http(cluster, '/api/v1/status')[1])
        checks.that(
            '/api/v1/status', status['name'] == 'a' and status['state'] == 'settled', status
        )
        ring = json.loads(http(cluster, '/api/v1/ring')[1])
        checks.that('/api/v1/ring', ring['owners'] == ['a'] * 16, ring)
        key = json.loads(http(cluster, '/api/v1/ring?key=a%20b&db=3')[1])
        checks.that('/api/v1/ring?key=', key['primaries'] == ['a'] and key['db'] == 3, key)
        code, config = http(cluster, '/api/v1/config')
        checks.that('/api/v1/config masks the password', code == 200 and 'sesame' not in config)
        metrics = http(cluster, '/metrics')[1]
        checks.that('/metrics', 'kvorum_member_up{member="a"} 1' in metrics, metrics)
        code, said = http(cluster, '/api/v1/nothing')
        checks.that('404 as JSON', code == 404 and 'error' in json.loads(said), said)
        code, said = http(cluster, '/metrics', 'DELETE')
        checks.that('405 as JSON', code == 405 and 'error' in json.loads(said), said)
        with socket.create_connection(('127.0.0.1', cluster.port('a', 'admin')), 5) as garbage:
            garbage.sendall(b'GET / HTTP/1.1\r\n' + b'x: ' + b'y' * 200000)
            garbage.settimeout(5)
            try:
                ended = len(garbage.recv(1000)) < 1000
            except ConnectionError:
                ended = True
            checks.that('a request without end is cut off', ended)
        checks.that('and the next is answered', http(cluster, '/healthz')[0] == 200)
        done = run(BINARY, 'status', '--admin', '127.0.0.1:%d' % free_ports(1)[0])
        checks.that('status of nobody: status 2', done.returncode == 2 and 'reach' in done.stderr)


def logs_as_json():
    with Cluster(BINARY, 'a', 'log: {format: json}') as cluster:
        cluster.start().wait_settled()
        lines = [json.loads(line) for line in cluster.log('a').splitlines()]
        checks.that(
            'every line of the log is JSON', lines and all('message' in one for one in lines)
        )


def main():
    for scenario in (
        acknowledged_survives_kill,
        stops_cleanly,
        memory_engine_forgets,
        flush_survives_kill,
        port_in_use,
        data_directory_of_another,
        configuration_with_mistakes,
        rude_clients,
        password,
        large_values,
        large_value_is_told,
        slow_reader,
        admin_api,
        logs_as_json,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
