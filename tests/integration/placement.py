#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: no client may be refused, also where the disk takes its time
"""With which placement clusters are founded, what nodes learn of it that lost their disks or have
none, and how an older cluster is raised to it. placement.py [path/to/kvorum [path/to/one of before
version 13 of the peer protocol]]: with two binaries, also what becomes of the older one. Ends with
`N passed, N failed`."""
import os
import shutil
import signal
import sys

from membership import Load, Ring, checks
from node_processes import until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
OLDER = sys.argv[2] if len(sys.argv) > 2 else None
SHAPE = 'name: test\n  partitions: 64'
MEMORY = 'engine: {type: memory}'


class Zones(Ring):
    """A node for each zone in turn. Those in `older` run the older binary."""

    def __init__(self, names, extra='', older=''):
        super().__init__(BINARY, names, extra, cluster=SHAPE)
        self.older = set(older)

    def member_fields(self, name):
        return ['zone: z%d' % (self.names.index(name) % 3)]

    def start(self, *names, config=None, options=()):
        for name in names or self.names:
            self.binary = os.path.abspath(OLDER if name in self.older else BINARY)
            super().start(name, config=config, options=options)
        return self

    def upgrade(self, *names):
        for name in names:
            self.end(name)
            self.older.discard(name)
            self.start(name)

    def wipe(self, name):
        self.end(name, signal.SIGKILL)
        shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)

    def placement(self, name):
        return self.asked(name, 'ring')[1].get('placement')

    def placements(self, names=''):
        return {self.placement(name) for name in names or self.names}

    def firm(self, placement, *names):
        line = 'the cluster was founded with placement %d\n' % placement
        return until(lambda: all(line in self.log(name) for name in names or self.names), 20)


def fill(cluster, at):
    with cluster.resp(at, 10) as client:
        wrong = [i for i in range(300) if client('SET', 'k%d' % i, i) != b'OK']
    checks.that('written', not wrong, wrong[:3])


def all_there(cluster, *names):
    for name in names or cluster.names:
        with cluster.resp(name, 10) as client:
            wrong = [i for i in range(300) if client('GET', 'k%d' % i) != b'%d' % i]
        checks.that('all is read at %s' % name, not wrong, wrong[:3])


def a_new_cluster():
    with Zones('abcde') as cluster:
        cluster.start()
        checks.that('settled', cluster.wait_settled())
        checks.that('all have placement 2', cluster.placements() == {2}, cluster.placements())
        checks.that('for good', cluster.firm(2), cluster.log('a')[-2000:])
        fill(cluster, 'a')
        shown = cluster.cli('a', 'ring')
        checks.that('it is shown', 'placement 2' in shown.stdout, shown)
        again = cluster.cli('a', 'cluster', 'placement', '2', '--yes')
        told = again.returncode == 1 and 'has placement 2 already' in again.stderr
        checks.that('it cannot be raised further', told, again)
        with cluster.resp('b') as client:
            for words, said in (
                (('PLACEMENT', '2'), 'ERR the cluster has placement 2 already'),
                (('PLAN', 'PLACEMENT', '2'), 'ERR the cluster has placement 2 already'),
                (('PLACEMENT', '3'), 'ERR the placement can be raised to 2'),
                (('PLACEMENT', 'x'), 'ERR value is not an integer or out of range'),
                (('PLAN', 'PLACEMENT', '2', 'b'), 'ERR syntax error'),
            ):
                reply = str(client('KV.CLUSTER', *words))
                checks.that('KV.CLUSTER %s' % ' '.join(words), reply.startswith(said), reply)
        cluster.wipe('c')
        cluster.start('c')
        checks.that('settled after a lost disk', cluster.wait_settled(seconds=40))
        checks.that('with one placement', cluster.placements() == {2}, cluster.placements())
        all_there(cluster)
        for name in 'abcde':
            cluster.end(name, signal.SIGKILL)
        cluster.start()
        checks.that('settled after a power cut', cluster.wait_settled(seconds=40))
        checks.that('with it still', cluster.placements() == {2}, cluster.placements())
        all_there(cluster)
        anew = [name for name in 'abcde' if 'begins anew' in cluster.log(name)]
        checks.that('nobody had to begin anew', not anew, anew)


def a_file_that_was_moved_away():
    with Zones('abc') as cluster:
        cluster.start().wait_settled()
        checks.that('founded', cluster.firm(2))
        fill(cluster, 'a')
        cluster.end('b')
        os.remove(os.path.join(cluster.folder, 'b', 'membership'))
        cluster.start('b')
        checks.that('settled', cluster.wait_settled(seconds=40))
        checks.that('b asked the others', cluster.placements() == {2}, cluster.placements())
        checks.that('and began anew', 'this node began with 1' in cluster.log('b'))
        all_there(cluster)


def raised(cluster, at):
    load = Load(cluster, 'b')
    until(lambda: len(load.written) > 300, 20)
    plan = cluster.cli(at, 'cluster', 'placement', '2', '--plan')
    checks.that('the plan names it', plan.stdout.startswith('placement 2: '), plan)
    cluster.change(at, 'cluster', 'placement', '2')
    load.finish().judge(*cluster.names)
    checks.that('settled', cluster.wait_settled(seconds=40))
    checks.that('all have 2', cluster.placements() == {2}, cluster.placements())


