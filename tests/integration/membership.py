#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: no client may be refused, also where the disk takes its time
"""A ring that grows and shrinks while it is used, with real processes: nodes wait, join, weigh
more, leave, are removed and replaced; nothing that was acknowledged is lost, no client is refused.
membership.py [path/to/kvorum [scenario ...]]; ends with `N passed, N failed`."""
import json
import os
import shutil
import signal
import sys
import threading

from node_processes import Checks, Cluster, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()


class Ring(Cluster):
    """The founders stand in the file; further nodes are started with the same file."""

    timing = 'hints: 200ms, anti_entropy: 1s, gossip: 200ms'

    def write_config(self, file_name, extra, cluster):
        extra += '\nlimits: {request_timeout: 5s}'
        return super().write_config(file_name, extra, cluster)

    def add(self, *names):
        self.reserve(*names)
        for name in names:
            self.start_added(name)
        return self

    def cli(self, at, *words, seconds=60):
        return run(BINARY, *words, '--admin', self.address(at, 'admin'), seconds=seconds)

    def kill(self, name, seen_by):
        self.end(name, signal.SIGKILL)
        down = until(lambda: self.states(seen_by).get(name) == 'down', 10)
        checks.that('%s is seen to be down' % name, down, self.states(seen_by))

    def sets(self, *names):
        """The newest sets that nodes know: one where they agree."""
        return {self.asked(name, 'transfers')[1]['newest_set'] for name in names}

    def change(self, at, *words, what=''):
        done = self.cli(at, *words, '--yes')
        name = what or ' '.join(words)
        checks.that('%s: exit status 0' % name, done.returncode == 0, done.stdout + done.stderr)

    def keys_held(self, name):
        return sum(self.asked(name, 'status')[1]['keys'])


class Load:
    """Clients of some nodes that write and count, and remember what was acknowledged."""

    def __init__(self, cluster, *names):
        self.cluster, self.ending = cluster, False
        self.written, self.counted, self.errors = {}, {}, []
        self.unsure = set()  # counters of which a coordinator died: it may have counted, or not
        self.deaths = False
        self.threads = [threading.Thread(target=self.run, args=(name,)) for name in names]
        for thread in self.threads:
            thread.start()

    def run(self, name):
        with self.cluster.resp(name, 10) as client:
            number = 0
            while not self.ending:
                number += 1
                key, counter = '%s%d' % (name, number % 400), 'count:%s%d' % (name, number % 40)
                reply = client('SET', key, number)
                self.note(reply, reply == b'OK', self.written, key, b'%d' % number)
                reply = client('INCR', counter)
                self.note(reply, isinstance(reply, int), self.counted, counter, reply)
                reply = client('GET', key)
                if reply != b'%d' % number:
                    self.errors.append((key, number, reply))

    def note(self, reply, is_fine, kept, key, value):
        if is_fine:
            kept[key] = value
        elif self.deaths and str(reply).startswith('UNCERTAIN') and kept is self.counted:
            self.unsure.add(key)
        else:
            self.errors.append((key, str(reply)))

    def finish(self):
        self.ending = True
        for thread in self.threads:
            thread.join()
        return self

    def judge(self, *names):
        checks.that('no client was refused or read something old', not self.errors, self.errors[:4])
        checks.that('there was load', len(self.written) > 300, len(self.written))
        expected = dict(self.written)
        counts = {key: count for key, count in self.counted.items() if key not in self.unsure}
        expected.update({key: b'%d' % count for key, count in counts.items()})
        for name in names:
            with self.cluster.resp(name, 10) as client:
                wrong = [
                    (key, value, got)
                    for key, value in expected.items()
                    if (got := client('GET', key)) != value
                ]
            checks.that('all that was acknowledged is read at %s' % name, not wrong, wrong[:4])


