#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CONFIG SET of what a running node changes: how many clients, how long they may be idle, what
waits for them, the password. live_settings.py [path/to/kvorum]; ends with `N passed, N failed`."""
import signal
import socket
import sys
import time

from node_processes import Checks, Cluster, Resp, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
TWO = 'engine: {type: memory}\nreactors: 2\n'
OUTPUT = 'client-output-buffer-limit'
checks = Checks()


def refused(client, *words):
    said = client('CONFIG', 'SET', *words)
    return str(said).partition(' - ')[2] if isinstance(said, RespError) else ''


def value(client, name):
    return client('CONFIG', 'GET', name)[1].decode()


def has_ended(connection, seconds=15):
    def ended():
        connection.settimeout(0.05)
        try:
            while True:
                if connection.recv(1 << 16) == b'':
                    return True
        except socket.timeout:
            return False
        except OSError:
            return True
    return until(ended, seconds)


def leave(*clients):
    for client in clients:
        client.file.close()
        client.socket.close()


def greeting(cluster):
    """What a new connection is told to PING."""
    with cluster.resp('a') as client:
        try:
            return str(client('PING'))
        except (OSError, RespError) as error:
            return str(error)


def clients_max(cluster):
    with cluster.resp('a') as client:
        others = [cluster.resp('a') for _ in range(7)]
        for other in others:
            other('PING')
        checks.that('fewer than there are', client('CONFIG', 'SET', 'maxclients', 3) == b'OK')
        checks.that('it is shown', value(client, 'maxclients') == '3')
        checks.that('INFO shows it', b'maxclients:3\r' in client('INFO', 'clients'))
        checks.that('nobody is closed', all(other('PING') == b'PONG' for other in others))
        said = greeting(cluster)
        checks.that('one more is refused', 'max number of clients reached' in said, said)
        leave(*others)
        room = until(lambda: greeting(cluster) == "b'PONG'", 5)
        checks.that('until others have gone', room)
        for number in ('0', '-1', '4294967296'):
            said = refused(client, 'maxclients', number)
            wanted = 'argument must be between 1 and 4294967295 inclusive'
            checks.that('not ' + number, said == wanted, said)
        for text in ('', 'x', '1.5', '1gb', '9' * 30):
            said = refused(client, 'maxclients', text)
            checks.that('no number: %r' % text, 'parsed into an integer' in said, said)
        said = refused(client, 'maxclients', '4294967295')
        checks.that('more than there are descriptors', 'not able to handle' in said, said)
        most = said.rpartition(' ')[2]
        checks.that('but so many', refused(client, 'maxclients', most) == '', most)
        checks.that('which are shown', value(client, 'maxclients') == most)
        said = refused(client, 'maxclients', int(most) + 1)
        checks.that('and no more', said.endswith('try with ' + most), said)
        client('CONFIG', 'SET', 'maxclients', '10000')


def timeouts(cluster):
    with cluster.resp('a') as client:
        idle = [cluster.resp('a') for _ in range(3)]
        hearer = cluster.resp('a')
        for one in idle:
            one('PING')
        hearer('SUBSCRIBE', 'channel')
        client('CONFIG', 'SET', 'timeout', '1', 'tcp-keepalive', '77')
        shown = (value(client, 'timeout'), value(client, 'tcp-keepalive'))
        checks.that('both are shown', shown == ('1', '77'), shown)
        gone = until(lambda: client('PING') and b'idle_closed:3\r' in client('INFO', 'clients'), 15)
        checks.that('those there are already are closed', gone, client('INFO', 'clients'))
        checks.that('all of them', all(has_ended(one.socket) for one in idle))
        client('CONFIG', 'SET', 'timeout', '0')
        one = cluster.resp('a')
        one('PING')
        time.sleep(2)
        checks.that('0: nobody is', one('PING') == b'PONG' and client('PING') == b'PONG')
        for name in ('timeout', 'tcp-keepalive'):
            for number in ('-1', '2147483648'):
                said = refused(client, name, number)
                wanted = 'argument must be between 0 and 2147483647 inclusive'
                checks.that('%s is not %s' % (name, number), said == wanted, said)
            checks.that(name + ' may be large', refused(client, name, '2147483647') == '')
            checks.that('and is shown', value(client, name) == '2147483647')
        checks.that('connections come', greeting(cluster) == "b'PONG'")
        client('CONFIG', 'SET', 'timeout', '0', 'tcp-keepalive', '300')


def all_or_none(cluster):
    with cluster.resp('a') as client:
        before = client('CONFIG', 'GET', 'timeout', 'maxclients', OUTPUT, 'requirepass', 'hz')
        said = refused(client, 'timeout', '9', 'maxclients', '99', 'hz', '50', 'requirepass', 'x',
                       OUTPUT, 'normal 1 2 3', 'tcp-keepalive', '-1')
        checks.that('the last one is wrong', 'between 0 and' in said, said)
        after = client('CONFIG', 'GET', 'timeout', 'maxclients', OUTPUT, 'requirepass', 'hz')
        checks.that('none is set', before == after, after)
        said = refused(client, 'timeout', '9', 'TIMEOUT', '9')
        checks.that('nor one twice', said == 'duplicate parameter', said)
        client('MULTI')
        client('CONFIG', 'SET', 'timeout', '500')
        client('CONFIG', 'GET', 'timeout')
        said = client('EXEC')
        checks.that('in a transaction', said == [b'OK', [b'timeout', b'500']], said)
        client.socket.sendall(Resp.encode('CONFIG', 'SET', 'timeout', '0') +
                              Resp.encode('CONFIG', 'GET', 'timeout'))
        said = [client.read(), client.read()]
        checks.that('and in a pipeline', said == [b'OK', [b'timeout', b'0']], said)


def many_at_a_time(cluster):
    """Several clients set several things: each of them holds in the end."""
    clients = [cluster.resp('a') for _ in range(20)]
    names = ('timeout', 'tcp-keepalive', 'maxclients', 'maxmemory')
    for number in range(1000, 1050):
        for at, client in enumerate(clients):
            client.socket.sendall(Resp.encode('CONFIG', 'SET', names[at % 4], number))
        said = [client.read() for client in clients]
        if said != [b'OK'] * len(clients):
            checks.that('all are taken', False, said)
        shown = {value(client, name) for client in clients[:2] for name in names}
        if shown != {str(number)}:
            checks.that('all hold', False, shown)
    checks.that('all were taken, and hold', shown == {'1049'}, shown)
    clients[0]('CONFIG', 'SET', 'timeout', '0', 'tcp-keepalive', '300', 'maxclients', '10000',
               'maxmemory', '1gb')
    leave(*clients)


def output_limits(cluster):
    with cluster.resp('a', 20) as client:
        usual = value(client, OUTPUT)
        checks.that('what is shown may be set', refused(client, OUTPUT, usual) == '', usual)
        client('CONFIG', 'SET', OUTPUT, 'pubsub 1mb 512kb 60')
        shown = value(client, OUTPUT)
        checks.that('one class', shown.endswith(' pubsub 1048576 524288 60'), shown)
        checks.that('alone', shown.startswith('normal 0 1048576 60 slave 0 0 0 '), shown)
        deaf = cluster.resp('a')
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf('SUBSCRIBE', 'channel')
        count = 0
        while client('PUBLISH', 'channel', 'm' * 100_000) == 1 and count < 1000:
            count += 1
        checks.that('a subscriber beyond it is closed (%d)' % count, 10 <= count < 200, count)
        client('CONFIG', 'SET', OUTPUT, 'pubsub 0 0 0 replica 256mb 64mb 60')
        shown = value(client, OUTPUT)
        wanted = 'slave 268435456 67108864 60 pubsub 0 0 0'
        checks.that('two classes', shown.endswith(wanted), shown)
        deaf = cluster.resp('a')
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf('SUBSCRIBE', 'channel')
        heard = [client('PUBLISH', 'channel', 'm' * 100_000) for _ in range(120)]
        checks.that('0: it is not closed', heard == [1] * 120, heard)
        leave(deaf)
        normal_clients(cluster, client)
        client('CONFIG', 'SET', OUTPUT, usual)
        client('CONFIG', 'SET', OUTPUT, 'slave 0 0 0')


def normal_clients(cluster, client):
    client('SET', 'big', b'v' * (30 << 20))

    def reader():
        one = cluster.resp('a')
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.socket.sendall(Resp.encode('GET', 'big'))
        return one

    def closed():
        text = client('INFO', 'clients').decode()
        return int(text.partition('client_output_closed:')[2].split('\r')[0])

    before = closed()
    slow = reader()
    time.sleep(2)
    checks.that('no hard limit: it may wait', closed() == before)
    client('CONFIG', 'SET', OUTPUT, 'normal 1mb 0 0')
    checks.that('beyond one it is closed', until(lambda: closed() == before + 1, 10), closed())
    client('CONFIG', 'SET', OUTPUT, 'normal 0 1mb 0')
    slow = reader()
    checks.that('or after 0 s', until(lambda: closed() == before + 2, 10), closed())
    client('CONFIG', 'SET', OUTPUT, 'normal 0 0 0')
    slow = reader()
    time.sleep(3)
    checks.that('or never', closed() == before + 2, closed())
    leave(slow)


def password(cluster):
    with cluster.resp('a') as client:
        client.socket.sendall(Resp.encode('CONFIG', 'SET', 'requirepass', 'pass word') +
                              Resp.encode('AUTH', 'wrong') + Resp.encode('AUTH', 'pass word'))
        said = [str(client.read()) for _ in range(3)]
        checks.that('it holds for the next request', said[0] == "b'OK'" and 'WRONGPASS' in said[1]
                    and said[2] == "b'OK'", said)
        checks.that('who was there goes on', client('SET', 'k', 'v') == b'OK')
        checks.that('it is shown', value(client, 'requirepass') == 'pass word')
        waiting = [cluster.resp('a') for _ in range(8)]
        said = {str(one('GET', 'k')) for one in waiting}
        checks.that('new ones log in', said == {'NOAUTH Authentication required.'}, said)
        checks.that('with it', waiting[0]('AUTH', 'pass word') == b'OK')
        with socket.create_connection(('127.0.0.1', cluster.port('a', 'memcached')), 5) as other:
            other.sendall(b'get k\r\n')
            said = other.recv(100)
            checks.that('memcached too', said == b'CLIENT_ERROR unauthenticated\r\n', said)
        checks.that('another', client('CONFIG', 'SET', 'requirepass', 'next') == b'OK')
        said = waiting[1]('AUTH', 'pass word')
        checks.that('the old one is none', isinstance(said, RespError), said)
        checks.that('none', client('CONFIG', 'SET', 'requirepass', '') == b'OK')
        said = {waiting[at]('GET', 'k') for at in range(2, 8)}
        checks.that('who waited to log in goes on', said == {b'v'}, said)
        logged = cluster.log('a')
        checks.that('the log tells, not which', 'password is ' in logged and
                    'pass word' not in logged, logged)
        leave(*waiting)


def signal_brings_the_file_back():
    limits = 'limits: {clients: 50, client_idle: 10m}\npassword: of-the-file\n'
    with Cluster(BINARY, 'a', TWO + limits) as cluster:
        cluster.start()
        with until(lambda: logged_in(cluster, 'of-the-file'), 20) as client:
            client('CONFIG', 'SET', 'maxclients', '9', 'requirepass', 'of-config-set',
                   'timeout', '0', 'maxmemory', '64mb', OUTPUT, 'normal 2mb 3mb 4')
            shown = [value(client, name) for name in ('maxclients', 'timeout', 'maxmemory', OUTPUT)]
            checks.that('set', shown[:3] == ['9', '0', '67108864'] and
                        shown[3].startswith('normal 2097152 3145728 4 '), shown)
            cluster.send('a', signal.SIGHUP)
            back = until(lambda: value(client, 'maxclients') == '50', 10)
            shown = [value(client, name) for name in ('timeout', 'maxmemory', OUTPUT)]
            checks.that('the file holds again', back and shown[:2] == ['600', str(1 << 30)] and
                        shown[2].startswith('normal 0 1048576 60 '), shown)
            checks.that('its password too', until(lambda: logged_in(cluster, 'of-the-file'), 5))
            checks.that('no other', until(lambda: not logged_in(cluster, 'of-config-set'), 5))


def logged_in(cluster, password_of):
    try:
        client = cluster.resp('a')
        return client if client('AUTH', password_of) == b'OK' else None
    except OSError:
        return None


def main():
    with Cluster(BINARY, 'a', TWO) as cluster:
        cluster.start().wait_settled()
        for scenario in (clients_max, timeouts, all_or_none, many_at_a_time, output_limits,
                         password):
            checks.attempt(scenario.__name__.replace('_', ' '), scenario, cluster)
    checks.attempt('signal brings the file back', signal_brings_the_file_back)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
