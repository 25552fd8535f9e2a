#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients of memcached's protocols can make a node hold or wait for, as redis clients in
memory_bounds.py: replies that nobody reads, bodies that are announced and do not come, sockets that
are half closed, values and lines of megabytes. memcached_bounds.py [path/to/kvorum]; ends with
`N passed, N failed`."""
# alone: memory is measured
import socket
import struct
import sys

from memcached_binary_differential import END, HEADER, Peer, frame
from memory_bounds import Watch, is_closed, send_all
from node_processes import Checks, Cluster, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()

IN_FLIGHT = 64 << 20
LIMITS = 'limits: {in_flight: 64mb, client_output_wait: 1s, item: 512mb}\n'
LIMITS += 'engine: {type: memory, memory: 1gb}'
STORE = struct.pack('>II', 7, 0)
VALUE = bytes(range(256)) * 400


def lone():
    return Cluster(BINARY, 'a', LIMITS)


def connect(cluster):
    return socket.create_connection(('127.0.0.1', cluster.port('a', 'memcached')), 20)


def peer(cluster):
    return Peer(cluster.port('a', 'memcached'))


def ask(client, *wire):
    """The bodies and statuses of the replies before that of a noop."""
    client.sock.sendall(b''.join(wire) + frame(0x0A, opaque=END))
    got = []
    while True:
        fields, body = client.read_frame()
        if fields[7] == END:
            return got
        got.append((fields[5], body))


def closed_by_server(connection):
    connection.settimeout(10)
    try:
        return connection.recv(100) == b''
    except ConnectionError:
        return True


def replies_that_nobody_reads():
    with lone() as cluster:
        cluster.start().wait_settled()
        other = peer(cluster)
        ask(other, frame(0x01, b'big', STORE, VALUE))
        watch = Watch(cluster, 'a')
        deaf = [connect(cluster) for _ in range(10)]
        for connection in deaf:
            send_all(connection, frame(0x00, b'big') * 2000, 0.5)
        checks.that('binary: others are served beside clients that do not read',
                    ask(other, frame(0x00, b'big')) == [(0, STORE[:4] + VALUE)])
        with cluster.resp('a', 10) as redis:
            # Not all of them: who holds little, once others are gone, may stay.
            closed = until(lambda: b'output_closed:0\r\n' not in redis('INFO', 'clients'), 30)
            checks.that('binary: who takes no reply is closed', closed, redis('INFO', 'clients'))
        watch.finish()
        checks.that('binary: it notices', until(lambda: any(map(is_closed, deaf)), 10))
        checks.that('binary: memory stays within in_flight (+%d MB)' % (watch.growth() >> 20),
                    watch.growth() <= IN_FLIGHT * 5 // 4, watch.growth())


def bodies_that_do_not_come():
    with lone() as cluster:
        cluster.start().wait_settled()
        other = peer(cluster)
        watch = Watch(cluster, 'a')
        announced = frame(0x01, b'key', STORE, body=11 + (500 << 20)) + b'x' * 1000
        waiting = [connect(cluster) for _ in range(200)]
        for connection in waiting:
            connection.sendall(announced)
        served = [ask(other, frame(0x01, b'k', STORE, b'v'), frame(0x00, b'k')) for _ in range(50)]
        watch.finish()
        checks.that('200 bodies of 500 MB that do not come: others are served',
                    served == [[(0, b''), (0, STORE[:4] + b'v')]] * 50, served[:1])
        checks.that('and memory stays (+%d MB)' % (watch.growth() >> 20),
                    watch.growth() <= IN_FLIGHT * 5 // 4, watch.growth())
        for connection in waiting:
            connection.close()
        refused = peer(cluster)
        refused.sock.sendall(frame(0x01, b'k', STORE, body=9 + (600 << 20)))
        fields, body = refused.read_frame()
        checks.that('a body over limits.value is refused at its header',
                    (fields[5], body) == (3, b'Too large.'), (fields, body))
        until(lambda: ask(other, frame(0x00, b'k'))[0][0] == 1, 5)
        checks.that('and the old value is gone', ask(other, frame(0x00, b'k'))[0][0] == 1)


def half_closed():
    with lone() as cluster:
        cluster.start().wait_settled()
        client = peer(cluster)
        client.sock.sendall(frame(0x01, b'k', STORE, VALUE) + frame(0x00, b'k') * 50)
        client.sock.shutdown(socket.SHUT_WR)
        got = [client.read_frame() for _ in range(51)]
        checks.that('a half-closed client gets its replies',
                    [body for _, body in got] == [b''] + [STORE[:4] + VALUE] * 50)
        checks.that('and is closed then', closed_by_server(client.sock))
        for what, part in (('header', frame(0x00, b'k')[:20]), ('frame', frame(0x00, b'key')[:25])):
            connection = connect(cluster)
            connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            checks.that('half a %s and no more: closed' % what, closed_by_server(connection))


def megabytes():
    with lone() as cluster:
        cluster.start().wait_settled()
        client = peer(cluster)
        large = VALUE * 60
        checks.that('binary: a value of 6 MB is stored', ask(
            client, frame(0x01, b'large', STORE, large))[0] == (0, b''))
        got = ask(client, frame(0x0C, b'large'), frame(0x0E, b'large', value=b'end'),
                  frame(0x1D, b'large', b'\0\0\0\0'))
        checks.that('and read, joined, touched',
                    [body for _, body in got] == [STORE[:4] + b'large' + large, b'',
                                                  STORE[:4] + large + b'end'])
        with connect(cluster) as text, text.makefile('rb') as lines:
            text.sendall(b'ms meta %d T100\r\n' % len(large) + large + b'\r\nmg meta v t\r\n')
            checks.that('meta: a value of 6 MB', lines.readline() == b'HD\r\n')
            checks.that('meta: and its head', lines.readline() == b'VA %d t100\r\n' % len(large))
            checks.that('meta: and its bytes', lines.read(len(large) + 2) == large + b'\r\n')
            keys = [b'key:%020d' % at for at in range(300_000)]
            text.sendall(b'set %s 0 0 1\r\n1\r\nset %s 0 0 1\r\n2\r\n' % (keys[0], keys[-1]))
            lines.readline()
            lines.readline()
            line = b'get ' + b' '.join(keys) + b'\r\n'
            text.sendall(line)
            wanted = b'VALUE %s 0 1\r\n1\r\nVALUE %s 0 1\r\n2\r\nEND\r\n' % (keys[0], keys[-1])
            checks.that('text: a get with a line of %d MB' % (len(line) >> 20),
                        lines.read(len(wanted)) == wanted)


def main():
    checks.that('the header has 24 bytes', HEADER.size == 24)
    for name, scenario in (
        ('replies that nobody reads', replies_that_nobody_reads),
        ('bodies that do not come', bodies_that_do_not_come),
        ('half closed', half_closed),
        ('megabytes', megabytes),
    ):
        checks.attempt(name, scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