def who_waits_changes_nothing():
    with Ring(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        before = cluster.sets('a')
        cluster.add('f')
        waits = until(lambda: cluster.states('a').get('f') == 'waiting', 10)
        checks.that('it is shown as waiting', waits, cluster.states('a'))
        with cluster.resp('f') as client:
            refused = client('GET', 'k')
            checks.that('keys are refused', str(refused).startswith('CLUSTERDOWN'), str(refused))
            checks.that('PING is answered', client('PING') == b'PONG')
            checks.that('KV.CLUSTER too', b'state:' in client('KV.CLUSTER', 'STATUS'))
        checks.that('the others stay settled', cluster.wait_settled('a', 'b', 'c', seconds=1))
        checks.that('and know the same', cluster.sets('a') == before, cluster.sets('a'))
        plan = cluster.cli('b', 'join', 'f', '--plan')
        checks.that('a plan is shown', 'partitions move' in plan.stdout, plan.stdout + plan.stderr)
        checks.that('and changes nothing', cluster.states('b')['f'] == 'waiting')
        for words, reason in (
            (('join', 'g'), 'no node g waits'),
            (('join', 'b'), 'b is a member already'),
            (('leave', 'x'), 'there is no member x'),
            (('remove', 'b'), 'b is alive'),
            (('replace', 'b', 'f'), 'b is alive'),
            (('weight', 'b', '0'), 'a number from 1 to 1000'),
        ):
            done = cluster.cli('a', *words, '--yes')
            said = reason in done.stderr and done.returncode == 1
            checks.that('%s is refused in words' % ' '.join(words), said, done.stdout + done.stderr)
        done = cluster.cli('f', 'leave', '--yes')
        checks.that('one that waits changes nothing', 'no member' in done.stderr, done.stderr)
        done = cluster.cli('a', 'join', 'f')  # nobody can be asked
        checks.that('nothing is done unasked', done.returncode == 1, done.stdout + done.stderr)
        status, _ = cluster.asked('a', 'members?change=join&name=f&based_on=1234', post=True)
        checks.that('a stale plan is refused', status == 409, status)
        checks.that('nothing of it moved anything', cluster.sets('a') == before)
        with cluster.resp('a') as client:
            refused = client('KV.CLUSTER', 'JOIN', 'g')
            checks.that('KV.CLUSTER refuses, too', 'no node g waits' in str(refused), str(refused))
            checks.that('KV.CLUSTER JOIN', client('KV.CLUSTER', 'JOIN', 'f') == b'OK')
        checks.that('it settles', cluster.wait_settled('a', 'b', 'c', 'f'))
        checks.that('it is up', until(lambda: cluster.states('b')['f'] == 'up', 10))


def it_grows_and_shrinks_under_load():
    with Ring(BINARY, 'abc', cluster='name: test\n  partitions: 64') as cluster:
        cluster.start().wait_settled()
        cluster.add('f', 'g')
        until(lambda: {'f', 'g'} <= set(cluster.states('a')), 10)
        load = Load(cluster, 'a', 'c')
        until(lambda: len(load.written) > 300, 20)
        cluster.change('a', 'join', 'f')
        cluster.change('b', 'join', 'g')
        more = Load(cluster, 'g')
        cluster.change('f', 'weight', 'f', '2')
        cluster.change('c', 'leave', 'b')
        gone = until(lambda: 'b' not in cluster.states('a'), 20)
        checks.that('who left is gone', gone, cluster.states('a'))
        checks.that('it has handed over all', cluster.keys_held('b') == 0, cluster.keys_held('b'))
        with cluster.resp('b') as client:
            refused = client('GET', 'a1')
            checks.that('it serves no keys', str(refused).startswith('CLUSTERDOWN'), str(refused))
        checks.that('it ends with status 0', cluster.end('b') == 0)
        started_again_it_serves_nobody(cluster, 'b')
        load.finish().judge('a', 'g')
        more.finish().judge('c', 'f')
        checks.that('settled', cluster.wait_settled('a', 'c', 'f', 'g'))
        same = cluster.sets('a', 'c', 'f', 'g')
        checks.that('all know the same', len(same) == 1, same)
        once_more(cluster)


def started_again_it_serves_nobody(cluster, name):
    cluster.start(name)
    said = cluster.wait_log(name, 'this node left and serves nobody', 10)
    checks.that('who left says so at its start', said, cluster.log(name)[-2000:])
    with cluster.resp(name, 10) as client:
        refused = str(client('GET', 'a1'))
    reason = 'no member of the cluster any more'
    told = refused.startswith('CLUSTERDOWN') and reason in refused
    checks.that('and to its clients', told, refused)
    checks.that('and ends with status 0', cluster.end(name) == 0)


def once_more(cluster):
    """A dead one is removed, the same name comes back as another node."""
    load = Load(cluster, 'a')
    until(lambda: len(load.written) > 300, 20)
    load.deaths = True
    cluster.kill('g', seen_by='a')
    cluster.change('a', 'remove', 'g')
    shutil.rmtree(os.path.join(cluster.folder, 'g'))
    cluster.start_added('g')
    until(lambda: cluster.states('a').get('g') == 'waiting', 10)
    cluster.change('c', 'join', 'g', what='the same name again')
    load.finish().judge('a', 'f', 'g')
    checks.that('settled again', cluster.wait_settled('a', 'c', 'f', 'g'))


def what_is_known_survives():
    with Ring(BINARY, 'abc', cluster='name: test\n  partitions: 64') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            wrong = [i for i in range(500) if client('SET', 'k%d' % i, i) != b'OK']
        checks.that('written', not wrong, wrong[:3])
        cluster.add('f')
        until(lambda: cluster.states('a').get('f') == 'waiting', 10)
        cluster.change('a', 'join', 'f')
        known = cluster.sets('a', 'b', 'c', 'f')
        checks.that('one set', len(known) == 1, known)
        for name in ('a', 'b', 'c', 'f'):
            cluster.end(name, signal.SIGKILL)
        cluster.start()
        cluster.start_added('f')
        checks.that('all settle', cluster.wait_settled('a', 'b', 'c', 'f', seconds=40))
        checks.that('they know the same', cluster.sets('a', 'b', 'c', 'f') == known)
        all_there(cluster, 'f')
        cluster.end('f', signal.SIGKILL)
        shutil.rmtree(os.path.join(cluster.folder, 'f'))
        cluster.start_added('f')
        said = cluster.wait_log('f', 'begins anew as a member', 20)
        checks.that('who lost its disk is known by its name', said, cluster.log('f')[-2000:])
        checks.that('it fills again', cluster.wait_settled('a', 'b', 'c', 'f', seconds=40))
        all_there(cluster, 'f')
        cluster.end('a', signal.SIGKILL)
        shutil.rmtree(os.path.join(cluster.folder, 'a'))
        cluster.start('a')
        checks.that('a founder, too', cluster.wait_settled('a', 'b', 'c', 'f', seconds=40))
        checks.that('it learns the ring', cluster.sets('a') == known, cluster.sets('a'))
        all_there(cluster, 'a')
        damaged = os.path.join(cluster.folder, 'f', 'membership')
        log = damaged + '.log'
        cluster.change('f', 'weight', 'f', '2')
        known = cluster.sets('a', 'b', 'c', 'f')
        checks.that('what came later is in a log', os.path.exists(log))
        cluster.end('f', signal.SIGKILL)
        cluster.start_added('f')
        cluster.wait_settled('a', 'b', 'c', 'f', seconds=40)
        checks.that('which is read', cluster.sets('f') == known, cluster.sets('f'))
        cluster.end('f')
        checks.that('and is gone after a clean stop', not os.path.exists(log))
        with open(damaged, 'r+b') as file:
            file.seek(20)
            file.write(b'????')
        cluster.start_added('f')
        code = cluster.processes['f'].wait(20)
        checks.that('a damaged file is not believed', code == 1, code)
        checks.that('and says what to do', 'move it away' in cluster.log('f'), cluster.log('f'))


def all_there(cluster, name):
    with cluster.resp(name, 10) as client:
        wrong = [i for i in range(500) if client('GET', 'k%d' % i) != b'%d' % i]
    checks.that('all is read at %s' % name, not wrong, wrong[:3])


def how_far_it_is_is_shown_anywhere():
    """A third node knows how much a newcomer has of what it takes from others. Clients write until
    that was seen, and hold up the copying: they come first."""
    limits = 'engine: {type: memory}\nkeyspaces: {default: {n: 2, r: 1, w: 2}}'
    with Ring(BINARY, 'abc', limits, cluster='name: test\n  partitions: 32') as cluster:
        cluster.start().wait_settled()
        fill(cluster, 40000)
        cluster.add('f')
        until(lambda: cluster.states('a').get('f') == 'waiting', 10)
        seen, ended = [], threading.Event()
        writer = threading.Thread(target=write_again, args=(cluster, ended))
        writer.start()
        cluster.change('b', 'join', 'f', '--no-wait', what='f joins')

        def is_over():
            document = cluster.asked('a', 'transfers')[1]
            if document['transfers'] or seen:
                seen.append(document)
            if document['progress']['seconds_left'] and any(map(is_partly_there, rows_of(seen))):
                ended.set()
            return bool(seen) and not document['transfers']

        over = until(is_over, 60)
        ended.set()
        writer.join()
        checks.that('the moves end', over, seen[-1:])
        checks.that('nothing moves', seen[-1]['text'] == 'nothing moves\n', seen[-1]['text'])
        rows_grow(rows_of(seen))
        totals_add_up([document['progress'] for document in seen[:-1]])


def write_again(cluster, ended):
    with cluster.resp('a', 20) as client:
        number = 0
        while not ended.is_set():
            number = (number + 1) % 40000
            client('SET', 'k%d' % number, 'w' * 200)


def rows_of(documents):
    return [row for document in documents for row in document['transfers']]


def is_partly_there(row):
    return row['percent'] is not None and 0 < row['percent'] < 100


def fill(cluster, keys):
    batch, wrong = 1000, []
    with cluster.resp('a', 20) as client:
        for first in range(0, keys, batch):
            names = range(first, first + batch)
            words = [client.encode('SET', 'k%d' % i, 'v' * 200) for i in names]
            client.socket.sendall(b''.join(words))
            wrong += [reply for reply in (client.read() for _ in names) if reply != b'OK']
    checks.that('%d keys are written' % keys, not wrong, wrong[:3])


def rows_grow(rows):
    counted = [row for row in rows if row['percent'] is not None]
    checks.that('rows are counted', counted, rows[:2])
    partial = [row for row in counted if is_partly_there(row)]
    whole = [row for row in counted if row['percent'] == 100]
    checks.that('copies are seen to be partly there', partial, counted[:3])
    checks.that('and to be all there', whole, counted[-3:])
    best, shrunk = {}, []
    for row in counted:
        if row['percent'] < best.get(row['partition'], 0):
            shrunk.append(row)
        best[row['partition']] = row['percent']
    checks.that('none of them shrinks', not shrunk, shrunk[:2])
    slowed = 'the background budget of f: clients come first'
    waits = {row['waits'] for row in rows}
    checks.that('they say why they wait', any(slowed in text for text in waits), waits)
    odd = [
        row
        for row in counted
        if row['keys_copied'] > row['keys_total']
        or row['bytes_copied'] > row['bytes_total']
        or row['bytes_total'] < 200 * row['keys_total']
    ]
    checks.that('with their bytes', not odd, odd[:2])


def totals_add_up(totals):
    known = [total for total in totals if total['percent'] is not None]
    checks.that('totals are known', known, totals[:2])
    percents = [total['percent'] for total in known]
    checks.that('they grow', percents == sorted(percents), percents)
    keys = {total['keys_copied'] + total['keys_left'] for total in known}
    checks.that('of as many keys all the time', len(keys) == 1, keys)
    rates = [total['keys_per_second'] for total in known]
    left = [total['seconds_left'] for total in known if total['keys_per_second'] > 0]
    checks.that('with a rate', any(rates), rates)
    checks.that('and the time left', left and None not in left, left)


def the_dead_are_replaced():
    engine = 'engine: {type: memory}'
    with Ring(BINARY, 'abc', engine, cluster='name: test\n  partitions: 64') as cluster:
        cluster.start().wait_settled()
        cluster.add('f')
        until(lambda: cluster.states('a').get('f') == 'waiting', 10)
        load = Load(cluster, 'a')
        until(lambda: len(load.written) > 300, 20)
        load.deaths = True
        cluster.kill('b', seen_by='a')
        cluster.change('a', 'replace', 'b', 'f')
        load.finish().judge('c', 'f')
        checks.that('settled', cluster.wait_settled('a', 'c', 'f', seconds=40))
        cluster.end('f', signal.SIGKILL)
        cluster.start_added('f')  # it has no disk, and comes back by its name
        checks.that('a memory node comes back', cluster.wait_settled('a', 'c', 'f', seconds=40))
        load.judge('f')


def an_edited_file_is_applied():
    two = 'keyspaces: {default: {n: 2, r: 1, w: 2}}'
    three = 'keyspaces: {default: {n: 3, r: 2, w: 2}}'
    shape = 'name: test\n  partitions: 64'
    with Ring(BINARY, 'abc', two, cluster=shape) as cluster:
        cluster.start().wait_settled()
        same = cluster.cli('a', 'cluster', 'plan', cluster.config)
        checks.that('the founding file differs in nothing', 'nothing differs' in same.stdout, same)
        load = Load(cluster, 'a', 'c')
        until(lambda: len(load.written) > 300, 20)
        edited = cluster.write_config('edited.yaml', three, shape)
        plan = cluster.cli('b', 'cluster', 'plan', edited)
        line = 'databases 0-15: n 2 -> 3, r 1 -> 2'
        checks.that('the plan tells what differs', line in plan.stdout, plan)
        before = cluster.sets('a', 'b', 'c')
        cluster.change('b', 'cluster', 'apply', edited, what='n is raised')
        checks.that('it is another set', cluster.sets('a') != before, before)
        load.finish().judge('a', 'b', 'c')
        checks.that('settled', cluster.wait_settled('a', 'b', 'c'))
        held = {name: cluster.keys_held(name) for name in 'abc'}
        checks.that('each has a copy of all', len(set(held.values())) == 1, held)
        who_comes_and_goes_by_file(cluster, three, shape)
        told_at_a_start(cluster)
        for words, reason in (
            ('name: test\n  partitions: 32', 'founded with cluster.partitions 64'),
            (shape + '\n  partitioner: slots', 'founded with cluster.partitioner md5'),
        ):
            never = cluster.write_config('never.yaml', three, words)
            refused = cluster.cli('a', 'cluster', 'apply', never, '--yes')
            told = refused.returncode == 1 and reason in refused.stderr
            checks.that('never: %s' % reason, told, refused)


def who_comes_and_goes_by_file(cluster, policies, shape):
    cluster.add('f')
    until(lambda: cluster.states('a').get('f') == 'waiting', 10)
    load = Load(cluster, 'a')
    cluster.names = ['a', 'b', 'c', 'f']
    edited = cluster.write_config('four.yaml', policies, shape)
    cluster.change('a', 'cluster', 'apply', edited, what='f joins by the file')
    cluster.names = ['a', 'c', 'f']
    edited = cluster.write_config('three.yaml', policies, shape)
    document = cluster.cli('a', 'cluster', 'plan', edited, '--output', 'json')
    lines = json.loads(document.stdout)['differences']
    checks.that('as JSON', lines == ['b is a member, and none in the file'], document)
    cluster.change('c', 'cluster', 'apply', edited, what='b leaves by the file')
    gone = until(lambda: 'b' not in cluster.states('a'), 20)
    checks.that('b is gone', gone, cluster.states('a'))
    again = cluster.cli('a', 'cluster', 'apply', edited, '--yes')
    checks.that('once more changes nothing', 'nothing differs' in again.stdout, again)
    load.finish().judge('f', 'c')


def told_at_a_start(cluster):
    """Its own file is the founding one still."""
    cluster.end('c')
    cluster.start('c')
    checks.that('c is back', cluster.wait_settled('a', 'c', 'f', seconds=40))
    log = cluster.log('c')
    for line in ('databases 0-15: n 3 -> 2', 'b is no member, and one in the file'):
        checks.that('told: %s' % line, line in log, log[-3000:])


SCENARIOS = (
    who_waits_changes_nothing,
    it_grows_and_shrinks_under_load,
    what_is_known_survives,
    how_far_it_is_is_shown_anywhere,
    the_dead_are_replaced,
    an_edited_file_is_applied,
)


def main():
    wanted = sys.argv[2:]
    for scenario in SCENARIOS:
        if not wanted or scenario.__name__ in wanted:
            checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
