#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says the same to redis-server and to kvorum and compares the bytes of the replies.

redis_differential.py path/to/kvorum: starts both on free loopback ports; prints each difference and
`N passed, N failed`. Commands are right and wrong uses of all that Kvorum takes over from Redis.
What the two may answer differently (times, versions, our own errors) is compared by shape."""
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HOST = '127.0.0.1'
INT64_MAX = 9223372036854775807


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind((HOST, 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Peer:
    """A connection that hands back the raw bytes of whole replies."""

    def __init__(self, port):
        self.sock = socket.create_connection((HOST, port), 5)
        self.file = self.sock.makefile('rb')

    def send(self, raw):
        self.sock.sendall(raw)

    def reply(self):
        line = self.file.readline()
        if not line:
            return b'(closed)'
        kind, rest = line[:1], line[1:].strip()
        if kind in b'$=':
            return line if int(rest) < 0 else line + self.file.read(int(rest) + 2)
        if kind in b'*~>':
            return line + b''.join(self.reply() for _ in range(max(int(rest), 0)))
        if kind == b'%':
            return line + b''.join(self.reply() for _ in range(2 * int(rest)))
        return line

    def close(self):
        self.sock.close()


def encode(words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)


def integers(reply):
    return [int(n) for n in re.findall(rb':(-?\d+)', reply)]


def close_numbers(ours, theirs, by=2000):
    a, b = integers(ours), integers(theirs)
    return len(a) == len(b) and all(abs(x - y) <= by for x, y in zip(a, b))


def same_shape(ours, theirs):
    """The same types and counts, the texts apart."""
    shape = lambda reply: re.findall(rb'(?m)^([*%~>]\d+|[-+:$_#,=])', reply)
    return shape(ours) == shape(theirs)


def same_set(ours, theirs):
    return sorted(ours.split(b'\r\n')) == sorted(theirs.split(b'\r\n'))


def same_code(ours, theirs):
    return ours[:1] == theirs[:1] == b'-' and ours.split()[0] == theirs.split()[0]


def strings():
    yield from (
        'SET k v', 'GET k', 'GET absent', 'get k', 'GeT k', 'GET', 'GET a b', 'SET', 'SET k',
        'SET k v NX', 'SET k2 v NX', 'SET k v XX', 'SET k3 v XX', 'SET k v NX XX', 'SET k v XX NX',
        'SET k v NX GET', 'SET k5 v NX GET', 'SET k w GET', 'SET k6 w GET', 'SET k w XX GET',
        'SET k v FOO', 'SET k v EX', 'SET k v EX 10 PX 10', 'SET k v EX 10 EX 20', 'SET k v KEEPTTL EX 10',
        'SET k v EX 10 KEEPTTL', 'SET k v PX 10 PXAT 10', 'SET k v EX 0', 'SET k v EX -1', 'SET k v PX 0',
        'SET k v EX x', 'SET k v EX 1.5', 'SET k v EX 99999999999999999999',
        'SET k v EX %d' % INT64_MAX, 'SET k v PX %d' % INT64_MAX, 'SET k v EXAT 0', 'SET k v PXAT -5',
        'SET k v EXAT %d' % INT64_MAX, 'SET k v EX 9223372036854775', 'SET k v ex 100', 'TTL k',
        'SET k v', 'TTL k', 'SET k v EX 100', 'SET k w KEEPTTL', 'TTL k', 'SET k w GET KEEPTTL', 'TTL k',
        'SETNX k v', 'SETNX n1 v', 'GET n1', 'SETNX k', 'SETEX e 100 v', 'TTL e', 'SETEX e 0 v', 'SETEX e -1 v',
        'SETEX e x v', 'SETEX e %d v' % INT64_MAX, 'PSETEX e 100000 v', 'TTL e', 'PSETEX e 0 v', 'PSETEX e x v',
        'GETSET k x', 'GETSET gs x', 'GETSET k', 'TTL k', 'GETDEL k', 'GETDEL k', 'GETDEL', 'SET k v',
        'GETEX k', 'GETEX k EX 100', 'TTL k', 'GETEX k PERSIST', 'TTL k', 'GETEX k EX', 'GETEX k EX 0',
        'GETEX absent EX 0', 'GETEX absent EX x', 'GETEX k EX x', 'GETEX k EX 1 PERSIST', 'GETEX k PERSIST EX 1', 'GETEX k FOO',
        'GETEX k NX', 'GETEX k KEEPTTL', 'GETEX k EX 10 PX 10', 'GETEX k PX 100000', 'PTTL absent', 'GETEX k EXAT 1', 'GET k', 'GETEX absent',
        'MSET a 1 b 2 c 3', 'MGET a b c absent', 'MGET', 'MSET', 'MSET a', 'MSET a 1 b', 'MGET a a', 'MSET a 1 a 2', 'GET a',
        'APPEND ap Hello', 'APPEND ap World', 'GET ap', 'APPEND ap', 'STRLEN ap', 'STRLEN absent', 'STRLEN',
        'GETRANGE ap 0 -1', 'GETRANGE ap 0 3', 'GETRANGE ap -3 -1', 'GETRANGE ap 5 2', 'GETRANGE ap -1 -5', 'GETRANGE ap 0 999',
        'GETRANGE ap -999 2', 'GETRANGE absent 0 -1', 'GETRANGE ap x 1', 'GETRANGE ap 1 x', 'GETRANGE ap 100 200', 'SUBSTR ap 0 2', 'SUBSTR ap',
        'SETRANGE ap 5 XX', 'GET ap', 'SETRANGE sr 5 hi', 'GET sr', 'SETRANGE sr -1 x', 'SETRANGE sr x x', 'SETRANGE sr 536870912 x',
        'SETRANGE sr 536870911 x_', 'SETRANGE sr2 3', 'SET e1', 'SET ttl v EX 100', 'APPEND ttl x', 'TTL ttl', 'SETRANGE ttl 0 y', 'TTL ttl',
    )
    yield ['SETRANGE', 'ap', '3', '']
    yield ['SETRANGE', 'nope', '3', '']
    yield 'EXISTS nope'
    yield ['SET', 'bin', b'\x00\xff\r\n']
    yield 'GET bin'
    yield ['SET', '', 'empty key']
    yield ['GET', '']
    yield ['SET', 'ev', '']
    yield 'GET ev'
    yield ['APPEND', 'ev', '']
    yield 'STRLEN ev'
    yield ['SET', 'k', 'v', '']
    yield ['GETEX', 'k', 'E\r\nX']


def counters():
    yield from (
        'INCR n', 'INCR n', 'DECR n', 'INCRBY n 10', 'DECRBY n 3', 'GET n', 'INCRBY n -5', 'INCRBY n x', 'INCRBY n 1.5', 'INCRBY n',
        'INCR', 'DECR a b', 'INCRBY n 99999999999999999999', 'DECRBY n -9223372036854775808', 'DECRBY n x', 'SET n %d' % INT64_MAX, 'INCR n', 'INCRBY n 1', 'DECRBY n -1',
        'SET n -9223372036854775808', 'DECR n', 'DECRBY n 1', 'INCRBY n -1', 'SET n text', 'INCR n', 'DECR n', 'INCRBY n 1', 'INCRBYFLOAT n 1',
        'SET n 010', 'INCR n', 'SET n 1.0', 'INCR n', 'SET n 5 EX 100', 'INCR n', 'TTL n',
        'INCRBYFLOAT f 10.5', 'INCRBYFLOAT f 0.1', 'INCRBYFLOAT f -5', 'INCRBYFLOAT f 5.0e3', 'INCRBYFLOAT f x', 'INCRBYFLOAT f', 'INCRBYFLOAT f nan', 'INCRBYFLOAT f inf',
        'INCRBYFLOAT f 1e400', 'SET f 3.0e3', 'INCRBYFLOAT f 200', 'SET f 1.7976931348623157e308', 'INCRBYFLOAT f 1.7976931348623157e308', 'SET f 0.1', 'INCRBYFLOAT f 0.2',
    )
    yield ['SET', 'sp', ' 5']
    yield 'INCR sp'
    yield 'INCRBYFLOAT sp 1'
    yield ['SET', 'sp', '']
    yield 'INCR sp'
    yield ['INCRBY', 'n', '']
    yield ['INCRBY', 'n', '+1']


def keys():
    yield from (
        'SET a 1', 'SET b 2', 'DEL a b absent', 'DEL', 'UNLINK a', 'UNLINK', 'SET a 1', 'EXISTS a', 'EXISTS a a b', 'EXISTS', 'TOUCH a b a', 'TOUCH',
        'DEL a a', 'TYPE a', 'SET a 1', 'TYPE a', 'TYPE', 'TYPE a b', 'UNLINK a a b',
        'EXPIRE absent 10', 'SET a 1', 'EXPIRE a 100', 'TTL a', 'EXPIRE a x', 'EXPIRE a', 'EXPIRE a 100 NX', 'EXPIRE a 200 XX', 'TTL a', 'EXPIRE a 100 GT', 'TTL a', 'EXPIRE a 300 GT', 'TTL a',
        'EXPIRE a 400 LT', 'EXPIRE a 50 LT', 'TTL a', 'EXPIRE a 10 NX XX', 'EXPIRE a 10 GT LT', 'EXPIRE a 10 NX GT', 'EXPIRE a 10 XX GT', 'EXPIRE a 100 XX GT', 'EXPIRE a 10 FOO', 'EXPIRE a 10 NX FOO', 'EXPIRE a x FOO', 'EXPIRE absent x',
        'EXPIRE absent 10 FOO', 'PERSIST a', 'PERSIST a', 'PERSIST absent', 'TTL a', 'EXPIRE a 10 GT', 'EXPIRE a 10 LT', 'TTL a', 'PERSIST', 'EXPIRE a 10 XX', 'PERSIST a', 'EXPIRE a 10 XX',
        'EXPIRE a 9223372036854775807', 'EXPIRE a -9223372036854775808', 'EXPIRE a 9223372036854775', 'PEXPIRE a 9223372036854775807', 'EXPIRE a 9223372036854775000', 'PEXPIRE a 100000', 'TTL a', 'PEXPIRE a x', 'EXPIREAT a x', 'EXPIREAT a 9999999999', 'EXPIRETIME a', 'PEXPIRETIME a',
        'PEXPIREAT a 9999999999123', 'EXPIRETIME a', 'PEXPIRETIME a', 'EXPIRETIME absent', 'PEXPIRETIME absent', 'SET b 1', 'EXPIRETIME b', 'PEXPIRETIME b', 'PTTL b', 'TTL absent', 'PTTL absent', 'TTL', 'PTTL a b', 'EXPIREAT a 9223372036854775807', 'PEXPIREAT a 9223372036854775807', 'PEXPIRETIME a',
        'EXPIRE b -1', 'GET b', 'SET b 1', 'EXPIRE b 0', 'EXISTS b', 'SET b 1', 'EXPIREAT b 1', 'EXISTS b', 'SET b 1', 'PEXPIREAT b 0', 'EXISTS b', 'SET b 1 PXAT 1', 'GET b', 'SET b 1 EXAT 1', 'EXISTS b', 'DEL b',
        'SET a 1', 'EXPIRE a 100', 'GETSET a 2', 'TTL a', 'EXPIRE a 100', 'SET a 1 XX', 'TTL a', 'EXPIRE a 100 nx', 'EXPIRE a 100 gt lt',
    )


def connection():
    yield from (
        'PING', 'PING hello', 'PING a b', 'ECHO hi', 'ECHO', 'ECHO a b', 'SELECT 0', 'SELECT 1', 'SET k other', 'SELECT 0', 'GET k', 'SELECT 15', 'SELECT 16', 'SELECT -1', 'SELECT x', 'SELECT', 'SELECT 99999999999', 'SELECT 0',
        'AUTH x', 'AUTH default x', 'AUTH nobody x', 'AUTH', 'AUTH a b c', 'HELLO 1', 'HELLO 4', 'HELLO x', 'HELLO 2 FOO', 'HELLO 2 SETNAME', 'HELLO 2 AUTH a', 'HELLO 2 AUTH nobody x', 'HELLO 2 SETNAME a\nb',
        'CLIENT GETNAME', 'CLIENT SETNAME me', 'CLIENT GETNAME', 'CLIENT SETNAME', 'CLIENT', 'CLIENT FOO', 'CLIENT ID x', 'CLIENT GETNAME x', 'CLIENT REPLY', 'CLIENT REPLY FOO', 'CLIENT REPLY ON', 'CLIENT NO-EVICT on', 'CLIENT NO-EVICT x', 'CLIENT NO-EVICT',
        'CLIENT LIST TYPE foo', 'CLIENT LIST ID x', 'CLIENT LIST FOO', 'CLIENT LIST TYPE master', 'client getname', 'RESET', 'CLIENT GETNAME', 'NOSUCH', 'NOSUCH a b c', 'GETT', 'FOO|BAR x', 'CLIENT|ID', 'CONFIG|GET x', 'get|foo',
        'CONFIG', 'CONFIG FOO', 'CONFIG GET', 'CONFIG GET nosuchparameter', 'CONFIG GET save', 'CONFIG GET appendonly*x', 'CONFIG SET', 'CONFIG SET a', 'CONFIG SET nosuch x', 'CONFIG SET databases 3', 'CONFIG GET databases', 'CONFIG GET DATABASES', 'CONFIG GET databas[a-f]s', 'CONFIG SET save',
        'COMMAND FOO', 'COMMAND INFO nosuch', 'COMMAND COUNT x', 'COMMAND GETKEYS SET a b', 'COMMAND GETKEYS MSET a 1 b 2', 'COMMAND GETKEYS', 'COMMAND GETKEYS DEL a b c', 'COMMAND LIST FOO', 'COMMAND LIST FILTERBY FOO x', 'COMMAND DOCS nosuch', 'COMMAND LIST FILTERBY PATTERN GETE*',
        'COMMAND LIST FILTERBY MODULE nosuch', 'DBSIZE x', 'FLUSHDB FOO', 'FLUSHALL ASYNC SYNC', 'KEYS', 'RANDOMKEY x', 'SCAN', 'SCAN x', 'SCAN 0 COUNT', 'SCAN 0 COUNT 0', 'SCAN 0 COUNT x', 'SCAN 0 FOO', 'SCAN 0 FOO 1', 'SCAN 0 MATCH', 'SCAN 0 COUNT -1', 'SCAN 18446744073709551616', 'TIME x', 'INFO nosuchsection',
    )
    yield ['NOSUCH', 'x' * 200, 'y']
    yield ['NOSUCH', 'x' * 100, 'y' * 100, 'z']
    yield ['N' * 300, 'x']
    yield ['NO\r\nSUCH', 'x\r\ny']
    yield ['CLIENT', 'SETNAME', 'with blank']
    yield ['CLIENT', 'SETNAME', '']
    yield ['CLIENT', 'FOO' * 100]
    yield ['']


def whole_keyspace():
    yield from ('FLUSHALL', 'DBSIZE', 'RANDOMKEY', 'KEYS *', 'SCAN 0 COUNT 100', 'SET one 1', 'DBSIZE', 'RANDOMKEY', 'KEYS *', 'KEYS o*', 'KEYS x*', 'KEYS o[m-o]e', 'KEYS o?e', 'KEYS o[^n]e', 'KEYS \\o*', 'SCAN 0 COUNT 100', 'SCAN 0 MATCH x* COUNT 100',
                'SCAN 0 COUNT 100 TYPE string', 'SCAN 0 COUNT 100 TYPE list', 'SCAN 0 count 100 match one type STRING', 'SELECT 3', 'DBSIZE', 'SET two 2', 'DBSIZE', 'FLUSHDB', 'DBSIZE', 'SELECT 0', 'DBSIZE', 'FLUSHDB ASYNC', 'DBSIZE', 'SET k v', 'GET k', 'DBSIZE', 'FLUSHALL SYNC', 'DBSIZE', 'SET k v', 'DEL k', 'DBSIZE', 'SET k v EX 100', 'DBSIZE', 'FLUSHALL')


RAW = [
    (b'PING\r\n', 1), (b'ping\n', 1), (b'\r\nPING\r\n', 1), (b'SET inline "a b\\x41\\n"\r\nGET inline\r\n', 2),
    (b"SET inline 'a\\'b'\r\nGET inline\r\n", 2), (b'SET k "unbalanced\r\n', 1), (b'*1\r\n!4\r\nPING\r\n', 1), (b'*x\r\n', 1),
    (b'*2\r\n$3\r\nGET\r\n$-5\r\n', 1), (b'*2\r\n$3\r\nGET\r\n$x\r\n', 1), (b'*1\r\n$536870913\r\n', 1), (b'*-1\r\nPING\r\n', 1),
    (b'*0\r\nPING\r\n', 1), (b'QUIT\r\n', 2), (b'*1\r\n$4\r\nQUIT\r\nPING\r\n', 2), (b'"" x\r\n', 1), (b'A' * 70000, 1), (b'*' + b'1' * 70000, 1),
    (b'*1\r\n$' + b'1' * 70000, 1), (b'GET a b c\r\n', 1), (b'client reply off\r\nping\r\nclient reply on\r\nping\r\n', 2),
    (b'client reply skip\r\nping\r\necho x\r\n', 1), (b'client reply skip\r\nset a 1\r\nget a\r\n', 1), (b'HELLO 3\r\n', 1), (b'hello 3\r\nget absent\r\n', 2),
]
RAW_SHAPE = {b'HELLO 3\r\n', b'hello 3\r\nget absent\r\n'}

# Compared otherwise than byte by byte: by the first words.
LAX = {
    ('HELLO',): same_shape, ('CLIENT', 'ID'): same_shape, ('TIME',): same_shape,
    ('TTL',): close_numbers, ('PTTL',): close_numbers, ('EXPIRETIME',): close_numbers, ('PEXPIRETIME',): close_numbers,
    ('KEYS',): same_set, ('SCAN',): same_set,
    ('COMMAND', 'LIST'): same_set,
}


def judge_of(words):
    upper = [w.upper() if isinstance(w, str) else '' for w in words[:2]]
    return LAX.get(tuple(upper)) or LAX.get(tuple(upper[:1]))


class Differential:
    def __init__(self, ours, theirs):
        self.ports = {'kvorum': ours, 'redis': theirs}
        self.passed = self.failed = 0

    def judge(self, what, ours, theirs, judge=None):
        good = ours == theirs or (judge is not None and judge(ours, theirs))
        self.passed += good
        self.failed += not good
        if not good:
            print('FAIL %s\n     kvorum %r\n     redis  %r' % (what, ours[:300], theirs[:300]), flush=True)

    def run(self, title, commands, version=2):
        ours, theirs = Peer(self.ports['kvorum']), Peer(self.ports['redis'])
        for peer in (ours, theirs):
            for opening in (['HELLO', version], ['FLUSHALL']):
                peer.send(encode(opening))
                peer.reply()
        for command in commands:
            words = command.split(' ') if isinstance(command, str) else command
            replies = []
            for peer in (ours, theirs):
                peer.send(encode(words))
                replies.append(peer.reply())
            self.judge('%s %s (RESP%d)' % (title, ' '.join(map(repr, words))[:200], version), *replies, judge_of(words))
        ours.close()
        theirs.close()

    def pipeline(self, title, commands, chunk):
        """All at once, in pieces of some bytes."""
        commands = [c.split(' ') if isinstance(c, str) else c for c in commands]
        commands = [c for c in commands if judge_of(c) is None]
        raw = b''.join(encode(words) for words in commands)
        answers = []
        for port in self.ports.values():
            peer = Peer(port)
            peer.send(encode(['FLUSHALL']))
            peer.reply()
            for at in range(0, len(raw), chunk):
                peer.send(raw[at:at + chunk])
            answers.append([peer.reply() for _ in commands])
            peer.close()
        for words, ours, theirs in zip(commands, *answers):
            self.judge('%s pipelined by %d: %s' % (title, chunk, ' '.join(map(repr, words))[:200]), ours, theirs)

    def raw(self, sent, replies):
        answers = []
        for port in self.ports.values():
            peer = Peer(port)
            try:
                peer.send(sent)
                answers.append(b''.join(peer.reply() for _ in range(replies)))
            except OSError as error:
                answers.append(str(error).encode())
            peer.close()
        self.judge('raw %r' % sent[:60], *answers, same_shape if sent in RAW_SHAPE else None)


def with_password(binary, work):
    """NOAUTH and AUTH against a second pair of servers."""
    commands = ('PING', 'GET k', 'NOSUCH', 'GET', 'HELLO', 'HELLO 3', 'AUTH wrong', 'AUTH default wrong', 'AUTH other secret', 'HELLO 3 AUTH default wrong', 'CLIENT ID', 'RESET', 'PING', 'AUTH secret', 'PING', 'SET k v', 'RESET', 'GET k',
                'HELLO 2 AUTH default secret SETNAME x', 'CLIENT GETNAME', 'GET k', 'AUTH default secret', 'AUTH a b c')
    with Servers(binary, work, password='secret') as servers:
        test = Differential(servers.ours, servers.theirs)
        ours, theirs = Peer(servers.ours), Peer(servers.theirs)
        for command in commands:
            replies = []
            for peer in (ours, theirs):
                peer.send(encode(command.split(' ')))
                replies.append(peer.reply())
            test.judge('with a password: ' + command, *replies, judge_of(command.split(' ')))
        for sent, count in ((b'*11\r\n', 1), (b'*2\r\n$3\r\nGET\r\n$16385\r\n', 1), (encode(['QUIT']), 2)):
            test.raw(sent, count)
        return test


class Servers:
    def __init__(self, binary, work, password=''):
        self.binary, self.work, self.password = binary, work, password

    def __enter__(self):
        ports = free_ports(5)
        self.ours, self.theirs = ports[0], ports[1]
        place = os.path.join(self.work, 'p' if self.password else 'n')
        os.makedirs(place)
        config = os.path.join(place, 'node.yaml')
        with open(config, 'w', encoding='utf-8') as file:
            file.write('node: {name: a, data: %s/data}\n' % place)
            file.write('listen: {redis: %s:%d, memcached: %s:%d, peer: %s:%d, admin: %s:%d}\n' % (HOST, ports[0], HOST, ports[2], HOST, ports[3], HOST, ports[4]))
            file.write('engine: {type: memory}\npassword: "%s"\n' % self.password)
        log = open(os.path.join(place, 'log'), 'wb')
        redis = ['redis-server', '--port', str(ports[1]), '--bind', HOST, '--save', '', '--appendonly', 'no', '--dir', place]
        if self.password:
            redis += ['--requirepass', self.password]
        self.processes = [subprocess.Popen([self.binary, 'serve', '--config', config], stdout=log, stderr=log),
                          subprocess.Popen(redis, stdout=log, stderr=log)]
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


def main():
    if len(sys.argv) < 2:
        raise SystemExit('usage: redis_differential.py path/to/kvorum')
    if not shutil.which('redis-server'):
        print('skipped: redis-server is not installed')
        print('0 passed, 0 failed')
        return 0
    binary = os.path.abspath(sys.argv[1])
    work = tempfile.mkdtemp(prefix='kvorum-redis-')
    families = (('strings', strings), ('counters', counters), ('keys', keys), ('connection', connection), ('keyspace', whole_keyspace))
    try:
        with Servers(binary, work) as servers:
            test = Differential(servers.ours, servers.theirs)
            for (title, commands), version in itertools.product(families, (2, 3)):
                test.run(title, commands(), version)
            for title, commands in families[:3]:
                for chunk in (7, 100000):
                    test.pipeline(title, commands(), chunk)
            for sent, replies in RAW:
                test.raw(sent, replies)
        secret = with_password(binary, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    passed, failed = test.passed + secret.passed, test.failed + secret.failed
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
