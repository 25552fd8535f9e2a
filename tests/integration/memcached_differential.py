#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says the same to memcached and to kvorum's memcached port and compares the bytes of the replies.

memcached_differential.py path/to/kvorum: starts both on free loopback ports; prints each difference
and `N passed, N failed`. The cas unique is taken from each server's own `gets`."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HOST = '127.0.0.1'
QUIET_SECONDS = 0.15  # a reply that should not be there would have come by then


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind((HOST, 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Peer:
    def __init__(self, port):
        self.sock = socket.create_connection((HOST, port), 5)
        self.rest = b''

    def ask(self, raw):
        """Sends `raw` and a `get` of a key with a name that marks the end; the bytes before that."""
        mark = b'VALUE end-mark 0 1\r\n1\r\nEND\r\n'
        self.sock.sendall(raw + b'get end-mark\r\n')
        got = self.rest
        self.sock.settimeout(3)
        try:
            while mark not in got:
                more = self.sock.recv(65536)
                if not more:
                    return got + b'(closed)'
                got += more
        except OSError as error:
            return got + b'(' + type(error).__name__.encode() + b')'
        before, _, self.rest = got.partition(mark)
        return before

    def until_closed(self, raw):
        got = b''
        self.sock.settimeout(2)
        try:
            self.sock.sendall(raw)
            while True:
                more = self.sock.recv(65536)
                if not more:
                    return got + b'(closed)'
                got += more
        except socket.timeout:
            return got + b'(open)'
        except OSError:
            return got + b'(closed)'

    def close(self):
        self.sock.close()


def store(command, key, value, flags=0, exptime=0, more=''):
    value = value if isinstance(value, bytes) else str(value).encode()
    return ('%s %s %s %s %d%s\r\n' % (command, key, flags, exptime, len(value), more)).encode() + value + b'\r\n'


LONG_KEY = 'k' * 250
STEPS = [
    store('set', 'k', 'v'), b'get k\r\n', b'get absent\r\n', b'get\r\n', b'gets\r\n', b'GET k\r\n', b'get k k absent k\r\n', b'get  k \r\n', b' get k\r\n', b'bget k\r\n',
    store('set', 'k', 'vv', 7), b'get k\r\n', store('set', 'k', 'v', 4294967295), b'get k\r\n', store('set', 'k', 'v', -1), store('set', 'k', 'v', 'x'),
    store('set', 'k', '', 3), b'get k\r\n', store('set', 'k', b'a\r\nb\0c'), b'get k\r\n', store('set', LONG_KEY, 'v'), ('get %s\r\n' % LONG_KEY).encode(), ('get %sk\r\n' % LONG_KEY).encode(), ('get k %sk\r\n' % LONG_KEY).encode(),
    store('set', 'neg', 'v', 0, -1), b'get neg\r\n', store('set', 'k', 'v', 0, 'x'), store('set', 'k', 'v', 0, 1000), b'get k\r\n', store('set', 'far', 'v', 0, 1), store('set', 'old', 'v', 0, 2592001), b'get old\r\n',
    b'set k 0 0\r\n', b'set k\r\n', b'set\r\n', b'set k 0 0 x\r\n', b'set k 0 0 -1\r\n', b'set k 0 0 3 noreply\r\nabc\r\n', b'get k\r\n', b'set k 0 0 3 extra\r\nabc\r\n', b'set k 0 0 3 noreply extra\r\n',
    b'set k 0 0 2\r\nabcd\r\n', b'get k\r\n',
    store('add', 'k', 'x'), store('add', 'a1', 'x', 5), b'get a1\r\n', store('add', 'a1', 'y'), b'get a1\r\n', store('replace', 'a1', 'z', 6), b'get a1\r\n', store('replace', 'absent', 'z'),
    store('append', 'absent', 'x'), store('prepend', 'absent', 'x'), store('append', 'a1', 'Q', 9, 9), store('prepend', 'a1', 'P', 9, 9), b'get a1\r\n', store('append', 'a1', ''), b'add a1\r\n', b'append a1 0 0\r\n',
    store('cas', 'absent', 'x', more=' 1'), store('cas', 'a1', 'x', more=' 1'), store('cas', 'a1', 'x'), store('cas', 'a1', 'x', more=' x'), b'get a1\r\n',
    b'incr absent 1\r\n', b'decr absent 1\r\n', store('set', 'n', '10', 2), b'incr n 5\r\n', b'decr n 3\r\n', b'incr n 0\r\n', b'decr n 100\r\n', b'get absent n2\r\n', b'incr n 18446744073709551615\r\n', b'get n\r\n', b'incr n 1\r\n', b'get absent\r\n',
    b'incr n x\r\n', b'incr n -1\r\n', b'incr n\r\n', b'incr\r\n', b'incr n 1 2\r\n', b'incr n 18446744073709551616\r\n', store('set', 'n', 'text'), b'incr n 1\r\n', b'decr n 1\r\n', store('set', 'n', ''), b'incr n 1\r\n', store('set', 'n', '99999999999999999999'), b'incr n 1\r\n',
    store('set', 'n', '1x'), b'incr n 1\r\n', store('set', 'n', '-1'), b'incr n 1\r\n', store('set', 'n', '007'), b'incr n 1\r\n', store('set', 'n', '5'), b'incr n 1 noreply\r\n', b'get n\r\n', b'incr n 07\r\n',
    b'delete n\r\n', b'delete n\r\n', b'delete\r\n', b'delete n 0\r\n', b'delete n 1\r\n', b'delete n noreply\r\n', b'delete n 0 noreply\r\n', b'delete n x y\r\n', b'delete a b c d\r\n', store('set', 'd', 'x'), b'delete d 0\r\n', b'get d\r\n',
    store('set', 't', 'v', 3), b'touch t 100\r\n', b'touch absent 100\r\n', b'touch t\r\n', b'touch\r\n', b'touch t x\r\n', b'touch t 100 noreply\r\n', b'get t\r\n', b'gat 100 t\r\n', b'gat 100 t absent\r\n', b'gat 100\r\n', b'gat\r\n', b'gat x t\r\n', b'gat 0 absent\r\n', b'touch t -1\r\n', b'get t\r\n',
    store('set', 't', 'v', 3), b'gat -1 t\r\n', b'get t\r\n', b'verbosity 1\r\n', b'verbosity\r\n', b'verbosity 1 noreply\r\n', b'version x\r\n'[:0], b'nosuch\r\n', b'nosuch a b\r\n', b'\r\n', b'x\r\n', b'   \r\n', b'get\tk\r\n',
    b'mn\r\n', store('set', 'f', 'v'), b'flush_all x\r\n', b'flush_all 0\r\n', b'get f\r\n', store('set', 'end-mark', '1'), store('set', 'f', 'v'), b'flush_all noreply\r\n', b'get f\r\n', store('set', 'end-mark', '1'), b'flush_all 100\r\n', b'flush_all 0 noreply\r\n', store('set', 'end-mark', '1'),
    b'flush_all 1 2 3\r\n', b'get %s\r\n' % b' '.join(b'key%d' % i for i in range(100)),
    b''.join(store('set', 'p%d' % i, i) for i in range(200)) + b''.join(b'get p%d\r\n' % i for i in range(200)),
    b'get ' + b' '.join(b'p%d' % i for i in range(200)) + b'\r\n',
    b''.join(b'incr p7 1\r\nget p7\r\n' for _ in range(50)),
    b'set k 0 0 1000001\r\n' + b'x' * 1000001 + b'\r\n' + b'delete k\r\n',
]
CLOSING = [b'quit\r\n', b'get k\r\nquit\r\nget k\r\n', b'GET / HTTP/1.1\r\n']


class Differential:
    def __init__(self, ours, theirs):
        self.ports = (ours, theirs)
        self.passed = self.failed = 0

    def judge(self, what, ours, theirs):
        good = ours == theirs
        self.passed += good
        self.failed += not good
        if not good:
            print('FAIL %r\n     kvorum    %r\n     memcached %r' % (what[:100], ours[:300], theirs[:300]), flush=True)

    def steps(self, chunk):
        peers = [Peer(port) for port in self.ports]
        for peer in peers:
            peer.sock.sendall(b'flush_all\r\nset end-mark 0 0 1\r\n1\r\n')
            time.sleep(QUIET_SECONDS)
            peer.sock.recv(100)
        for step in STEPS:
            answers = []
            for peer in peers:
                for at in range(0, len(step) - chunk, chunk):
                    peer.sock.sendall(step[at:at + chunk])
                tail = step[max(0, (len(step) - 1) // chunk * chunk):] if len(step) > chunk else step
                answers.append(peer.ask(tail))
            self.judge(step, *answers)
        for peer in peers:
            peer.close()

    def cas(self):
        answers = []
        for port in self.ports:
            peer = Peer(port)
            peer.ask(store('set', 'end-mark', '1') + store('set', 'c', '1'))
            got = [self.without_cas(peer.ask(b'gets c absent c\r\n'))]
            unique = re.search(rb'VALUE c 0 1 (\d+)', peer.ask(b'gets c\r\n')).group(1).decode()
            got.append(peer.ask(store('cas', 'c', '2', 5, 0, ' ' + unique)))
            got.append(peer.ask(store('cas', 'c', '3', 5, 0, ' ' + unique)))
            got.append(peer.ask(b'get c\r\n'))
            got.append(self.without_cas(peer.ask(b'gats 100 c absent\r\n')))
            unique = re.search(rb'VALUE c 5 1 (\d+)', peer.ask(b'gats 0 c\r\n')).group(1).decode()
            got.append(peer.ask(store('cas', 'c', '4', 0, 0, ' ' + unique + ' noreply')))
            got.append(peer.ask(b'get c\r\n'))
            answers.append(got)
            peer.close()
        for ours, theirs in zip(*answers):
            self.judge(b'cas', ours, theirs)

    @staticmethod
    def without_cas(reply):
        return re.sub(rb'(VALUE \S+ \d+ \d+) \d+', rb'\1 CAS', reply)

    def closing(self):
        for raw in CLOSING:
            answers = []
            for port in self.ports:
                peer = Peer(port)
                answers.append(peer.until_closed(raw))
                peer.close()
            self.judge(raw, *answers)


class Servers:
    def __init__(self, binary, work, password=''):
        self.binary, self.work, self.password = binary, work, password

    def __enter__(self):
        ports = free_ports(5)
        self.ours, self.theirs = ports[0], ports[1]
        place = os.path.join(self.work, 'p' if self.password else 'n')
        os.makedirs(place)
        config, users = os.path.join(place, 'node.yaml'), os.path.join(place, 'users')
        with open(config, 'w', encoding='utf-8') as file:
            file.write('node: {name: a, data: %s/data}\n' % place)
            file.write('listen: {redis: %s:%d, memcached: %s:%d, peer: %s:%d, admin: %s:%d}\n' % (HOST, ports[2], HOST, ports[0], HOST, ports[3], HOST, ports[4]))
            file.write('engine: {type: memory}\npassword: "%s"\n' % self.password)
        memcached = ['memcached', '-l', HOST, '-p', str(self.theirs), '-U', '0', '-I', '4m']
        if os.getuid() == 0:
            memcached += ['-u', 'root']
        if self.password:
            with open(users, 'w', encoding='utf-8') as file:
                file.write('default:%s\n' % self.password)
            memcached += ['-Y', users]
        log = open(os.path.join(place, 'log'), 'wb')
        self.processes = [subprocess.Popen([self.binary, 'serve', '--config', config], stdout=log, stderr=log),
                          subprocess.Popen(memcached, stdout=log, stderr=log)]
        for port in (self.ours, self.theirs):
            self.wait(port, os.path.join(place, 'log'))
        return self

    def wait(self, port, log):
        for _ in range(200):
            try:
                Peer(port).close()
                return
            except OSError:
                time.sleep(0.05)
        print(open(log, encoding='utf-8', errors='replace').read())
        raise SystemExit('a server does not answer on port %d' % port)

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


def with_password(binary, work):
    with Servers(binary, work, 'secret') as servers:
        test = Differential(servers.ours, servers.theirs)
        for raws in ([b'get k\r\n'], [b'set x 0 0 13\r\ndefault wrong\r\n'], [b'set x 0 0 3\r\nabc\r\n'],
                     [b'set x 0 0 14\r\ndefault secret\r\n', b'get absent\r\n'], [b'set x 0 0 5000\r\n' + b'x' * 5000 + b'\r\n'], [b'version\r\n']):
            answers = []
            for port in test.ports:
                peer = Peer(port)
                got = b''
                for raw in raws:
                    peer.sock.sendall(raw)
                    time.sleep(QUIET_SECONDS)
                    peer.sock.settimeout(1)
                    try:
                        got += peer.sock.recv(65536)
                    except OSError as error:
                        got += type(error).__name__.encode()
                answers.append(got)
                peer.close()
            test.judge(b'password: ' + b' '.join(raws)[:60], *answers)
        return test


def main():
    if len(sys.argv) < 2:
        raise SystemExit('usage: memcached_differential.py path/to/kvorum')
    if not shutil.which('memcached'):
        print('skipped: memcached is not installed')
        print('0 passed, 0 failed')
        return 0
    binary = os.path.abspath(sys.argv[1])
    work = tempfile.mkdtemp(prefix='kvorum-memcached-')
    try:
        with Servers(binary, work) as servers:
            test = Differential(servers.ours, servers.theirs)
            test.steps(1 << 20)
            test.steps(5000)
            test.cas()
            test.closing()
        secret = with_password(binary, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    passed, failed = test.passed + secret.passed, test.failed + secret.failed
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
