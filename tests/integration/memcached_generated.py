#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says the same drawn commands to memcached and to kvorum's memcached port: classic text and meta
commands mixed, with stale items, wins and comparisons. Cas uniques, sizes of memory and ages are
masked; requests that give a unique take it from what their own server said last.

memcached_generated.py path/to/kvorum [seed [commands]]; ends with `N passed, N failed`. Not drawn,
because Debian's memcached 1.6.18 does not know it: E, x, mg with C, ms with s or N."""
import random
import re
import shutil
import sys

from memcached_binary_differential import without_threads
from memcached_differential import Peer
from node_processes import ServerPair

# No minus: of large numbers memcached looks for one behind their end too.
VALUES = (b'', b'v', b'0', b'7', b'99', b'100 ', b' 5', b'+4', b'18446744073709551615', b'1x',
          b'a\r\nb\0c', b'x' * 300)
NUMBERS = ('0', '1', '7', '90', '+3', '18446744073709551615', '18446744073709551616', 'x', '')
EXPTIMES = ('0', '0', '0', '100', '100', '2592001', '4294967295', '4294967396', '+50', 'x')
META_TIMES = ('0', '30', '100', '1000', '2592001', '+50', 'x', '')
MODES = {'ms': ('E', 'A', 'P', 'R', 'S', 'e', '', 'SS'), 'ma': ('I', 'D', '+', '-', 'x', '')}
FLAGS = {
    'mg': 'bcfhkOqstvTNRu',
    'ms': 'bcCFIkOqTM',
    'md': 'bCIkOqT',
    'ma': 'bcCDJkMNOqtv',  # T: it is lost there when the number grows longer
}


class Drawer:
    def __init__(self, seed):
        self.dice = random.Random(seed)

    def pick(self, choices):
        return self.dice.choice(choices)

    def key(self):
        return 'k%d' % self.dice.randrange(5)

    def meta_flag(self, command, letter):
        """{cas} stands for what each server said of the key."""
        token = {
            'T': lambda: self.pick(META_TIMES),
            'N': lambda: self.pick(META_TIMES),
            'R': lambda: self.pick(('0', '20', '70', '700', '2592001', 'x')),  # of no deadline
            'F': lambda: self.pick(('0', '5', '4294967295', '4294967296', 'x', '')),
            'C': lambda: self.pick(('{cas}', '{cas}', '{cas}', '1', 'x')),
            'D': lambda: self.pick(NUMBERS),
            'J': lambda: self.pick(NUMBERS),
            'M': lambda: self.pick(MODES[command]),
            # A long one is refused after mg and ma have been carried out.
            'O': lambda: self.pick(('', '1', 'opaque', 'o' * (31 + (command in ('ms', 'md'))))),
        }.get(letter, lambda: '')
        return letter + token()

    def meta(self):
        command = self.pick(('mg', 'mg', 'mg', 'ms', 'ms', 'md', 'ma', 'ma'))
        letters = list(FLAGS[command])
        if self.dice.random() < 0.9:
            letters.remove('b')  # not with keys that others use: their text is another one
        count = min(len(letters), self.pick((0, 1, 1, 2, 2, 3, 4, 6)))
        chosen = self.dice.sample(letters, count)
        # Of what N made it forgets that the key is binary, and t between N and T tells of N.
        if 'N' in chosen and command == 'mg':
            chosen = [each for each in chosen if each not in 'bT']
        if self.dice.random() < 0.02:
            chosen.append(self.pick(('Z', 'k', 'P1', 'Lx', 'S')))
        key = 'Zm9v' if 'b' in chosen else self.key()
        words = [command, key]
        value = self.pick(VALUES)
        if command == 'ms':
            words.append(str(len(value)))
        words += [self.meta_flag(command, each[0]) if len(each) == 1 else each for each in chosen]
        line = ' '.join(words).encode() + b'\r\n'
        return line + value + b'\r\n' if command == 'ms' else line

    def classic(self):
        command = self.pick(('get', 'gets', 'set', 'set', 'add', 'replace', 'append', 'prepend',
                             'cas', 'incr', 'decr', 'delete', 'touch', 'gat', 'gats', 'me'))
        key = self.key()
        quiet = self.pick(('', '', '', ' noreply'))
        if command in ('get', 'gets', 'me'):
            return ('%s %s\r\n' % (command, key)).encode()
        if command in ('gat', 'gats'):
            return ('%s %s %s\r\n' % (command, self.pick(EXPTIMES), key)).encode()
        if command in ('incr', 'decr'):
            return ('%s %s %s%s\r\n' % (command, key, self.pick(NUMBERS[:-1]), quiet)).encode()
        if command == 'touch':
            return ('touch %s %s%s\r\n' % (key, self.pick(EXPTIMES), quiet)).encode()
        if command == 'delete':
            more = self.pick(('', ' 0', ' noreply', ' 0 noreply'))
            return ('delete %s%s\r\n' % (key, more)).encode()
        value = self.pick(VALUES)
        unique = ' {cas}' if command == 'cas' else ''
        flags = self.pick(('0', '7', '4294967295', '4294967296', '+1'))
        return ('%s %s %s %s %d%s%s\r\n' % (command, key, flags, self.pick(EXPTIMES[:-1]),
                                          len(value), unique, quiet)).encode() + value + b'\r\n'

    def command(self):
        return self.meta() if self.dice.random() < 0.6 else self.classic()


