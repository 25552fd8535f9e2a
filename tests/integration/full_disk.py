#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk under real processes: of one node of three, of a lone node, in the middle of a
checkpoint, and at the start. What was acknowledged is there afterwards, and nobody has to restart
anything. full_disk.py [path/to/kvorum [scenario ...]]."""
import os
import shutil
import signal
import subprocess
import sys

from node_processes import Checks, Cluster, until
from repair import equal_roots, metric

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
KEYS = 4000
SMALL = 'engine: {journal: 16mb}'  # in segments of 1 MB
FULL = 'No space left on device'
checks = Checks()


class Quick(Cluster):
    timing = 'hints: 200ms, anti_entropy: 2s'


class SmallDisk:
    """A file system of its own at a node's data directory, and a file that fills it."""

    def __init__(self, folder, megabytes):
        self.folder = folder
        self.megabytes = megabytes
        self.filler = os.path.join(folder, 'filler')

    def __enter__(self):
        os.mkdir(self.folder)
        if not shutil.which('mount') or not shutil.which('umount'):
            return None
        size = 'size=%dm' % self.megabytes
        command = ['mount', '-t', 'tmpfs', '-o', size, 'tmpfs', self.folder]
        mounted = subprocess.run(command, stderr=subprocess.PIPE, check=False)
        return self if mounted.returncode == 0 else None

    def __exit__(self, *_):
        if shutil.which('umount'):
            subprocess.run(['umount', self.folder], stderr=subprocess.PIPE, check=False)

    def fill(self):
        with open(self.filler, 'ab', buffering=0) as file:
            try:
                while file.write(b'f' * 65536):
                    pass
            except OSError:
                pass

    def empty(self):
        os.remove(self.filler)


def on_a_small_disk(cluster, name, scenario, megabytes=64):
    with SmallDisk(os.path.join(cluster.folder, name), megabytes) as disk:
        if disk is None:
            return print('skipped: a file system of its own cannot be mounted here')
        try:
            scenario(cluster, disk)
        finally:
            for one in list(cluster.processes):
                if cluster.processes[one].poll() is None:
                    cluster.end(one, signal.SIGKILL)
    return None


def value_of(i, generation):
    return (b'%d:%d:' % (generation, i)) * 60


class Writer:
    """Writes all keys again and again, and knows what was acknowledged."""

    def __init__(self, client):
        self.client = client
        self.generation = 0
        self.acknowledged = [0] * KEYS
        self.refused = []

    def round(self, keys=range(KEYS)):
        """Whether all of it was taken."""
        self.generation += 1
        self.refused = []
        for at in range(0, len(keys), 500):
            part = keys[at : at + 500]
            for i in part:
                words = ('SET', 'k%d' % i, value_of(i, self.generation))
                self.client.socket.sendall(self.client.encode(*words))
            for i in part:
                reply = self.client.read()
                if reply == b'OK':
                    self.acknowledged[i] = self.generation
                else:
                    self.refused.append(reply)
        return not self.refused

    def lost(self, client):
        """What is older than what was acknowledged; a write that was refused may be there."""
        found = []
        for i in range(KEYS):
            generation = int((client('GET', 'k%d' % i) or b'-1:').split(b':')[0])
            if not self.acknowledged[i] <= generation <= self.generation:
                found.append((i, self.acknowledged[i], generation))
        return found


def problems(cluster, name):
    _, document = cluster.asked(name, 'status')
    return {problem['code']: problem['what'] for problem in document['problems']}


def store_fails(cluster, name):
    return metric(cluster, name, 'kvorum_store_failed') == 1


def tells_of_the_failure(cluster, name):
    full = metric(cluster, name, 'kvorum_storage_faults_total{kind="disk_full"}')
    checks.that('it is counted', full >= 1, full)
    checks.that('and logged', cluster.wait_log(name, FULL))
    found = problems(cluster, name)
    checks.that('it is a problem', FULL in found.get('store_failed', ''), found)


def full_disk():
    with Quick(BINARY, 'abc', SMALL) as cluster:
        on_a_small_disk(cluster, 'b', one_of_three_is_full)


