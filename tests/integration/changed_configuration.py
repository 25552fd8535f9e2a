#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations and addresses that change over existing data, with real processes: nothing is
lost, nothing is hidden, or the start is refused in words.
changed_configuration.py [path/to/kvorum [scenario ...]]; ends with `N passed, N failed`."""
import sys
import threading

from node_processes import KINDS, Checks, Cluster, RespError, free_ports, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
KEYS = 300
checks = Checks()


class Changing(Cluster):
    timing = 'hints: 200ms, anti_entropy: 2s, gossip: 200ms'

    def rewrite(self, extra='', cluster='name: test\n  partitions: 16'):
        self.config = self.write_config('cluster.yaml', extra, cluster)

    def move(self, *names):
        """New ports, and so new addresses."""
        ports = free_ports(len(names) * len(KINDS))
        for i, name in enumerate(names):
            self.ports[name] = dict(zip(KINDS, ports[i * len(KINDS) :]))

    def stop(self, *names):
        return [self.end(name) for name in names or self.names]

    def refusal(self, name, *options):
        """What a start says that is refused; nothing where it is not."""
        done = run(BINARY, 'serve', '--config', self.config, '--name', name, *options)
        return done.stderr if done.returncode == 1 else ''


def keyspace(**policy):
    words = ', '.join('%s: %s' % item for item in policy.items())
    return 'keyspaces:\n  default: {%s}' % words


def replies(cluster, name, commands):
    with cluster.resp(name, 10) as client:
        client.socket.sendall(b''.join(client.encode(*words) for words in commands))
        return [client.read() for _ in commands]


def fill(cluster, name):
    sets = [('SET', 'key%d' % i, 'value%d' % i) for i in range(KEYS)]
    counters = [('SET', 'count%d' % i, 100 + i) for i in range(50)]
    wrong = [reply for reply in replies(cluster, name, sets + counters) if reply != b'OK']
    checks.that('writes are taken', not wrong, wrong[:3])


def right_at_once(cluster, *names):
    """From the first answer on: retried only while the node is not reached or says it cannot."""
    for name in names or cluster.names:

        def one(*words):
            reply = None

            def answered():
                nonlocal reply
                try:
                    with cluster.resp(name, 5) as client:
                        reply = client(*words)
                except (OSError, RespError):
                    return False
                return not isinstance(reply, RespError)

            until(answered, 10)
            return reply

        first = one('GET', 'key0')
        checks.that('the first GET at %s' % name, first == b'value0', first)
        wrong = []

        def reading():
            nonlocal wrong
            gets = [('GET', 'key%d' % i) for i in range(KEYS)]
            got = replies(cluster, name, gets)
            wrong += [r for i, r in enumerate(got) if r != b'value%d' % i and not is_error(r)]
            return not any(is_error(r) for r in got)

        checks.that('all GETs at %s are answered' % name, until(reading, 10))
        checks.that('GETs at %s are right' % name, not wrong, wrong[:3])


def is_error(reply, start=''):
    return isinstance(reply, RespError) and str(reply).startswith(start)


def edits_are_right(cluster, name):
    counted = replies(cluster, name, [('INCR', 'count%d' % i) for i in range(50)])
    checks.that('INCR counts on', counted == [101 + i for i in range(50)], counted[:5])
    taken = replies(cluster, name, [('SETNX', 'key%d' % i, 'other') for i in range(50)])
    checks.that('SETNX finds them', taken == [0] * 50, taken[:5])


def all_addresses_change():
    with Changing(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        with cluster.resp('a') as client:
            token = client('KV.GET', 'key1')[0]
        cluster.stop()
        cluster.move(*'abc')
        cluster.rewrite()
        cluster.start()
        right_at_once(cluster)
        checks.that('settled under new addresses', cluster.wait_settled())
        with cluster.resp('b') as client:
            context = client('KV.PUT', 'key1', token, 'after')
        checks.that('a context of before is taken', not is_error(context), context)


def one_address_after_the_other():
    with Changing(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        for name in 'abc':
            cluster.stop(name)
            cluster.move(name)
            cluster.rewrite()
            cluster.start(name)
            right_at_once(cluster, *[other for other in 'abc' if other != name])
            checks.that('%s is linked again' % name, linked(cluster))
        right_at_once(cluster)
        checks.that('settled in the end', cluster.wait_settled())


def more_copies():
    one, three = keyspace(n=1, r=1, w=1), keyspace(n=3, r=2, w=2)
    with Changing(BINARY, 'abc', one) as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        cluster.stop()
        cluster.rewrite(three)
        cluster.start()
        right_at_once(cluster)
        edits_are_right(cluster, 'b')
        checks.that('settled once the copies follow', cluster.wait_settled())
        again = replies(cluster, 'c', [('GET', 'count%d' % i) for i in range(50)])
        checks.that('no siblings', again == [b'%d' % (101 + i) for i in range(50)], again[:3])
        cluster.stop()
        cluster.rewrite(one)
        cluster.start()
        right_at_once(cluster)
        checks.that('and back: fewer copies', cluster.wait_settled())


def fewer_copies_and_none_forgets():
    """With n 3 and w 2 a node may lack what two others acknowledged; with n 1 it alone is asked."""
    with Changing(BINARY, 'abc', keyspace(n=3, r=2, w=2)) as cluster:
        cluster.start().wait_settled()
        cluster.stop('c')
        fill(cluster, 'a')
        for name in 'ab':  # what they kept for c stays behind
            cluster.stop(name)
        for name in 'ab':
            for kept in ('hints', 'hints-journal'):
                run('rm', '-r', '%s/%s/%s' % (cluster.folder, name, kept))
        cluster.rewrite(keyspace(n=1, r=1, w=1))
        cluster.start()
        right_at_once(cluster)
        edits_are_right(cluster, 'c')
        checks.that('settled once the copies follow', cluster.wait_settled())
        right_at_once(cluster)


def weights_and_racks_change():
    with Changing(BINARY, 'abcd', keyspace(n=1, r=1, w=1)) as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        cluster.stop()
        text = open(cluster.config, encoding='utf-8').read()
        text = text.replace('{name: a,', '{name: a, weight: 5, rack: r1,').replace(
            '{name: b,', '{name: b, rack: r2, zone: z1,'
        )
        with open(cluster.config, 'w', encoding='utf-8') as file:
            file.write(text)
        cluster.start()
        right_at_once(cluster)
        edits_are_right(cluster, 'd')
        checks.that('settled once the copies follow', cluster.wait_settled())
        right_at_once(cluster, 'c')
        with cluster.resp('b', 10) as client:
            keys, cursor = set(), b'0'
            while True:
                cursor, page = client('SCAN', cursor, 'COUNT', 200)
                keys.update(page)
                if cursor == b'0':
                    break
        checks.that('SCAN shows all', len(keys) == KEYS + 50, len(keys))


def rolling_change():
    """The file is edited, then one node after the other restarted: no wrong answer on the way."""
    with Changing(BINARY, 'abc', keyspace(n=2, r=1, w=2)) as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        cluster.rewrite(keyspace(n=3, r=2, w=2))
        wrong, done = [], threading.Event()

        def watch(name):
            while not done.is_set():
                try:
                    got = replies(cluster, name, [('GET', 'key%d' % i) for i in range(KEYS)])
                except (OSError, RespError):
                    done.wait(0.02)
                    continue
                wrong.extend(
                    r for i, r in enumerate(got) if r != b'value%d' % i and not is_error(r)
                )

        watchers = [threading.Thread(target=watch, args=(name,)) for name in 'abc']
        for watcher in watchers:
            watcher.start()
        cluster.stop('a')
        cluster.start('a')

        def refused():
            try:
                with cluster.resp('a') as client:
                    return is_error(client('GET', 'key1'), 'CLUSTERDOWN keyspace 0')
            except (OSError, RespError):
                return False

        checks.that('a is linked', linked(cluster))
        checks.that('the first one does not serve', until(refused, 10))
        with cluster.resp('a') as client:
            said = str(client('GET', 'key1'))
            status = client('KV.CLUSTER', 'STATUS').decode()
        words = ('n 2', 'n 3', ' at b, c')
        checks.that('it says why', all(word in said for word in words), said)
        shown = 'state:degraded' in status and 'problem_1:configuration_differs' in status
        checks.that('and its status', shown, status)
        served = replies(cluster, 'b', [('GET', 'key%d' % i) for i in range(KEYS)])
        checks.that('the others answer', not any(r is None for r in served), served[:3])
        for name in 'bc':
            cluster.stop(name)
            cluster.start(name)
            checks.that('%s is back' % name, linked(cluster))
            checks.that('a serves', until(lambda: answers(cluster, 'a'), 15))
        done.set()
        for watcher in watchers:
            watcher.join()
        checks.that('no answer was wrong meanwhile', not wrong, wrong[:3])
        right_at_once(cluster)
        checks.that('settled in the end', cluster.wait_settled())
        told = [line for line in cluster.log('a').splitlines() if 'configurations differ' in line]
        checks.that('the log says what differs, and not again and again', 1 <= len(told) <= 6, told)


def answers(cluster, name):
    try:
        with cluster.resp(name) as client:
            return not is_error(client('PING')) and not is_error(client('GET', 'key1'))
    except (OSError, RespError):
        return False


def linked(cluster):
    def all_reach_all():
        for name in cluster.names:
            try:
                with cluster.resp(name) as client:
                    status = client('KV.CLUSTER', 'STATUS').decode()
            except (OSError, RespError):
                return False
            if 'members_reachable:%d' % len(cluster.names) not in status:
                return False
        return True

    return until(all_reach_all, 15)


def one_node_with_another_conflict_policy():
    with Changing(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('SET', 'k', 'base')
            context = client('KV.GET', 'k')[0]
        other = cluster.write_config(
            'other.yaml', keyspace(conflicts='lww'), 'name: test\n  partitions: 16'
        )
        cluster.stop('c')
        cluster.start('c', config=other)

        def says(name, start):
            try:
                with cluster.resp(name) as client:
                    return is_error(client('SET', 'x', 'y'), start)
            except (OSError, RespError):
                return False

        linked(cluster)
        checks.that('it does not serve', until(lambda: says('c', 'CLUSTERDOWN keyspace 0'), 10))
        with cluster.resp('a') as client, cluster.resp('b') as second:
            puts = [client('KV.PUT', 'k', context, 'one'), second('KV.PUT', 'k', context, 'two')]
            checks.that('the others take writes', not any(map(is_error, puts)), puts)
            wanted = [b'one', b'two']
            both = until(lambda: sorted(client('KV.GET', 'k')[1]) == wanted, 5)
            checks.that('both siblings', both, client('KV.GET', 'k'))
            status = client('KV.CLUSTER', 'STATUS').decode()
            checks.that('status is degraded', 'state:degraded' in status, status)
            checks.that('and says why', 'c does not serve keyspace 0' in status, status)
        cluster.stop('c')
        cluster.start('c')
        checks.that('settled once they agree', cluster.wait_settled())
        for name in 'abc':
            with cluster.resp(name) as client:
                values = sorted(client('KV.GET', 'k')[1])
                checks.that('both siblings at %s' % name, values == wanted, values)


def conflict_policies_of_all():
    with Changing(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('KV.PUT', 'k', '', 'one')
            client('KV.PUT', 'k', '', 'two')
            client('SET', 'plain', 'v')
        for conflicts, count in (('lww', 1), ('siblings', 1)):
            cluster.stop()
            cluster.rewrite(keyspace(conflicts=conflicts))
            cluster.start()
            checks.that('settled with %s' % conflicts, cluster.wait_settled())
            with cluster.resp('b') as client:
                values = client('KV.GET', 'k')[1]
                plain = client('GET', 'plain')
            right = b'two' in values and len(values) >= count and plain == b'v'
            checks.that('%s: the newest is there' % conflicts, right, values)


def refused_with_both_values():
    plain = 'name: test\n  partitions: 16'
    with Changing(BINARY, 'ab') as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        cluster.stop()
        for change, words in (
            ('name: test\n  partitions: 32', ('partitions', '16', '32')),
            (plain + '\n  partitioner: slots', ('partitioner', 'md5', 'slots')),
            ('name: other\n  partitions: 16', ('cluster test', 'cluster other')),
        ):
            cluster.rewrite(cluster=change)
            said = cluster.refusal('a')
            checks.that('refused: %s' % words[0], all(word in said for word in words), said)
        cluster.rewrite()
        text = open(cluster.config, encoding='utf-8').read()
        with open(cluster.config, 'w', encoding='utf-8') as file:
            file.write(text.replace('{name: b,', '{name: c,'))
        said = cluster.refusal('a')
        checks.that('refused: members', 'a, b' in said and 'a, c' in said, said)
        cluster.rewrite()
        said = cluster.refusal('b', '--data', '%s/a' % cluster.folder)
        checks.that('refused: the name of the node', 'node a' in said and 'node b' in said, said)
        said = cluster.refusal('a', '--engine', 'memory')
        checks.that('refused: memory over leveldb', 'leveldb' in said and 'memory' in said, said)
        cluster.start()
        right_at_once(cluster)


def main():
    named = sys.argv[2:]
    for scenario in (
        all_addresses_change,
        one_address_after_the_other,
        more_copies,
        fewer_copies_and_none_forgets,
        weights_and_racks_change,
        rolling_change,
        one_node_with_another_conflict_policy,
        conflict_policies_of_all,
        refused_with_both_values,
    ):
        if named and scenario.__name__ not in named:
            continue
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
