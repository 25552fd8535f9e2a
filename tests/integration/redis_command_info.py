#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""COMMAND INFO of every command that redis-server knows too: arity, keys, key specs and tips are
Redis's, and INFO has its fields.

redis_command_info.py path/to/kvorum; ends with `N passed, N failed`."""
import re
import shutil
import sys

from node_processes import Checks, Resp, ServerPair
from redis_differential import Peer, encode, redis_server

checks = Checks()

# What 7.2 says, of which an older redis-server (7.0) says less: src/commands/*.json there.
NEWER_TIPS = {
    'client|setname': ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    'config|resetstat': ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    'config|rewrite': ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    'latency|reset': ['request_policy:all_nodes', 'response_policy:agg_sum'],
    'msetnx': [],
    'randomkey': ['request_policy:all_shards', 'response_policy:special',
                  'nondeterministic_output'],
    'scan': ['nondeterministic_output', 'request_policy:special', 'response_policy:special'],
}  # fmt: skip
OTHER_ARITY = {'command|getkeys'}  # that takes a lone name, as newer ones do
# There is no state in which a node is busy, and one that loads may be asked more.
OWN_FLAGS = {b'loading', b'stale'}
NO_FLAGS = {b'allow_busy', b'skip_slowlog', b'no_async_loading'}
# Who takes more than Redis, or less, and whom 7.0 documents otherwise than 7.2.
OTHER_ARGUMENTS = {
    'bitfield', 'bitop', 'client|kill', 'client|list', 'command|getkeys', 'config|get',
    'command|getkeysandflags', 'debug', 'psubscribe', 'set',
}  # fmt: skip
NAME, ARITY, FLAGS, FIRST, LAST, STEP, CATEGORIES, TIPS, SPECS, SUBCOMMANDS = range(10)


def of_all(rows):
    """Name -> its ten elements, subcommands too."""
    found = {}
    for row in rows:
        found[row[NAME].decode()] = row
        found.update(of_all(row[SUBCOMMANDS]))
    return found


def key_spec(fields):
    named = dict(zip(fields[::2], fields[1::2]))
    named[b'flags'] = sorted(named[b'flags'])
    return sorted(named.items())


def one(name, ours, theirs):
    checks.that(name + ': ten elements', len(ours) == len(theirs) == 10, ours)
    if name not in OTHER_ARITY:
        checks.that(name + ': arity', ours[ARITY] == theirs[ARITY], (ours[ARITY], theirs[ARITY]))
    places = slice(FIRST, CATEGORIES)
    checks.that(name + ': keys', ours[places] == theirs[places], (ours[places], theirs[places]))
    flags, known = set(ours[FLAGS]), set(theirs[FLAGS])
    if name == 'wait':
        known -= {b'noscript'}  # since 7.2 scripts may
    checks.that(name + ': flags', flags - known <= OWN_FLAGS and known - flags <= NO_FLAGS,
                (flags, known))
    if name != 'role':  # it is no command of administrators here
        groups = [sorted(row[CATEGORIES]) for row in (ours, theirs)]
        checks.that(name + ': categories', groups[0] == groups[1], groups)
    tips = sorted(tip.decode() for tip in ours[TIPS])
    known = [tip.decode() for tip in theirs[TIPS]]
    wanted = [sorted(known), sorted(NEWER_TIPS.get(name, known))]
    checks.that(name + ': tips', tips in wanted, (tips, wanted))
    specs = [[key_spec(spec) for spec in row[SPECS]] for row in (ours, theirs)]
    checks.that(name + ': key specs', specs[0] == specs[1], specs)


def same_bytes(servers, version):
    """Types and order of the elements, of some that have keys and subcommands."""
    for words in (['INFO', 'get'], ['INFO', 'bitop', 'mset'], ['INFO', 'nosuch', 'set', 'del'],
                  ['GETKEYSANDFLAGS', 'RENAME', 'a', 'b'], ['GETKEYSANDFLAGS', 'SET', 'a', 'b'],
                  ['GETKEYSANDFLAGS', 'SET', 'a', 'b', 'GET'], ['GETKEYS', 'SPUBLISH', 'a', 'b'],
                  ['GETKEYSANDFLAGS', 'BITFIELD', 'a', 'GET', 'u8', '0'],
                  ['GETKEYSANDFLAGS', 'BITFIELD', 'a', 'SET', 'u8', '0', '1'],
                  ['GETKEYSANDFLAGS', 'BITOP', 'AND', 'a', 'b', 'c'],
                  ['GETKEYSANDFLAGS', 'COPY', 'a', 'b'], ['GETKEYSANDFLAGS', 'STRLEN', 'a']):
        replies = []
        for port in (servers.ours, servers.theirs):
            peer = Peer(port)
            for line in (['HELLO', version], ['COMMAND'] + words):
                peer.send(encode(line))
                reply = peer.reply()
            replies.append(reply)
            peer.close()
        checks.that('%s (RESP%d)' % (' '.join(words), version), replies[0] == replies[1], replies)


def named(fields):
    return dict(zip(fields[::2], fields[1::2]))


def tree(arguments):
    """Of the arguments what is not a name that somebody chose."""
    shapes = []
    for argument in map(named, arguments):
        parts = tree(argument.get(b'arguments', []))
        flags = sorted(argument.get(b'flags', []))
        spec = argument.get(b'key_spec_index')
        shapes.append((argument[b'type'], argument.get(b'token'), flags, spec, parts))
    return shapes


def of_documents(documents):
    """Name -> its arguments, subcommands too."""
    found = {}
    for name, fields in named(documents).items():
        fields = named(fields)
        found[name.decode()] = tree(fields.get(b'arguments', []))
        found.update(of_documents(fields.get(b'subcommands', [])))
    return found


def same_arguments(ours, theirs):
    own, known = of_documents(ours('COMMAND', 'DOCS')), of_documents(theirs('COMMAND', 'DOCS'))
    both = sorted(set(own) & set(known) - OTHER_ARGUMENTS)
    checks.that('most are documented by both', len(both) > 100, both)
    for name in both:
        checks.that(name + ': arguments', own[name] == known[name], (own[name], known[name]))


def info_fields(ours, theirs):
    """INFO has every field of redis-server's, in the section in which that has it."""

    def fields(client, section):
        lines = client('INFO', section).decode().splitlines()
        return dict(line.split(':', 1) for line in lines if ':' in line)

    for section in ('server', 'clients', 'memory', 'persistence', 'stats', 'replication', 'cpu',
                    'cluster'):
        own, known = fields(ours, section), fields(theirs, section)
        checks.that('INFO %s: has all fields' % section, set(known) <= set(own) and known,
                    sorted(set(known) - set(own)))
        numbers = [name for name, value in known.items() if re.fullmatch(r'-?[0-9.]+', value)]
        odd = [name for name in numbers if not re.fullmatch(r'-?[0-9.]+', own.get(name, '0'))]
        checks.that('INFO %s: numbers are numbers' % section, odd == [], odd)
    memory = fields(ours, 'memory')
    checks.that('the peak was not lower',
                int(memory['used_memory_peak']) >= int(memory['used_memory']) > 0, memory)
    machine = fields(theirs, 'memory')['total_system_memory']
    checks.that('the machine is the same', memory['total_system_memory'] == machine, memory)


def main():
    if not shutil.which('redis-server'):
        print('skipped: redis-server is not installed')
        print('0 passed, 0 failed')
        return 0
    with ServerPair(sys.argv[1], 'redis', redis_server) as servers:
        with Resp(servers.ours) as ours, Resp(servers.theirs) as theirs:
            own, known = of_all(ours('COMMAND')), of_all(theirs('COMMAND'))
            both = sorted(set(own) & set(known))
            checks.that('most are known to both', len(both) > 100, both)
            for name in both:
                one(name, own[name], known[name])
            same_arguments(ours, theirs)
            info_fields(ours, theirs)
        for version in (2, 3):
            same_bytes(servers, version)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