def one_of_three_is_full(cluster, disk):
    cluster.start().wait_settled()
    with cluster.resp('a', 10) as other, cluster.resp('b', 10) as client:
        writer = Writer(other)
        checks.that('all is written', writer.round())
        disk.fill()
        taken = []

        def fails():
            taken.append(writer.round(range(300)))
            return store_fails(cluster, 'b')

        checks.that('once its segments are used up its store fails', until(fails, 30))
        checks.that('and no client minds', all(taken), writer.refused[:2])
        tells_of_the_failure(cluster, 'b')
        checks.that('the others take all writes', writer.round(range(300)), writer.refused[:2])
        writer.client = client
        checks.that('also from its clients', writer.round(range(300)), writer.refused[:2])
        local = [client('KV.LOCAL', 'k%d' % i)[1] for i in range(301, KEYS, 97)]
        wanted = [[value_of(i, 1)] for i in range(301, KEYS, 97)]
        checks.that('its own copies are read', local == wanted, local[:2])
        disk.empty()
        works = until(lambda: not store_fails(cluster, 'b'), 20)
        checks.that('with space again it takes writes', works, cluster.log('b')[-1500:])
        checks.that('all roots are equal', until(lambda: equal_roots(cluster), 60))
        wanted = {'k%d' % i: [value_of(i, writer.generation)] for i in range(300)}
        late = [key for key, value in wanted.items() if client('KV.LOCAL', key)[1] != value]
        checks.that('it has what it missed', not late, late[:5])


def nothing_is_lost(cluster, writer):
    cluster.end('a', signal.SIGKILL)
    cluster.start('a').wait_settled()
    with cluster.resp('a', 10) as client:
        lost = writer.lost(client)
    checks.that('after a kill all is there', not lost, lost[:3])
    damage = metric(cluster, 'a', 'kvorum_storage_faults_total{kind="damage"}')
    checks.that('and nothing is damaged', damage == 0, cluster.log('a')[-1000:])


def full_disk_of_a_lone_node():
    with Cluster(BINARY, 'a', SMALL) as cluster:
        on_a_small_disk(cluster, 'a', lone_node_is_full)


def lone_node_is_full(cluster, disk):
    cluster.start().wait_settled()
    with cluster.resp('a', 10) as client:
        writer = Writer(client)
        checks.that('all is written', writer.round())
        disk.fill()
        refused = until(lambda: not writer.round(), 30)
        said = str(writer.refused[-1:])
        checks.that('writes are refused, and why', refused and 'MISCONF' in said, said)
        tells_of_the_failure(cluster, 'a')
        checks.that('reads are served', client('GET', 'k1000') is not None)
        disk.empty()
        checks.that('with space again it takes writes', until(writer.round, 20))
    nothing_is_lost(cluster, writer)


def full_disk_in_a_checkpoint():
    with Cluster(BINARY, 'a', SMALL) as cluster:
        on_a_small_disk(cluster, 'a', full_in_a_checkpoint)


def full_in_a_checkpoint(cluster, disk):
    cluster.start().wait_settled()

    def count(of):
        return metric(cluster, 'a', 'kvorum_journal_%s{store="objects"}' % of)

    with cluster.resp('a', 10) as client:
        writer = Writer(client)
        # One has ended: all of the journal's segments are there.
        ended = until(lambda: writer.round() and count('checkpoints_total') >= 1, 60)
        checks.that('checkpoints end', ended)
        disk.fill()
        failed = until(lambda: not writer.round() or count('checkpoint_failed') == 1, 60)
        checks.that('the next one fails', failed and count('checkpoint_failed') == 1)
        said = str(writer.refused[:1]) + cluster.log('a')[-1500:]
        checks.that('while writes go on', not writer.refused, said)
        found = problems(cluster, 'a')
        checks.that('and that is told', FULL in found.get('checkpoint_failed', ''), found)
        said = client('INFO', 'persistence')
        checks.that('also in INFO', b'aof_last_bgrewrite_status:err' in said, said)
        refused = until(lambda: not writer.round(), 60)
        said = str(writer.refused[-1:])
        checks.that('until the journal is full', refused and 'MISCONF' in said, said)
        tells_of_the_failure(cluster, 'a')
        disk.empty()
        checks.that('with space again it takes writes', until(writer.round, 20))
        ended = until(lambda: count('checkpoint_failed') == 0, 20)
        checks.that('and the checkpoint ends', ended, cluster.log('a')[-1000:])
        over = until(lambda: not problems(cluster, 'a'), 20)
        checks.that('no problem is left', over, problems(cluster, 'a'))
    nothing_is_lost(cluster, writer)


def no_room_at_the_start():
    with Cluster(BINARY, 'a') as cluster:
        on_a_small_disk(cluster, 'a', segment_does_not_fit, megabytes=12)


def segment_does_not_fit(cluster, _disk):
    cluster.start('a')
    ended = until(lambda: cluster.processes['a'].poll() is not None, 20)
    checks.that('it does not start', ended and cluster.processes['a'].poll() != 0)
    wanted = 'cannot make room for 16777216 bytes in .*/a/journal/00.journal: ' + FULL
    checks.that('and says why', cluster.wait_log('a', wanted, 1), cluster.log('a')[-600:])


def main():
    return checks.play(
        {
            scenario.__name__: scenario
            for scenario in (
                full_disk,
                full_disk_of_a_lone_node,
                full_disk_in_a_checkpoint,
                no_room_at_the_start,
            )
        }
    )


if __name__ == '__main__':
    sys.exit(main())
