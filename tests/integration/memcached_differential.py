#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says the same to memcached and to kvorum's memcached port and compares the bytes of the replies.

memcached_differential.py path/to/kvorum: starts both on free loopback ports; prints each difference
and `N passed, N failed`. The cas unique is taken from each server's own `gets`."""
import os
import re
import shutil
import socket
import sys
import time

from node_processes import ServerPair

QUIET_SECONDS = 0.15  # a reply that should not be there would have come by then


class Peer:
    MARK = b'end-mark'  # the key that ends what is asked

    def __init__(self, port):
        self.sock = socket.create_connection(('127.0.0.1', port), 30)
        self.rest = b''

    def ask(self, raw):
        """Sends `raw` and the `get` of a key that marks the end; returns the bytes before that."""
        mark = b'VALUE %s 0 1\r\n1\r\nEND\r\n' % self.MARK
        self.sock.sendall(raw + b'get %s\r\n' % self.MARK)
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


def store(command, key, value, flags=0, more=''):
    exptime = 0
    value = value if isinstance(value, bytes) else str(value).encode()
    line = '%s %s %s %s %d%s\r\n' % (command, key, flags, exptime, len(value), more)
    return line.encode() + value + b'\r\n'


LONGEST_KEY = b'k' * 250
# An item has 1 MB at most: command, key, flags, the largest value.
LARGEST_ITEMS = (
    ('set', 'k', 0, 1048516),
    ('set', 'k', 5, 1048512),
    ('add', 'k' * 250, 0, 1048267),
)
CLOSING = [b'quit\r\n', b'get k\r\nquit\r\nget k\r\n', b'GET / HTTP/1.1\r\n']
PASSWORD_REQUESTS = (
    [b'get k\r\n'],
    [b'version\r\n'],
    [b'set x 0 0 13\r\ndefault wrong\r\n'],
    [b'set x 0 0 3\r\nabc\r\n'],
    [b'set x 0 0 14\r\ndefault secret\r\n', b'get absent\r\n'],
    [b'set x 0 0 5000\r\n' + b'x' * 5000 + b'\r\n'],
)


def read_steps():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'memcached_requests.txt')
    steps = []
    with open(path, encoding='ascii') as file:
        for line in file:
            if line.strip() and not line.startswith('#'):
                step = line.rstrip('\n').encode().decode('unicode_escape').encode('latin-1')
                steps.append(step.replace(b'{long}', LONGEST_KEY))
    many = range(200)
    stores = b''.join(store('set', 'p%d' % i, i) for i in many)
    steps += [
        b'get %s\r\n' % b' '.join(b'key%d' % i for i in range(100)),
        stores + b''.join(b'get p%d\r\n' % i for i in many),
        b'get ' + b' '.join(b'p%d' % i for i in many) + b'\r\n',
        b''.join(b'incr p7 1\r\nget p7\r\n' for _ in range(50)),
        b'set k 0 0 1000001\r\n' + b'x' * 1000001 + b'\r\ndelete k\r\n',
    ]
    for command, key, flags, largest in LARGEST_ITEMS:
        for size in (largest, largest + 1):
            steps += [store(command, key, b'x' * size, flags), b'get k\r\ndelete k\r\n']
    for size in (48516, 48517):
        steps += [store('set', 'k', b'x' * 1000000), store('append', 'k', b'y' * size)]
        steps += [store('set', 'k', b'x' * 1000000)]
        steps += [b'ms k %d MA\r\n' % size + b'y' * size + b'\r\n']
    return steps


class Differential:
    def __init__(self, ours, theirs):
        self.ports = (ours, theirs)
        self.passed = self.failed = 0

    def judge(self, what, ours, theirs):
        ours, theirs = (re.sub(rb'VERSION [0-9.]+', b'VERSION', said)
                        if isinstance(said, bytes) else said for said in (ours, theirs))
        good = ours == theirs
        self.passed += good
        self.failed += not good
        if not good:
            print('FAIL %r\n     kvorum    %r' % (what[:100], ours[:300]))
            print('     memcached %r' % theirs[:300], flush=True)

    def steps(self, chunk):
        peers = [Peer(port) for port in self.ports]
        for peer in peers:
            peer.sock.sendall(b'flush_all\r\nset end-mark 0 0 1\r\n1\r\n')
            opened = b''
            while not opened.endswith(b'STORED\r\n'):
                opened += peer.sock.recv(100)
        for step in read_steps():
            answers = []
            for peer in peers:
                for at in range(0, len(step) - chunk, chunk):
                    peer.sock.sendall(step[at:at + chunk])
                answers.append(peer.ask(step[(len(step) - 1) // chunk * chunk :]))
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
            got.append(peer.ask(store('cas', 'c', '2', 5, ' ' + unique)))
            got.append(peer.ask(store('cas', 'c', '3', 5, ' ' + unique)))
            got.append(peer.ask(b'get c\r\n'))
            got.append(self.without_cas(peer.ask(b'gats 100 c absent\r\n')))
            unique = re.search(rb'VALUE c 5 1 (\d+)', peer.ask(b'gats 0 c\r\n')).group(1).decode()
            got.append(peer.ask(store('cas', 'c', '4', 0, ' ' + unique + ' noreply')))
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


def memcached(port, folder, password):
    command = ['memcached', '-l', '127.0.0.1', '-p', str(port), '-U', '0']
    if os.getuid() == 0:
        command += ['-u', 'root']
    if password:
        users = os.path.join(folder, 'users')
        with open(users, 'w', encoding='utf-8') as file:
            file.write('default:%s\n' % password)
        command += ['-Y', users]
    return command


def with_password(binary):
    with ServerPair(binary, 'memcached', memcached, 'secret') as servers:
        test = Differential(servers.ours, servers.theirs)
        for raws in PASSWORD_REQUESTS:
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
    binary = sys.argv[1]
    with ServerPair(binary, 'memcached', memcached) as servers:
        test = Differential(servers.ours, servers.theirs)
        test.steps(1 << 20)
        test.steps(5000)
        test.cas()
        test.closing()
    secret = with_password(binary)
    passed, failed = test.passed + secret.passed, test.failed + secret.failed
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
