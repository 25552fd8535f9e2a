#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the same scripts on redis-server and on kvorum and compares the bytes of the replies.

redis_scripts.py path/to/kvorum: what the interpreter of both offers and refuses, conversions in
both directions, errors and where they were, libraries; in RESP2 and RESP3. Prints the differences
and `N passed, N failed`."""
import os
import re
import shutil
import sys

from node_processes import ServerPair
from redis_differential import Peer, encode, read_word, redis_server

# Commands about scripts; each is sent as it is.
COMMANDS = [
    ['EVAL'], ['EVAL', 'return 1'], ['EVAL', 'return 1', '-1'], ['EVAL', 'return 1', '2', 'a'],
    ['EVAL', 'return 1', 'x'], ['EVAL', 'return 1', '0', 'a'], ['EVALSHA', 'abc', '0'],
    ['EVALSHA', 'a' * 40, '0'], ['EVALSHA', 'a' * 40, 'x'], ['EVAL_RO', 'return 1', '0'],
    ['EVAL_RO', 'return redis.call("set", KEYS[1], 1)', '1', 'k'],
    ['EVAL_RO', 'return redis.call("get", KEYS[1])', '1', 'k'],
    ['SCRIPT', 'LOAD', 'return 5'], ['SCRIPT', 'LOAD', 'return +'], ['SCRIPT', 'LOAD', '#!x\n'],
    ['EVALSHA', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', '0'],
    ['EVALSHA', '4CA238F611C9D0AE4E9A75A5DBAC22AEDC379801', '0'],
    ['EVALSHA_RO', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', '1', 'k'],
    ['SCRIPT', 'EXISTS', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', 'x'],
    ['SCRIPT', 'KILL'], ['SCRIPT', 'DEBUG', 'no'], ['SCRIPT', 'DEBUG', 'x'], ['SCRIPT', 'FLUSH'],
    ['SCRIPT', 'EXISTS', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801'],
    ['EVALSHA', '4ca238f611c9d0ae4e9a75a5dbac22aedc379801', '0'],
    ['MULTI'], ['EVAL', 'return redis.call("incrby", KEYS[1], 2)', '1', 'n'],
    ['EVAL', 'return "none"', '0'], ['EVAL', 'return redis.call("incr", KEYS[1])', '1', 'k'],
    ['GET', 'n'], ['EXEC'],
]  # fmt: skip


def read_scripts():
    """(script, keys, arguments) of redis_scripts.txt."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'redis_scripts.txt')
    with open(path, encoding='ascii') as file:
        text = re.sub(r'\\\n  ', '', file.read())
    for line in text.splitlines():
        if not line or line.startswith(('# ', '[')):
            continue
        script, _, tail = line.partition(' -- ')
        keys, _, arguments = (' ' + tail).partition(' ARGV ')
        script = script.replace('<nl>', '\n')
        yield script, keys.removeprefix(' KEYS').split(), [read_word(w) for w in arguments.split()]


def compare(servers, version):
    """(how many were the same, how many not)"""
    peers = [Peer(servers.ours), Peer(servers.theirs)]
    counts = {True: 0, False: 0}

    def both(words):
        replies = []
        for peer in peers:
            peer.send(encode(words))
            replies.append(peer.reply())
        return replies

    both(['HELLO', version])
    both(['FLUSHALL'])
    for script, keys, arguments in read_scripts():
        both(['SET', 'k', 'v'])
        words = ['EVAL', script, len(keys)] + keys + arguments
        ours, theirs = both(words)
        judge(counts, words, ours, theirs, version)
    for words in COMMANDS:
        ours, theirs = both(words)
        judge(counts, words, ours, theirs, version)
    for peer in peers:
        peer.close()
    return counts[True], counts[False]


def judge(counts, words, ours, theirs, version):
    counts[ours == theirs] += 1
    if ours != theirs:
        print('FAIL %r (RESP%d)\n     kvorum %r' % (words, version, ours[:300]))
        print('     redis  %r' % theirs[:300], flush=True)


def main():
    if not shutil.which('redis-server'):
        print('skipped: redis-server is not installed')
        print('0 passed, 0 failed')
        return 0
    passed = failed = 0
    servers = ServerPair(sys.argv[1], 'redis', redis_server)
    # Keys of one {tag} are in one partition then.
    slots = 'name: test\n  partitions: 16\n  partitioner: slots'
    servers.config = servers.write_config('slots.yaml', 'engine: {type: memory}', slots)
    with servers:
        for version in (2, 3):
            good, bad = compare(servers, version)
            passed, failed = passed + good, failed + bad
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
