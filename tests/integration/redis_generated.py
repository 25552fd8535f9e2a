#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says the same drawn commands to redis-server and to kvorum and compares the bytes of the replies.

redis_generated.py path/to/kvorum [--commands N] [--seed S]: N commands in RESP2 and N in RESP3, on
a handful of keys, so that each meets what others left; some of them wrong. Prints the seed, the
first differences, and `N passed, N failed`."""
import argparse
import random
import shutil
import sys

from node_processes import ServerPair
from redis_differential import Peer, encode, redis_server, same_set

BATCH = 50  # sent at once
SHOWN_MAX = 20  # differences that are printed
KEYS = ('a', 'b', 'c', 'd', 'e', '')
EDGES = (
    0, 1, -1, 2, 3, 5, 7, 8, 9, 10, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, -2, -3, -8,
    -100, 1000, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -2**63, 2**63, 'x', '', '1.5', '+1',
    '-0', '01', ' 1',
)  # fmt: skip
SMALL = tuple(range(0, 17)) + (20, 30, 63, 64, 100, -1, -2, -3, -5, -9)
NUMBER_TEXTS = ('', '0', '-0', '007', '1.5', '3e5', '9223372036854775807', '-9223372036854775808',
                ' 1', 'nan', 'inf')  # fmt: skip
BYTES = b'\x00\xff\x0fabcABC\x80\x7f'
# Of Redis 7.0, with small integers, bytes and LZF; the last one is damaged.
DUMPS = tuple(bytes.fromhex(digits) for digits in (
    '000568656c6c6f0a006372df766534200a',
    '00c07b0a0048e253e1007a67b9',
    '00c2701101000a0001a408fe953095a5',
    '00c3094064016161e057000161610a00e8a3b507b06df271',
    '00c3094064016161e057000161610a00e8a3b507b06df272',
))  # fmt: skip


class Drawer:
    """Words of commands, drawn from a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.pick = self.rng.choice
        self.durations = 0

    def chance(self, share):
        return self.rng.random() < share

    def key(self):
        return [self.pick(KEYS)]

    def keys(self):
        return [self.pick(KEYS) for _ in range(self.rng.randint(1, 3))]

    def edge(self):
        return [self.pick(EDGES)]

    def small(self):
        return [self.pick(SMALL if self.chance(0.9) else EDGES)]

    def value(self):
        kind = self.rng.random()
        if kind < 0.25:
            return [self.rng.randint(-200, 20000)]
        if kind < 0.3:
            return [self.pick(NUMBER_TEXTS)]
        size = self.rng.randint(0, self.pick((3, 8, 30, 60)))
        return [bytes(self.pick(BYTES) for _ in range(size))]

    def pairs(self):
        pairs = []
        for _ in range(self.rng.randint(1, 3)):
            pairs += self.key() + self.value()
        return pairs

    def some(self, words, most):
        return self.rng.sample(words, self.rng.randint(0, most))

    def seconds(self):
        """Or milliseconds: nothing may expire while the two are asked one after the other. No
        duration twice: whether GT finds the same one later would be a question of the clock."""
        self.durations += 1
        lasting = (base + self.durations for base in (100_000, 900_000, 2**63 // 1000))
        return [self.pick((*lasting, 0, -1, 'x', 2**63 - 1, -2**63))]

    def unix_time(self):
        return [self.pick((9999999999, 99999999999999, 0, -1, 1, 'x', 2**63 - 1, 2**63 - 2))]

    def set_options(self):
        words = []
        for option in self.some(('NX', 'XX', 'GET', 'KEEPTTL', 'EX', 'PX', 'EXAT', 'PXAT'), 3):
            words.append(option)
            if option in ('EX', 'PX'):
                words += self.seconds()
            if option in ('EXAT', 'PXAT'):
                words += self.unix_time()
        return words

    def getex_options(self):
        kept = ([], ['PERSIST'], ['EX', 1000], ['PXAT', 99999999999999], ['EXAT', 1])
        wrong = (['EX', 0], ['EX', 'x'], ['EX', 2**63 - 1], ['PERSIST', 'EX', 1])
        return self.pick(kept + wrong)

    def expire_conditions(self):
        return self.some(('NX', 'XX', 'GT', 'LT', 'FOO'), self.pick((0, 0, 1, 2)))

    def bit_number(self):
        return [self.pick((0, 1, 2, 3, 7, 8, 9, 20, 100, 300, -1, 'x', 2**32))]

    def bit(self):
        return [self.pick((0, 1, 0, 1, 0, 1, 2, 'x'))]

    def unit(self):
        return [self.pick(('BIT', 'BYTE'))]

    def bit_range(self):
        both = self.small() + self.small()
        return self.pick(([], both, both + self.unit()))

    def bit_search(self):
        return self.pick((self.small(), self.bit_range()))

    def bit_operation(self):
        return [self.pick(('AND', 'OR', 'XOR', 'NOT', 'and', 'FOO'))]

    def field(self):
        width = self.pick((1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 32, 33, 62, 63, 64, 0, 65))
        kind = self.pick('uuuuiiiix')
        offsets = (0, 1, 2, 3, 5, 7, 8, 9, 16, 31, 64, 100, '#0', '#1', '#3', -1, 'x', '#')
        return ['%s%d' % (kind, width), self.pick(offsets)]

    def field_reads(self):
        return [word for _ in range(self.rng.randint(0, 3)) for word in ['GET'] + self.field()]

    def field_operations(self):
        words = []
        for _ in range(self.rng.randint(0, 4)):
            kind = self.pick(('GET', 'SET', 'SET', 'INCRBY', 'INCRBY', 'OVERFLOW'))
            if kind == 'OVERFLOW':
                words += [kind, self.pick(('WRAP', 'SAT', 'FAIL', 'foo'))]
            else:
                words += [kind] + self.field() + (self.edge() if kind != 'GET' else [])
        return words

    def lcs_options(self):
        least = ['MINMATCHLEN'] + self.small()
        return self.some(('LEN', 'IDX', 'WITHMATCHLEN'), 2) + self.pick(([], least))

    def copy_options(self):
        elsewhere = (['DB', 1], ['DB', 16], ['DB', 'x'], ['DB', 2, 'replace'])
        return self.pick(([], ['REPLACE']) + elsewhere)

    def database(self):
        return [self.pick((0, 1, 2, -1, 16, 'x'))]

    def restore_time(self):
        """No sum that overflows: Redis lets it wrap into the past."""
        return [self.pick((0, 0, 100_000, -1, 'x'))]

    def dump(self):
        return [self.pick(DUMPS)]

    def restore_options(self):
        return self.pick(([], ['REPLACE'], ['FREQ', 5], ['IDLETIME', 5, 'REPLACE'], ['FREQ', 256]))

    def pattern(self):
        return [self.pick(('*', '', 'a', '[a-c]', '?', '**', '[^a]'))]

    def scan_options(self):
        return ['COUNT', 1000] + self.pick(([], ['MATCH'] + self.pattern(), ['TYPE', 'string'],
                                            ['TYPE', 'list'], ['COUNT', 0]))  # fmt: skip

    def cursor(self):
        return [self.pick((0, '', 'x', '-', '+0'))]

    def command(self):
        name = self.pick(tuple(GRAMMAR))
        words = [name]
        for part in GRAMMAR[name]:
            words += getattr(self, part)()
        return words if name in WHOLE else self.spoilt(words)

    def spoilt(self, words):
        """Now and then a word too few, too many, or another one; and other letters."""
        if self.chance(0.04):
            words = words[:-1] or words
        if self.chance(0.03):
            words = words + [self.pick(('FOO', '', 0, 'BIT', 'REPLACE', 'LEN', 'GET'))]
        if self.chance(0.02) and len(words) > 2:
            words[self.rng.randrange(1, len(words))] = self.pick(('x', '', -1))
        change = self.pick((str, str, str, str.lower, str.title))
        changes = lambda word: isinstance(word, str) and word.isupper()
        return [change(word) if changes(word) else word for word in words]


# The parts of each command behind its name: what Drawer draws for them.
GRAMMAR = {
    'APPEND': ('key', 'value'),
    'BITCOUNT': ('key', 'bit_range'),
    'BITFIELD': ('key', 'field_operations'),
    'BITFIELD_RO': ('key', 'field_reads'),
    'BITOP': ('bit_operation', 'key', 'keys'),
    'BITPOS': ('key', 'bit', 'bit_search'),
    'COPY': ('key', 'key', 'copy_options'),
    'DECR': ('key',),
    'DECRBY': ('key', 'edge'),
    'DEL': ('keys',),
    'EXISTS': ('keys',),
    'EXPIRE': ('key', 'seconds', 'expire_conditions'),
    'EXPIREAT': ('key', 'unix_time', 'expire_conditions'),
    'GET': ('key',),
    'GETBIT': ('key', 'bit_number'),
    'GETDEL': ('key',),
    'GETEX': ('key', 'getex_options'),
    'GETRANGE': ('key', 'small', 'small'),
    'GETSET': ('key', 'value'),
    'INCR': ('key',),
    'INCRBY': ('key', 'edge'),
    'INCRBYFLOAT': ('key', 'edge'),
    'KEYS': ('pattern',),
    'LCS': ('key', 'key', 'lcs_options'),
    'MGET': ('keys',),
    'MOVE': ('key', 'database'),
    'MSET': ('pairs',),
    'MSETNX': ('pairs',),
    'PERSIST': ('key',),
    'PEXPIRE': ('key', 'seconds', 'expire_conditions'),
    'PEXPIREAT': ('key', 'unix_time', 'expire_conditions'),
    'RENAME': ('key', 'key'),
    'RENAMENX': ('key', 'key'),
    'RESTORE': ('key', 'restore_time', 'dump', 'restore_options'),
    'SCAN': ('cursor', 'scan_options'),
    'SET': ('key', 'value', 'set_options'),
    'SETBIT': ('key', 'bit_number', 'bit'),
    'SETNX': ('key', 'value'),
    'SETRANGE': ('key', 'small', 'value'),
    'STRLEN': ('key',),
    'SUBSTR': ('key', 'small', 'small'),
    'TYPE': ('key',),
    'UNLINK': ('keys',),
}
WHOLE = ('SCAN',)  # a COUNT too few would show where a cursor stands


def explained(words, ours, theirs):
    """Differences that are meant to be: sets of keys have no order, and Redis before 7.2 looks for
    the key first where BITCOUNT and BITPOS have wrong arguments."""
    name = words[0].upper()
    if name in ('KEYS', 'SCAN'):
        return same_set(ours, theirs)
    no_key = theirs in (b':0\r\n', b':-1\r\n')
    return name in ('BITCOUNT', 'BITPOS') and ours.startswith(b'-ERR') and no_key


def compare(servers, drawer, commands, version):
    """How many replies were the same, and how many not."""
    peers = [Peer(servers.ours), Peer(servers.theirs)]
    for peer in peers:
        for opening in (['HELLO', version], ['FLUSHALL']):
            peer.send(encode(opening))
            peer.reply()
    counts = {True: 0, False: 0}
    while sum(counts.values()) < commands:
        batch = [drawer.command() for _ in range(BATCH)]
        for peer in peers:
            peer.send(b''.join(encode(words) for words in batch))
        for words in batch:
            ours, theirs = (peer.reply() for peer in peers)
            good = ours == theirs or explained(words, ours, theirs)
            counts[good] += 1
            if not good and counts[False] <= SHOWN_MAX:
                print('FAIL %r (RESP%d)\n     kvorum %r' % (words, version, ours[:300]))
                print('     redis  %r' % theirs[:300], flush=True)
    for peer in peers:
        peer.close()
    return counts[True], counts[False]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('binary')
    parser.add_argument('--commands', type=int, default=200_000)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    if not shutil.which('redis-server'):
        print('skipped: redis-server is not installed')
        print('0 passed, 0 failed')
        return 0
    print('seed %d' % options.seed, flush=True)
    passed = failed = 0
    with ServerPair(options.binary, 'redis', redis_server) as servers:
        for version in (2, 3):
            drawer = Drawer(options.seed * 10 + version)
            good, bad = compare(servers, drawer, options.commands, version)
            passed, failed = passed + good, failed + bad
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
