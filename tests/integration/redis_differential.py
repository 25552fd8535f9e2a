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
import sys

from node_processes import ServerPair


class Peer:
    """A connection that hands back the raw bytes of whole replies."""

    def __init__(self, port):
        self.sock = socket.create_connection(('127.0.0.1', port), 30)
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


def read_families():
    """Family -> list of commands, each a list of words as bytes (redis_commands.txt)."""
    families = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'redis_commands.txt')
    with open(path, encoding='ascii') as file:
        for line in file:
            line = line.rstrip('\n')
            if not line or line.startswith('#'):
                continue
            if line.startswith('[') and line.endswith(']'):
                commands = families.setdefault(line[1:-1], [])
            else:
                commands.append([read_word(word) for word in line.split(' ')])
    return families


def read_word(word):
    if word == '""':
        return b''
    repeated = re.fullmatch(r'(\w+)\*(\d{2,})', word)
    if repeated:
        return repeated.group(1).encode() * int(repeated.group(2))
    return word.encode().decode('unicode_escape').encode('latin-1')


# Bytes as they are, and how many replies they have; (closed) counts as one.
RAW = [
    (b'PING\r\n', 1),
    (b'ping\n', 1),
    (b'\r\nPING\r\n', 1),
    (b'SET inline "a b\\x41\\n"\r\nGET inline\r\n', 2),
    (b"SET inline 'a\\'b'\r\nGET inline\r\n", 2),
    (b'SET k "unbalanced\r\n', 1),
    (b'*1\r\n!4\r\nPING\r\n', 1),
    (b'*x\r\n', 1),
    (b'*2\r\n$3\r\nGET\r\n$-5\r\n', 1),
    (b'*2\r\n$3\r\nGET\r\n$x\r\n', 1),
    (b'*1\r\n$536870913\r\n', 1),
    (b'*-1\r\nPING\r\n', 1),
    (b'*0\r\nPING\r\n', 1),
    (b'QUIT\r\n', 2),
    (b'*1\r\n$4\r\nQUIT\r\nPING\r\n', 2),
    (b'"" x\r\n', 1),
    (b'A' * 70000, 1),
    (b'*' + b'1' * 70000, 1),
    (b'*1\r\n$' + b'1' * 70000, 1),
    (b'GET a b c\r\n', 1),
    (b'client reply off\r\nping\r\nclient reply on\r\nping\r\n', 2),
    (b'client reply skip\r\nping\r\necho x\r\n', 1),
    (b'client reply skip\r\nset a 1\r\nget a\r\n', 1),
    (b'HELLO 3\r\n', 1),
    (b'hello 3\r\nget absent\r\n', 2),
]
RAW_SHAPE = {b'HELLO 3\r\n', b'hello 3\r\nget absent\r\n'}

# Compared otherwise than byte by byte: by the first words.
LAX = {
    (b'HELLO',): same_shape,
    (b'CLIENT', b'ID'): same_shape,
    (b'TIME',): same_shape,
    (b'TTL',): close_numbers,
    (b'PTTL',): close_numbers,
    (b'EXPIRETIME',): close_numbers,
    (b'PEXPIRETIME',): close_numbers,
    (b'KEYS',): same_set,
    (b'SCAN',): same_set,
    (b'COMMAND', b'LIST'): same_set,
    (b'OBJECT', b'IDLETIME'): same_shape,
    (b'DUMP',): same_shape,  # the version of the format, and what is compressed
}

# Families that are sent as one pipeline, too.
PIPELINED = ('strings', 'counters', 'keys', 'several', 'bits', 'bitfields', 'copies')

PASSWORD_COMMANDS = (
    'PING', 'GET k', 'NOSUCH', 'GET', 'HELLO', 'HELLO 3', 'AUTH wrong', 'AUTH default wrong',
    'AUTH other secret', 'HELLO 3 AUTH default wrong', 'CLIENT ID', 'RESET', 'PING', 'AUTH secret',
    'PING', 'SET k v', 'RESET', 'GET k', 'HELLO 2 AUTH default secret SETNAME x',
    'CLIENT GETNAME', 'GET k', 'AUTH default secret', 'AUTH a b c',
)  # fmt: skip


def judge_of(words):
    upper = [word.upper() for word in words[:2]]
    return LAX.get(tuple(upper)) or LAX.get(tuple(upper[:1]))


def shown(words):
    return b' '.join(words)[:200]


class Differential:
    def __init__(self, ours, theirs):
        self.ports = {'kvorum': ours, 'redis': theirs}
        self.passed = self.failed = 0

    def judge(self, what, ours, theirs, judge=None):
        good = ours == theirs or (judge is not None and judge(ours, theirs))
        self.passed += good
        self.failed += not good
        if not good:
            print('FAIL %s\n     kvorum %r' % (what, ours[:300]))
            print('     redis  %r' % theirs[:300], flush=True)

    def run(self, title, commands, version=2):
        ours, theirs = Peer(self.ports['kvorum']), Peer(self.ports['redis'])
        for peer in (ours, theirs):
            for opening in (['HELLO', version], ['FLUSHALL']):
                peer.send(encode(opening))
                peer.reply()
        for words in commands:
            replies = []
            for peer in (ours, theirs):
                peer.send(encode(words))
                replies.append(peer.reply())
            what = '%s %r (RESP%d)' % (title, shown(words), version)
            self.judge(what, *replies, judge_of(words))
        ours.close()
        theirs.close()

    def pipeline(self, title, commands, chunk):
        """All at once, in pieces of some bytes."""
        commands = [words for words in commands if judge_of(words) is None]
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
            self.judge('%s pipelined by %d: %r' % (title, chunk, shown(words)), ours, theirs)

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


def with_password(binary):
    """NOAUTH and AUTH against a second pair of servers."""
    with ServerPair(binary, 'redis', redis_server, 'secret') as servers:
        test = Differential(servers.ours, servers.theirs)
        ours, theirs = Peer(servers.ours), Peer(servers.theirs)
        for command in PASSWORD_COMMANDS:
            words = command.encode().split(b' ')
            replies = []
            for peer in (ours, theirs):
                peer.send(encode(words))
                replies.append(peer.reply())
            test.judge('with a password: ' + command, *replies, judge_of(words))
        test.raw(b'*11\r\n', 1)
        test.raw(b'*2\r\n$3\r\nGET\r\n$16385\r\n', 1)
        test.raw(encode(['QUIT']), 2)
        return test


def redis_server(port, folder, password):
    command = ['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--dir', folder]
    command += ['--save', '', '--appendonly', 'no']
    return command + (['--requirepass', password] if password else [])


def main():
    if len(sys.argv) < 2:
        raise SystemExit('usage: redis_differential.py path/to/kvorum')
    if not shutil.which('redis-server'):
        print('skipped: redis-server is not installed')
        print('0 passed, 0 failed')
        return 0
    binary = sys.argv[1]
    families = read_families()
    with ServerPair(binary, 'redis', redis_server) as servers:
        test = Differential(servers.ours, servers.theirs)
        for (title, commands), version in itertools.product(families.items(), (2, 3)):
            test.run(title, commands, version)
        for title, chunk in itertools.product(PIPELINED, (7, 100000)):
            test.pipeline(title, families[title], chunk)
        for sent, replies in RAW:
            test.raw(sent, replies)
    secret = with_password(binary)
    passed, failed = test.passed + secret.passed, test.failed + secret.failed
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