def an_older_cluster_is_raised():
    with Zones('abcde', older='abcde') as cluster:
        cluster.start()
        checks.that('five older nodes are settled', cluster.wait_settled())
        fill(cluster, 'a')
        cluster.upgrade(*'abcd')
        checks.that('settled', cluster.wait_settled(seconds=40))
        checks.that('placement 1 is kept', cluster.placements('abcd') == {1})
        cluster.wipe('b')
        cluster.start('b')
        checks.that('settled after a lost disk', cluster.wait_settled(seconds=40))
        checks.that('which asked', cluster.placement('b') == 1, cluster.log('b')[-2000:])
        refused = cluster.cli('a', 'cluster', 'placement', '2', '--yes')
        told = refused.returncode == 1 and 'e speaks version 1' in refused.stderr
        checks.that('it cannot be raised yet', told, refused)
        cluster.end('e')
        refused = cluster.cli('a', 'cluster', 'placement', '2', '--yes')
        told = refused.returncode == 1 and 'e is not linked' in refused.stderr
        checks.that('nor while one is away', told, refused)
        cluster.older.discard('e')
        cluster.start('e')
        checks.that('settled, all of one release', cluster.wait_settled(seconds=40))
        raised(cluster, 'd')
        all_there(cluster)
        the_older_binary_comes_back(cluster)


def the_older_binary_comes_back(cluster):
    cluster.end('c')
    cluster.older.add('c')
    cluster.start('c')
    code = cluster.processes['c'].wait(20)
    told = code == 1 and 'was written by another version' in cluster.log('c')
    checks.that('it does not start over what the newer one wrote', told, cluster.log('c')[-500:])
    shutil.rmtree(os.path.join(cluster.folder, 'c'))
    cluster.start('c')
    it_is_refused(cluster, 'c', 'a')
    all_there(cluster, *'abde')
    cluster.upgrade('c')
    checks.that('upgraded, it fills again', cluster.wait_settled(seconds=40))
    checks.that('and has 2', cluster.placements() == {2}, cluster.placements())
    all_there(cluster)


def it_is_refused(cluster, older, other):
    here = r'it speaks version 1\d of the peer protocol, .*13: upgrade the older binary'
    told = cluster.wait_log(other, here, 20)
    checks.that('%s is refused, and its version said' % older, told, cluster.log(other)[-1000:])
    there = 'it speaks version 13 of the peer protocol, this node speaks .*: upgrade the older'
    told = cluster.wait_log(older, there, 20)
    checks.that('it says why', told, cluster.log(older)[-1000:])


def an_older_binary_joins_no_newer_cluster():
    with Zones('abc') as cluster:
        cluster.start()
        checks.that('settled', cluster.wait_settled())
        checks.that('founded', cluster.firm(2))
        fill(cluster, 'a')
        cluster.older.add('f')
        cluster.add('f')
        it_is_refused(cluster, 'f', 'a')
        checks.that('nobody waits', 'f' not in cluster.states('a'), cluster.states('a'))
        cluster.end('f')
        cluster.older.clear()
        cluster.start_added('f')
        waits = until(lambda: cluster.states('a').get('f') == 'waiting', 10)
        checks.that('the newer one waits', waits, cluster.states('a'))
        cluster.change('a', 'join', 'f')
        cluster.names.append('f')
        all_there(cluster)


def both_found_one_cluster(extra):
    with Zones('abcde', extra, older='de') as cluster:
        cluster.start()
        checks.that('settled', cluster.wait_settled(seconds=40), cluster.log('a')[-2000:])
        checks.that('with 1', cluster.placements('abc') == {1}, cluster.placements('abc'))
        fill(cluster, 'a')
        all_there(cluster)


def older_nodes_without_disks():
    with Zones('abc', MEMORY, older='abc') as cluster:
        cluster.start()
        checks.that('settled', cluster.wait_settled())
        fill(cluster, 'a')
        for name in 'abc':
            cluster.upgrade(name)
            checks.that('settled with %s' % name, cluster.wait_settled(seconds=40))
        checks.that('placement 1 is kept', cluster.placements() == {1}, cluster.placements())
        all_there(cluster)
        raised(cluster, 'a')
        cluster.wipe('b')
        cluster.start('b')
        checks.that('settled after a death', cluster.wait_settled(seconds=40))
        checks.that('it learns what was raised', cluster.placements() == {2}, cluster.placements())
        all_there(cluster)


def main():
    checks.attempt('a new cluster', a_new_cluster)
    checks.attempt('a file that was moved away', a_file_that_was_moved_away)
    if OLDER is not None:
        checks.attempt('an older cluster', an_older_cluster_is_raised)
        checks.attempt('an older binary', an_older_binary_joins_no_newer_cluster)
        checks.attempt('a mixed founding', both_found_one_cluster, '')
        checks.attempt('a mixed founding without disks', both_found_one_cluster, MEMORY)
        checks.attempt('older nodes without disks', older_nodes_without_disks)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
