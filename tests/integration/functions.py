#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FUNCTION and FCALL on three real nodes: every node has the libraries, also who was away, and they
outlive all processes. And messages that scripts and functions publish.

functions.py [path/to/kvorum]; ends with `N passed, N failed`."""
import sys

from node_processes import Checks, Cluster, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
COUNTER = """#!lua name=counter
local function add(keys, args)
  local n = redis.call('INCRBY', keys[1], args[1])
  redis.call('PUBLISH', 'counted', n)
  return n
end
redis.register_function('add', add)
redis.register_function{
  function_name='peek', flags={'no-writes'},
  callback=function(keys) return redis.call('GET', keys[1]) end}
"""
OTHER = '#!lua name=other\nredis.register_function("five", function() return 5 end)'
checks = Checks()


def calls(cluster, name, *words):
    with cluster.resp(name) as client:
        return client(*words)


def everywhere(cluster, *words):
    return [calls(cluster, name, *words) for name in cluster.names]


def becomes(cluster, name, wanted, *words):
    return until(lambda: calls(cluster, name, *words) == wanted, 20)


def call_anywhere(cluster):
    checks.that('FUNCTION LOAD', calls(cluster, 'a', 'FUNCTION', 'LOAD', COUNTER) == b'counter')
    added = [calls(cluster, name, 'FCALL', 'add', 1, 'n', 10) for name in cluster.names]
    checks.that('every node calls it at once', added == [10, 20, 30], added)
    peeked = everywhere(cluster, 'FCALL_RO', 'peek', 1, 'n')
    checks.that('and reads', peeked == [b'30'] * 3, peeked)
    refused = calls(cluster, 'b', 'FCALL_RO', 'add', 1, 'n', 1)
    checks.that('FCALL_RO of one that writes', 'write flag' in str(refused), refused)
    with cluster.resp('c') as client:
        client('MULTI')
        client('FCALL', 'add', 1, 'n', 1)
        client('FCALL', 'nosuch', 0)
        client('GET', 'n')
        replies = client('EXEC')
    checks.that('in a transaction', replies[0] == 31 and replies[2] == b'31', replies)
    checks.that('which names what is missing', 'Function not found' in str(replies[1]), replies)


def who_was_away_learns(cluster):
    cluster.end('c')
    checks.that('one node is away', calls(cluster, 'b', 'FUNCTION', 'LOAD', OTHER) == b'other')
    checks.that('and one goes', calls(cluster, 'a', 'FUNCTION', 'DELETE', 'counter') == b'OK')
    cluster.start('c').wait_settled('c')
    checks.that('it learns what came', becomes(cluster, 'c', 5, 'FCALL', 'five', 0))
    gone = calls(cluster, 'c', 'FCALL', 'add', 1, 'n', 1)
    checks.that('and what went', 'Function not found' in str(gone), gone)


def all_processes_end(cluster):
    for name in cluster.names:
        cluster.end(name)
    cluster.start().wait_settled()
    found = everywhere(cluster, 'FCALL', 'five', 0)
    checks.that('they outlive all processes', found == [5, 5, 5], found)
    dump = calls(cluster, 'a', 'FUNCTION', 'DUMP')
    checks.that('FUNCTION FLUSH', calls(cluster, 'b', 'FUNCTION', 'FLUSH') == b'OK')
    lists = everywhere(cluster, 'FUNCTION', 'LIST')
    checks.that('everywhere', lists == [[], [], []], lists)
    checks.that('RESTORE', calls(cluster, 'c', 'FUNCTION', 'RESTORE', dump) == b'OK')
    found = everywhere(cluster, 'FCALL', 'five', 0)
    checks.that('everywhere too', found == [5, 5, 5], found)
    again = calls(cluster, 'a', 'FUNCTION', 'RESTORE', dump)
    checks.that('not twice', 'already exists' in str(again), again)
    replaced = calls(cluster, 'a', 'FUNCTION', 'RESTORE', dump, 'REPLACE')
    checks.that('but to replace', replaced == b'OK', replaced)
    calls(cluster, 'a', 'FUNCTION', 'LOAD', COUNTER)
    both = calls(cluster, 'a', 'FUNCTION', 'DUMP')
    calls(cluster, 'a', 'FUNCTION', 'FLUSH')
    calls(cluster, 'a', 'FUNCTION', 'LOAD', OTHER.replace('name=other', 'name=third'))
    refused = calls(cluster, 'a', 'FUNCTION', 'RESTORE', both)
    checks.that('a function that is there', 'Function five already' in str(refused), refused)
    left = calls(cluster, 'a', 'FUNCTION', 'LIST')
    checks.that('then nothing is added', len(left) == 1 and left[0][1] == b'third', left)


# However the call goes: by its key's coordinator, on copies of two keys, without a key.
def messages_are_heard(cluster):
    script = "redis.call('PUBLISH', ARGV[1], 'of ' .. ARGV[1]) return 'said'"
    with cluster.resp('c') as hearer:
        hearer('PSUBSCRIBE', 'from*')
        for number, keys in enumerate((['k'], [], ['{k}1', '{k}2'])):
            for name in ('a', 'b', 'c'):
                channel = 'from-%d-%s' % (number, name)
                said = calls(cluster, name, 'EVAL', script, len(keys), *keys, channel)
                heard = hearer.read() if said == b'said' else None
                wanted = [b'pmessage', b'from*', channel.encode(), b'of ' + channel.encode()]
                checks.that('heard: ' + channel, heard == wanted, (said, heard))
        refused = calls(cluster, 'a', 'EVAL_RO', script, 0, 'from-nobody')
        checks.that('not read-only', 'Write commands' in str(refused), refused)


# Keys of one partition.
SLOTS = 'name: test\n  partitions: 16\n  partitioner: slots'


def main():
    with Cluster(BINARY, 'abc', cluster=SLOTS) as cluster:
        cluster.start().wait_settled()
        checks.attempt('call anywhere', call_anywhere, cluster)
        checks.attempt('messages are heard', messages_are_heard, cluster)
        checks.attempt('who was away learns', who_was_away_learns, cluster)
        checks.attempt('all processes end', all_processes_end, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
