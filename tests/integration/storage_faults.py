#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damaged disks under real processes: journals and tables that are torn, have flipped bytes, or are
gone. Clients read through every node meanwhile and never see a wrong value; within a minute the
damaged node has everything again. storage_faults.py [path/to/kvorum [scenario ...]]."""
import hashlib
import os
import random
import signal
import sys
import threading
import time

from node_processes import Checks, Cluster, RespError, until
from repair import equal_roots, is_whole, metric

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
KEYS = 4000
SMALL_MEMORY = '1mb'  # a fraction of the keys
checks = Checks()


# Syncs tell what has to be there: then it is damage if it is not.
ALWAYS = 'engine: {sync: always, journal: 16mb}'


class Quick(Cluster):
    timing = 'hints: 200ms, anti_entropy: 2s'


def value_of(i, generation):
    return (b'%d:%d:' % (generation, i)) * 60


def write(cluster, name, generation, keys):
    with cluster.resp(name, 10) as client:
        for at in range(0, len(keys), 500):
            part = keys[at : at + 500]
            for i in part:
                client.socket.sendall(client.encode('SET', 'k%d' % i, value_of(i, generation)))
            for _ in part:
                reply = client.read()
                if reply != b'OK':
                    raise RuntimeError('a write failed: %r' % reply)


class Reader(threading.Thread):
    """Reads random keys at a node, which may be away; whatever is answered must be right."""

    def __init__(self, cluster, name, expected):
        super().__init__()
        self.cluster, self.name, self.expected = cluster, name, expected
        self.right, self.wrong, self.ending = 0, [], threading.Event()
        self.rng = random.Random(name)
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                with self.cluster.resp(self.name, 5) as client:
                    while not self.ending.is_set():
                        self.read_one(client)
            except (OSError, RespError):
                self.ending.wait(0.02)  # its node is away

    def read_one(self, client):
        i = self.rng.randrange(KEYS)
        reply = client('GET', 'k%d' % i)
        if reply == self.expected[i]:
            self.right += 1
        elif not isinstance(reply, RespError):
            self.wrong.append((i, reply))

    def finish(self):
        self.ending.set()
        self.join()
        return self


def files(cluster, name, ending, of='objects'):
    """The largest first."""
    folder = os.path.join(cluster.folder, name, of)
    found = [os.path.join(folder, one) for one in os.listdir(folder) if one.endswith(ending)]
    return sorted(found, key=os.path.getsize, reverse=True)


def flip(path, places):
    with open(path, 'r+b') as file:
        size = os.path.getsize(path)
        for at in range(places):
            offset = size * (2 * at + 1) // (2 * places)
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x20]))


def flip_tables(cluster, name):
    for table in files(cluster, name, '.ldb'):
        flip(table, 3)


def delete_table(cluster, name):
    os.remove(files(cluster, name, '.ldb')[0])


def delete_current(cluster, name):
    os.remove(os.path.join(cluster.folder, name, 'objects', 'CURRENT'))


def garble_all(cluster, name):
    for path in files(cluster, name, '.ldb'):
        size = os.path.getsize(path)
        with open(path, 'wb') as file:
            file.write(os.urandom(size))


def first_segment(cluster, name):
    """A start after a clean stop begins with it."""
    return os.path.join(cluster.folder, name, 'journal', '00.journal')


def journaled_bytes(path):
    with open(path, 'rb') as file:
        return len(file.read().rstrip(b'\0'))


def tear_journal(cluster, name):
    """The end of the last batch, as a kill of the machine leaves it."""
    last = max(files(cluster, name, '.journal', 'journal'))
    size = os.path.getsize(last)
    used = journaled_bytes(last)
    os.truncate(last, used - 3)
    os.truncate(last, size)


def flip_journal(cluster, name):
    path = first_segment(cluster, name)
    with open(path, 'r+b') as file:
        file.seek(journaled_bytes(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0x20]))


def delete_segment(cluster, name):
    os.remove(first_segment(cluster, name))


def delete_journal(cluster, name):
    for path in files(cluster, name, '.journal', 'journal'):
        os.remove(path)


def fill(cluster, names):
    """Old values in table files of every node, newer ones of every other key in its journal."""
    for half in (range(KEYS // 2), range(KEYS // 2, KEYS)):
        write(cluster, 'a', 1, half)
        for name in names:
            cluster.end(name)
            cluster.start(name)
            cluster.wait_settled()
    write(cluster, 'a', 2, range(0, KEYS, 2))
    return {i: value_of(i, 1 if i % 2 else 2) for i in range(KEYS)}


def local_values(cluster, name):
    with cluster.resp(name, 10) as client:
        return [client('KV.LOCAL', 'k%d' % i) for i in range(KEYS)]


def damaged(damage, reported=1, extra=''):
    with Quick(BINARY, 'abc', extra) as cluster:
        cluster.start().wait_settled()
        expected = fill(cluster, 'abc')
        readers = [Reader(cluster, name, expected) for name in 'abc']
        cluster.end('b', signal.SIGKILL)
        damage(cluster, 'b')
        began = time.monotonic()
        cluster.start('b')
        checks.that('it starts', cluster.wait_settled(), cluster.log('b')[-2000:])
        if reported:
            salvages = metric(cluster, 'b', 'kvorum_storage_salvages_total')
            checks.that('it is counted', salvages == reported, salvages)
            found = metric(cluster, 'b', 'kvorum_storage_faults_total{kind="damage"}')
            checks.that('with its kind', found == reported, found)
            with cluster.resp('b') as client:
                said = client('INFO', 'persistence')
            checks.that('INFO tells', b'storage_salvages:%d' % reported in said, said)
            told = cluster.wait_log('b', 'was damaged')
            checks.that('the log tells what and what now', told, cluster.log('b')[-2000:])
        else:
            told = cluster.wait_log('b', 'the last stop was not a clean one')
            checks.that('the log tells of the stop', told, cluster.log('b')[-2000:])
        checks.that('all roots are equal', until(lambda: equal_roots(cluster), 60))
        checks.that('it is whole', until(lambda: is_whole(cluster, 'b'), 10))
        checks.that('within a minute', time.monotonic() - began < 60, time.monotonic() - began)
        lost = [i for i, got in enumerate(local_values(cluster, 'b')) if got[1] != [expected[i]]]
        checks.that('its own copies are all there', not lost, (len(lost), lost[:5]))
        wrong = [reader.finish().wrong[:3] for reader in readers]
        checks.that('no wrong value was read', not any(wrong), wrong)
        checks.that('and many right ones', all(r.right > 100 for r in readers))
        beside = [one for one in os.listdir(os.path.join(cluster.folder, 'b')) if '.' in one]
        beside = [one for one in beside if one.startswith(('objects', 'journal'))]
        checks.that('nothing is left beside it', not beside, beside)


def flipped_bytes_in_tables():
    damaged(flip_tables)


def deleted_table():
    damaged(delete_table)


def deleted_current():
    damaged(delete_current)


def torn_journal_tail():
    damaged(tear_journal, reported=0, extra=ALWAYS)


def flipped_byte_in_the_journal():
    damaged(flip_journal, extra=ALWAYS)


def deleted_segment():
    damaged(delete_segment, extra=ALWAYS)


def deleted_journal():
    damaged(delete_journal, extra=ALWAYS)


def deleted_table_and_flipped_journal():
    def both(cluster, name):
        flip_journal(cluster, name)
        delete_table(cluster, name)

    damaged(both, reported=2, extra=ALWAYS)


def alone():
    lone_node(flip_tables, 'objects')


def alone_with_a_flipped_journal():
    lone_node(flip_journal, 'journal')


def alone_without_a_segment():
    lone_node(delete_segment, 'journal')


def lone_node(damage, of):
    with Cluster(BINARY, 'a', ALWAYS) as cluster:
        cluster.start().wait_settled()
        expected = fill(cluster, 'a')
        cluster.end('a', signal.SIGKILL)
        damage(cluster, 'a')
        cluster.start('a')
        checks.that('a lone node starts', cluster.wait_settled(), cluster.log('a')[-2000:])
        told = cluster.wait_log('a', 'was damaged.*kept in .*%s.damaged-1.*LOST' % of)
        checks.that('and says what it lost, and where it is', told, cluster.log('a')[-2000:])
        kept = os.path.join(cluster.folder, 'a', of + '.damaged-1')
        checks.that('the damaged files are kept', os.path.isdir(kept))
        with cluster.resp('a', 10) as client:
            values = [client('GET', 'k%d' % i) for i in range(KEYS)]
        allowed = [{None, expected[i], value_of(i, 1)} for i in range(KEYS)]
        wrong = [i for i in range(KEYS) if values[i] not in allowed[i]]
        checks.that('what it serves was written', not wrong, wrong[:5])
        there = sum(values[i] == expected[i] for i in range(KEYS))
        checks.that('most of it is there', there >= KEYS // 2, there)


def contents(cluster, name):
    """Of tables and the journal; LevelDB gives its logs other names."""
    paths = files(cluster, name, '.ldb') + files(cluster, name, '.journal', 'journal')
    return {path: hashlib.sha256(open(path, 'rb').read()).hexdigest() for path in paths}


def alone_and_nothing_to_be_read():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        fill(cluster, 'a')
        cluster.end('a', signal.SIGKILL)
        garble_all(cluster, 'a')
        before = contents(cluster, 'a')
        for attempt in ('first', 'second'):
            cluster.start('a')
            code = until(lambda: cluster.processes['a'].poll() is not None, 20)
            code = cluster.processes['a'].poll()
            checks.that('it refuses to begin empty, the %s time' % attempt, code not in (None, 0))
        said = cluster.log('a')
        checks.that('with the remedy', 'restore a backup' in said, said[-1500:])
        after = contents(cluster, 'a')
        checks.that('and leaves everything as it was', before == after, (before, after))


def damaged_while_it_runs():
    with Quick(BINARY, 'abc', 'engine: {memory: %s}' % SMALL_MEMORY) as cluster:
        cluster.start().wait_settled()
        expected = fill(cluster, 'abc')
        readers = [Reader(cluster, name, expected) for name in 'abc']
        until(lambda: all(reader.right > 100 for reader in readers), 10)
        flip_tables(cluster, 'b')
        began = time.monotonic()

        def salvaged():
            return metric(cluster, 'b', 'kvorum_storage_salvages_total') == 1

        checks.that('a read meets the damage, and it is salvaged', until(salvaged, 30))
        checks.that('the log tells', cluster.wait_log('b', 'was damaged'))
        checks.that('it is whole again', until(lambda: is_whole(cluster, 'b'), 50))
        checks.that('all roots are equal', until(lambda: equal_roots(cluster), 30))
        checks.that('within a minute', time.monotonic() - began < 60, time.monotonic() - began)
        lost = [i for i, got in enumerate(local_values(cluster, 'b')) if got[1] != [expected[i]]]
        checks.that('its own copies are all there', not lost, (len(lost), lost[:5]))
        wrong = [reader.finish().wrong[:3] for reader in readers]
        checks.that('no wrong value was read', not any(wrong), wrong)


def main():
    scenarios = (
        flipped_bytes_in_tables,
        deleted_table,
        deleted_current,
        torn_journal_tail,
        flipped_byte_in_the_journal,
        deleted_segment,
        deleted_journal,
        deleted_table_and_flipped_journal,
        damaged_while_it_runs,
        alone,
        alone_with_a_flipped_journal,
        alone_without_a_segment,
        alone_and_nothing_to_be_read,
    )
    wanted = sys.argv[2:]
    for scenario in scenarios:
        if wanted and scenario.__name__ not in wanted:
            continue
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
