#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says the same to memcached and to kvorum's memcached port in the binary protocol: drawn requests,
and frames that make no sense. Compares the frames of the replies. A cas unique is compared as
"none" or "one"; requests that give one take it from what their own server said.

memcached_binary_differential.py path/to/kvorum [seed [requests]]: `N passed, N failed`."""
import random
import shutil
import socket
import struct
import sys

from node_processes import ServerPair
from memcached_differential import memcached

HEADER = struct.Struct('>BBHBBHIIQ')
NOOP, VERSION, END = 0x0A, 0x0B, 0xE0D0E0D0
STORES = {'set': 0x01, 'add': 0x02, 'replace': 0x03}
QUIET = {0x00: 0x09, 0x0C: 0x0D, 0x01: 0x11, 0x02: 0x12, 0x03: 0x13, 0x04: 0x14, 0x05: 0x15,
         0x06: 0x16, 0x08: 0x18, 0x0E: 0x19, 0x0F: 0x1A, 0x1D: 0x1E, 0x23: 0x24}
READS, TOUCHES, COUNTS, JOINS = (0x00, 0x0C), (0x1C, 0x1D, 0x23), (0x05, 0x06), (0x0E, 0x0F)
NEVER, PAST = 0, 2592001  # exptimes; a Unix time of 1970
# No minus: of large numbers memcached looks for one behind their end too.
VALUES = (b'', b'v', b'0', b'7', b'99', b'100 ', b' 5', b'18446744073709551615',
          b'18446744073709551616', b'1x', b'a\r\nb\0c', b'x' * 300, b'y' * 20000)


def frame(opcode, key=b'', extras=b'', value=b'', opaque=0, cas=0, **odd):
    body = odd.get('body', len(extras) + len(key) + len(value))
    magic = odd.get('magic', 0x80)
    head = HEADER.pack(magic, opcode, len(key), len(extras), 0, 0, body, opaque, cas)
    return head + extras + key + value


def without_threads(port, folder, password):
    """Its own threads now and then hold an item, and a counter is not padded then."""
    return memcached(port, folder, password) + ['-o', 'no_lru_maintainer,no_lru_crawler']


class Peer:
    def __init__(self, port):
        self.sock = socket.create_connection(('127.0.0.1', port), 30)
        self.rest = b''
        self.cas = {}  # of each key, as last seen

    def more(self):
        got = self.sock.recv(1 << 16)
        self.rest += got
        return bool(got)

    def read_frame(self):
        while len(self.rest) < 24:
            if not self.more():
                return None
        fields = HEADER.unpack(self.rest[:24])
        while len(self.rest) < 24 + fields[6]:
            if not self.more():
                return None
        body = self.rest[24 : 24 + fields[6]]
        self.rest = self.rest[24 + fields[6] :]
        return fields, body

    def ask(self, requests):
        """The replies before that of a noop, as what is compared."""
        wire = b''.join(
            frame(opcode, key, extras, value, opaque, self.cas.get(key, 0) if given else 0)
            for opcode, key, extras, value, opaque, given in requests
        )
        self.sock.sendall(wire + frame(NOOP, opaque=END))
        keys = {opaque: key for _, key, _, _, opaque, _ in requests}
        replies = []
        while True:
            reply = self.read_frame()
            if reply is None:
                return replies + ['closed']
            (magic, opcode, key_size, extras, kind, status, _, opaque, cas), body = reply
            if opaque == END:
                return replies
            if cas and status == 0:
                self.cas[keys.get(opaque)] = cas
            if opcode == VERSION and status == 0:
                body = b'(version)'
            replies.append((magic, opcode, key_size, extras, kind, status, opaque, cas != 0, body))


def draw(dice, opaque):
    key = b'k%d' % dice.randrange(6)
    opcode = dice.choice((0x00, 0x0C, 0x01, 0x01, 0x02, 0x03, 0x04, 0x05, 0x05, 0x06, 0x06, 0x0E,
                          0x0F, 0x1C, 0x1D, 0x23, 0x08, 0x0B, 0x77))
    if opcode == 0x08 and dice.random() < 0.7:
        opcode = 0x01
    extras = value = b''
    given = dice.random() < 0.2
    exptime = dice.choice((NEVER, NEVER, NEVER, 1000, PAST, 0xFFFFFFFF))
    if opcode in STORES.values():
        extras = struct.pack('>II', dice.choice((0, 5, 0xFFFFFFFF)), exptime)
        value = dice.choice(VALUES)
    elif opcode in COUNTS:
        numbers = (0, 1, 90, 2**63, 2**64 - 1)
        extras = struct.pack('>QQI', dice.choice(numbers), dice.choice(numbers), exptime)
    elif opcode in JOINS:
        value = dice.choice(VALUES)
    elif opcode in TOUCHES:
        extras = struct.pack('>I', exptime)
    elif opcode == 0x08:
        key, extras = b'', dice.choice((b'', struct.pack('>I', 0)))
    elif opcode in (0x0B, 0x77):
        key = b''
    if dice.random() < 0.3:
        opcode = QUIET.get(opcode, opcode)
    return opcode, key, extras, value, opaque, given


# Each ends its connection, but the last ones, which are answered and passed over.
STORE = struct.pack('>II', 0, 0)
ODD = [
    frame(0x00, b''),
    frame(0x00, b'k', b'x'),
    frame(0x00, b'k', value=b'v'),
    frame(0x00, b'k' * 251),
    frame(0x01, b'k', b'1234', b'v'),
    frame(0x01, b'', STORE, b'v'),
    frame(0x04, b'k', b'x'),
    frame(0x05, b'k', b'x' * 19),
    frame(0x07, b'k'),
    frame(0x08, b'', b'12'),
    frame(0x0A, b'k'),
    frame(0x0B, b'k'),
    frame(0x0E, b'k', b'x', b'v'),
    frame(0x1C, b'k', b'x'),
    frame(0x20, b'k'),
    frame(0x21, b''),
    frame(0x00, b'k', body=0),
    frame(0x00, b'key', body=2),
    frame(0x0A, magic=0x81),
    b'get k\r\n'.ljust(24),
    frame(0x07, opaque=7),
    frame(0x17, opaque=8),
    frame(0x0A, opaque=1) + frame(0x07) + frame(0x0A, opaque=2),
]
GOES_ON = [
    frame(0x1B, opaque=1),
    frame(0x25, opaque=2) + frame(0xFF, opaque=3),
    frame(0x20, opaque=4),
    frame(0x21, b'PLAIN', opaque=5),
    frame(0x22, b'PLAIN', opaque=6),
    frame(0x10, b'nosuch', opaque=7),
    frame(0x10, b'reset', opaque=8),
    frame(0x10, b'sizes', opaque=9),
    frame(0x08, b'', struct.pack('>I', 1000), opaque=10) + frame(0x18, b'', struct.pack('>I', 0)),
]


class Differential:
    def __init__(self, servers):
        self.ports = (servers.ours, servers.theirs)
        self.passed = self.failed = 0

    def judge(self, what, ours, theirs):
        good = ours == theirs
        self.passed += good
        self.failed += not good
        if not good and self.failed < 20:
            print('FAIL %r\n     kvorum    %r' % (what, ours))
            print('     memcached %r' % (theirs,), flush=True)

    def drawn(self, seed, count):
        dice = random.Random(seed)
        peers = [Peer(port) for port in self.ports]
        for peer in peers:
            peer.ask([(0x08, b'', b'', b'', 1, False)])
        opaque = 1
        while opaque < count:
            batch = [draw(dice, opaque + i) for i in range(dice.choice((1, 1, 1, 5, 20)))]
            opaque += len(batch)
            # memcached pads a counter only where no reply of the same batch still holds its item,
            # and a unique that a request gives is that of the batch before.
            counts = any(one[0] in COUNTS or one[0] in (0x15, 0x16) for one in batch)
            for part in [[one] for one in batch] if counts else [batch]:
                self.judge((seed, part), *(peer.ask(part) for peer in peers))

    def odd(self):
        for raw in ODD:
            answers = []
            for port in self.ports:
                peer = Peer(port)
                peer.sock.settimeout(3)
                got = []
                try:
                    peer.sock.sendall(raw)
                    while (reply := peer.read_frame()) is not None:
                        got.append(reply)
                    got.append('closed')
                except OSError as error:
                    got.append(type(error).__name__)
                answers.append(got)
            self.judge(raw[:40], *answers)
        for raw in GOES_ON:
            answers = []
            for port in self.ports:
                peer = Peer(port)
                peer.sock.settimeout(3)
                peer.sock.sendall(raw)
                answers.append(peer.ask([]))
            self.judge(raw[:40], *answers)


def main():
    if len(sys.argv) < 2:
        raise SystemExit('usage: memcached_binary_differential.py path/to/kvorum [seed [requests]]')
    if not shutil.which('memcached'):
        print('skipped: memcached is not installed')
        print('0 passed, 0 failed')
        return 0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20000
    with ServerPair(sys.argv[1], 'memcached', without_threads) as servers:
        test = Differential(servers)
        test.odd()
        test.drawn(seed, count)
    print('%d passed, %d failed' % (test.passed, test.failed))
    return 1 if test.failed or not test.passed else 0


if __name__ == '__main__':
    sys.exit(main())
