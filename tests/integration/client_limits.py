#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a node allows its clients: how long they may be idle, what TCP asks them, how many messages
wait for a subscriber, Unix sockets, half-closed connections. client_limits.py [path/to/kvorum];
ends with `N passed, N failed`."""
import os
import signal
import socket
import stat
import sys
import time

from node_processes import KINDS, Checks, Cluster, Resp, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MEMORY = 'engine: {type: memory}\n'
checks = Checks()


class PathResp(Resp):
    """A client of a Unix socket."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.file = self.socket.makefile('rb')


def is_closed(connection):
    connection.settimeout(0.05)
    try:
        return connection.recv(1) == b''
    except socket.timeout:
        return False
    except OSError:
        return True


def facts(client):
    lines = client('INFO', 'clients').decode().split('\r\n')
    return dict(line.split(':', 1) for line in lines if ':' in line)


def reload(cluster, old, new):
    with open(cluster.config, encoding='utf-8') as file:
        text = file.read()
    with open(cluster.config, 'w', encoding='utf-8') as file:
        file.write(text.replace(old, new))
    cluster.processes['a'].send_signal(signal.SIGHUP)


def idle_clients():
    with Cluster(BINARY, 'a', MEMORY + 'limits: {client_idle: 2s}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as busy:
            told = busy('CONFIG', 'GET', 'timeout')
            checks.that('CONFIG GET timeout', told == [b'timeout', b'2'], told)
            idle, subscriber, sender = (cluster.resp('a') for _ in range(3))
            memcached = socket.create_connection(('127.0.0.1', cluster.port('a', 'memcached')))
            idle('PING')
            subscriber('SUBSCRIBE', 'channel')
            sender.socket.sendall(b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n')
            began = time.monotonic()

            # One byte at a time of a request is something, and so is a request.
            def ended():
                sender.socket.sendall(b'v')
                assert busy('PING') == b'PONG'
                time.sleep(0.1)
                return is_closed(idle.socket) and is_closed(memcached)

            closed = until(ended, 20)
            seconds = time.monotonic() - began
            checks.that('idle clients are closed (%.1f s)' % seconds, closed and seconds > 1.5,
                        seconds)
            checks.that('INFO counts them', facts(busy)['client_idle_closed'] == '2', facts(busy))
            checks.that('one who sends is not', not is_closed(sender.socket))
            checks.that('one who is subscribed is not', not is_closed(subscriber.socket))
            reload(cluster, 'client_idle: 2s', 'client_idle: 0s')
            until(lambda: busy('CONFIG', 'GET', 'timeout')[1] == b'0', 5)
            checks.that('it changes while the node serves',
                        busy('CONFIG', 'GET', 'timeout')[1] == b'0')
            with cluster.resp('a') as later:
                later('PING')
                until(lambda: busy('PING') != b'PONG', 3)
                checks.that('0: nobody is closed', later('PING') == b'PONG')


def timers(cluster):
    """The keepalive timers of the connections that the node holds, in seconds."""
    port = ':%04X ' % cluster.port('a')
    with open('/proc/net/tcp', encoding='ascii') as file:
        rows = [line.split() for line in file if port in line]
    ours = [row for row in rows if row[1].endswith(port.strip()) and row[3] == '01']
    return [int(row[5].split(':')[1], 16) / os.sysconf('SC_CLK_TCK') for row in ours
            if row[5].startswith('02:')]


def soon(cluster, least, most):
    """One connection has such a timer, once what was sent is acknowledged."""
    def is_so():
        seen = timers(cluster)
        return len(seen) == 1 and least < seen[0] <= most
    return until(is_so, 5)


def keepalive():
    with Cluster(BINARY, 'a', MEMORY + 'limits: {client_keepalive: 100s}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('PING')
            told = client('CONFIG', 'GET', 'tcp-keepalive')
            checks.that('CONFIG GET tcp-keepalive', told == [b'tcp-keepalive', b'100'], told)
            checks.that('TCP asks after 100 s', soon(cluster, 80, 101), timers(cluster))
            reload(cluster, 'client_keepalive: 100s', 'client_keepalive: 0s')
            until(lambda: client('CONFIG', 'GET', 'tcp-keepalive')[1] == b'0', 5)
            with cluster.resp('a') as later:
                later('PING')
                checks.that('0: it does not ask new ones', soon(cluster, 60, 101), timers(cluster))
    with Cluster(BINARY, 'a', MEMORY) as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('PING')
            checks.that('usually after 300 s', soon(cluster, 280, 301), timers(cluster))


def subscribers_that_do_not_read():
    limits = ('limits: {subscriber_output: 8mb, subscriber_behind: 1mb, '
              'subscriber_behind_wait: 2s}')
    with Cluster(BINARY, 'a', MEMORY + limits) as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 30) as publisher:
            told = publisher('CONFIG', 'GET', 'client-output-buffer-limit')[1]
            checks.that('CONFIG GET client-output-buffer-limit',
                        told.endswith(b'pubsub 8388608 1048576 2'), told)

            def deaf():
                client = cluster.resp('a')
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client('SUBSCRIBE', 'channel')
                return client

            message = 'm' * 100_000

            def hearers():
                return publisher('PUBLISH', 'channel', message)

            first = deaf()
            count = 0
            while hearers() == 1 and count < 1000:
                count += 1
            checks.that('past the hard limit it is closed (%d messages)' % count,
                        70 <= count < 250, count)
            second = deaf()
            began = time.monotonic()
            for _ in range(75):  # sockets hold some
                hearers()
            gone = until(lambda: time.sleep(0.1) or publisher('PUBLISH', 'channel', 'm') == 0, 20)
            seconds = time.monotonic() - began
            checks.that('past the soft one after its time (%.1f s)' % seconds,
                        gone and 1.5 < seconds, seconds)
            for client in (first, second):
                client.socket.close()


def unix_sockets():
    with Cluster(BINARY, 'a') as cluster:
        redis, memcached = (os.path.join(cluster.folder, name) for name in ('r.sock', 'm.sock'))
        extra = MEMORY + (
            'reactors: 2\nlisten: {redis_socket: %s, memcached_socket: %s, socket_mode: 0770}\n'
            % (redis, memcached))
        config = cluster.write_config('sockets.yaml', extra, 'name: test\n  partitions: 16')
        cluster.start(config=config).wait_settled()
        clients = [PathResp(redis) for _ in range(20)]
        answers = [client('SET', 'k%d' % at, at) for at, client in enumerate(clients)]
        checks.that('clients of a Unix socket are served', answers == [b'OK'] * 20, answers)
        mode = stat.S_IMODE(os.stat(redis).st_mode)
        checks.that('its mode', mode == 0o770, oct(mode))
        listed = clients[0]('CLIENT', 'LIST').decode()
        checks.that('CLIENT LIST shows the path', ' addr=%s:0 ' % redis in listed, listed)
        told = clients[0]('CONFIG', 'GET', 'unixsocket*')
        checks.that('CONFIG GET unixsocket*', told == [
            b'unixsocket', redis.encode(), b'unixsocketperm', b'770'], told)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(memcached)
            connection.sendall(b'set a 0 0 1\r\nx\r\nget a\r\nstats settings\r\n')
            text = b''
            while not text.endswith(b'END\r\n') or b'domain_socket' not in text:
                text += connection.recv(65536)
            checks.that('memcached, too', text.startswith(b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
                        text)
            checks.that('stats settings tells it',
                        b'STAT domain_socket ' + memcached.encode() in text, text)
        cluster.reserve('b')
        options = ['--data', os.path.join(cluster.folder, 'b')]
        for kind in KINDS:
            options += ['--' + kind, cluster.address('b', kind)]
        cluster.start('b', config=config, options=options)
        status = cluster.processes['b'].wait(20)
        said = cluster.log('b')
        checks.that('a path that is in use: status 1', status == 1, (status, said))
        checks.that('and a sentence that names it', redis in said and 'another path' in said, said)
        checks.that('its holder still serves', clients[1]('GET', 'k3') == b'3')
        cluster.end('a', signal.SIGKILL)
        checks.that('kill -9 leaves the file', os.path.exists(redis))
        cluster.start('a', config=config).wait_settled()
        checks.that('which the next one replaces', PathResp(redis)('PING') == b'PONG')
        cluster.end('a')
        checks.that('a stop removes it', not os.path.exists(redis) and
                    not os.path.exists(memcached))


def half_closed():
    """Clients that send no more get what they asked for; those that never read are closed."""
    limits = 'limits: {in_flight: 64mb, client_output_wait: 1s}\n'
    with Cluster(BINARY, 'a', MEMORY + limits) as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 20) as other:
            other('SET', 'big', b'v' * 100_000)
            polite = socket.create_connection(('127.0.0.1', cluster.port('a')), 10)
            polite.sendall(Resp.encode('GET', 'big') * 50)
            polite.shutdown(socket.SHUT_WR)
            got = 0
            while True:
                part = polite.recv(1 << 20)
                if not part:
                    break
                got += len(part)
            checks.that('it gets all, then the end', got == 50 * 100_011, got)
            silent = []
            for at in range(200):
                connection = socket.create_connection(('127.0.0.1', cluster.port('a')), 10)
                connection.sendall(Resp.encode('GET', 'big') * 30 if at % 2 else b'*2\r\n$3\r\nGE')
                connection.shutdown(socket.SHUT_WR)
                silent.append(connection)
            gone = until(lambda: int(facts(other)['connected_clients']) == 1, 20)
            checks.that('those that never read are closed in the end', gone, facts(other))
            checks.that('others are served', len(other('GET', 'big')) == 100_000)
            for connection in silent:
                connection.close()


def queries_are_bounded():
    with Cluster(BINARY, 'a', MEMORY + 'limits: {in_flight: 64mb}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 20) as client:
            told = client('CONFIG', 'GET', 'client-query-buffer-limit')
            checks.that('CONFIG GET client-query-buffer-limit',
                        told == [b'client-query-buffer-limit', b'%d' % (64 << 20)], told)
            told = client('CONFIG', 'GET', 'tcp-backlog')
            checks.that('CONFIG GET tcp-backlog', told == [b'tcp-backlog', b'1024'], told)
            with cluster.resp('a') as rude:
                rude.socket.sendall(b'*1\r\n$600000000\r\n')
                said = rude.read()
                refused = isinstance(said, RespError) and 'invalid bulk length' in str(said)
                checks.that('a word beyond limits.value is refused', refused, said)


def main():
    for scenario in (idle_clients, keepalive, subscribers_that_do_not_read, unix_sockets,
                     half_closed, queries_are_bounded):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