def masked(reply):
    """Without what two servers need not agree on: uniques, sizes in memory, ages."""
    reply = re.sub(rb'(VALUE \S+ \d+ \d+) \d+', rb'\1 CAS', reply)
    reply = re.sub(rb'^(ME \S+ exp=)(-?)\d\d+ la=\d+ cas=\d+ fetch=\w+ cls=\d+ size=\d+',
                   rb'\1\2TTL', reply)
    reply = re.sub(rb'^(ME \S+ exp=-1) la=\d+ cas=\d+ fetch=\w+ cls=\d+ size=\d+', rb'\1', reply)
    head, mark, rest = reply.partition(b'\r\n')
    if head[:2] in (b'HD', b'VA'):
        head = re.sub(rb' c\d+', b' cCAS', head)
        head = re.sub(rb' h[01]', b' hHIT', head)
        head = head.replace(b' kfoo', b' kZm9v b')  # it forgets that what ma made has a binary key
        head = re.sub(rb' t(0|\d\d+)', b' tTTL', head)
    return head + mark + rest


class Told(Peer):
    """A connection that knows the unique of each key."""

    MARK = b'end_mark'  # without a minus

    def __init__(self, port):
        super().__init__(port)
        self.cas = {}

    def say(self, raw):
        key = raw.split(b' ')[1].split(b'\r')[0]
        reply = self.ask(raw.replace(b'{cas}', self.cas.get(key, b'7')))
        seen = self.ask(b'gets ' + key + b'\r\n')
        unique = re.match(rb'VALUE \S+ \d+ \d+ (\d+)', seen)
        if unique:
            self.cas[key] = unique.group(1)
        told = re.search(rb'^(?:HD|VA)[^\r]* c(\d+)', reply)
        if told and unique and told.group(1) != unique.group(1):
            reply += b'(its c is not that of gets)'
        return masked(reply), masked(seen)


def main():
    if len(sys.argv) < 2:
        raise SystemExit('usage: memcached_generated.py path/to/kvorum [seed [commands]]')
    if not shutil.which('memcached'):
        print('skipped: memcached is not installed')
        print('0 passed, 0 failed')
        return 0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 15000
    passed = failed = 0
    with ServerPair(sys.argv[1], 'memcached', without_threads) as servers:
        peers = [Told(port) for port in (servers.ours, servers.theirs)]
        for peer in peers:
            peer.sock.sendall(b'flush_all\r\nset end_mark 0 0 1\r\n1\r\n')
            opened = b''
            while not opened.endswith(b'STORED\r\n'):
                opened += peer.sock.recv(100)
        drawer = Drawer(seed)
        for _ in range(count):
            raw = drawer.command()
            ours, theirs = (peer.say(raw) for peer in peers)
            if ours == theirs:
                passed += 1
                continue
            failed += 1
            if failed <= 20:
                print('FAIL %r\n     kvorum    %r' % (raw, ours))
                print('     memcached %r' % (theirs,), flush=True)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
