#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nodes that may open few files, and clients that open too many connections. descriptors.py
[path/to/kvorum]; ends with `N passed, N failed`."""
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
LIMIT = 160
checks = Checks()


class FewFiles:
    """A network whose nodes may open so many files, as `ulimit -n` says it."""

    def __init__(self, limit):
        self.limit = limit

    def host(self, _name):
        return '127.0.0.1'

    def launcher(self, _name):
        return ['sh', '-c', 'ulimit -n %d && exec "$0" "$@"' % self.limit]


def connect(cluster, count, kind='redis'):
    """Connections that are not used; those that are closed at once stay in the list too."""
    made = []
    for _ in range(count):
        try:
            made.append(socket.create_connection(('127.0.0.1', cluster.port('a', kind)), 5))
        except OSError:
            pass
    return made


def open_files(cluster, name):
    return len(os.listdir('/proc/%d/fd' % cluster.processes[name].pid))


def leaked_connections():
    extra = 'reactors: 2\nengine: {type: leveldb, memory: 4mb}'
    with Cluster(BINARY, 'abc', extra, network=FewFiles(LIMIT)) as cluster:
        cluster.start('a', 'b')
        checks.that('two of three start', until(lambda: cluster.is_settled('a') is not None, 5))
        told = cluster.wait_log('a', 'maxclients has been reduced to [0-9]+ to compensate for low')
        checks.that('fewer clients are allowed, and that is told', told, cluster.log('a'))
        until(lambda: 'linked' in cluster.log('a'), 10)
        user = cluster.resp('a')
        limit = int(user('CONFIG', 'GET', 'maxclients')[1])
        checks.that('CONFIG GET maxclients shows it', 8 <= limit < LIMIT, limit)
        shown = re.search(rb'maxclients:(\d+)', user('INFO', 'clients'))
        checks.that('INFO shows it', shown and int(shown.group(1)) == limit, shown)
        leaked = connect(cluster, 400) + connect(cluster, 300, 'memcached')
        leaked += connect(cluster, 100, 'peer') + connect(cluster, 100, 'admin')
        with cluster.resp('a') as refused:
            try:
                said = str(refused.read())
            except (OSError, RespError) as error:
                said = str(error)
        checks.that('one too many is told', 'max number of clients reached' in said, said)
        # Enough to fill several tables, so that the store opens files.
        value = os.urandom(100_000)
        replies = {user('SET', 'big%d' % i, value) for i in range(600)}
        checks.that('writes go on', replies == {b'OK'}, replies)
        same = all(user('GET', 'big%d' % i) == value for i in range(0, 600, 7))
        checks.that('and reads', same)
        cluster.start('c')
        linked = until(lambda: b'member_c:' in user('KV.CLUSTER', 'STATUS')
                       and b'members_reachable:3' in user('KV.CLUSTER', 'STATUS'), 15)
        checks.that('a peer can connect', linked, user('KV.CLUSTER', 'STATUS'))
        done = open_files(cluster, 'a')
        checks.that('it keeps below the limit', done < LIMIT - 10, done)
        refused = int(re.search(rb'rejected_connections:(\d+)', user('INFO', 'stats')).group(1))
        checks.that('refused connections are counted', refused > 300, refused)
        lines = until(lambda: 'connections were refused' in cluster.log('a'), 5)
        log = cluster.log('a')
        checks.that('they are logged', lines, log)
        checks.that('and not each', log.count('were refused') <= 3, log.count('were refused'))
        checks.that('accepting never failed', 'could not be accepted' not in log, log)
        for one in leaked:
            one.close()
        free = until(lambda: int(re.search(rb'connected_clients:(\d+)',
                                           user('INFO', 'clients')).group(1)) == 1, 10)
        checks.that('those who left make room', free)
        user.socket.close()


def cannot_work_at_all():
    with Cluster(BINARY, 'a', network=FewFiles(40)) as cluster:
        cluster.start()
        try:
            status = cluster.processes['a'].wait(10)
        except subprocess.TimeoutExpired:
            status = None
        said = cluster.log('a')
        checks.that('too few to work ends it with the number', status == 1 and 'open files is 40'
                    in said and 'ulimit -n' in said, said)


def accept_errors_do_not_spin():
    """The limit is lowered under a node that counted on more."""
    with Cluster(BINARY, 'a', 'engine: {type: memory}') as cluster:
        cluster.start().wait_settled()
        user = cluster.resp('a')
        checks.that('a client is there', user('PING') == b'PONG')  # accepted, not in a queue
        pid = cluster.processes['a'].pid
        now = open_files(cluster, 'a')
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (now + 5, now + 5))
        leaked = connect(cluster, 100)
        checks.that('it says what happened', cluster.wait_log('a', 'could not be accepted', 10),
                    cluster.log('a'))
        began, before = time.monotonic(), cpu_seconds(pid)
        answered = user('PING') == b'PONG'
        until(lambda: time.monotonic() - began > 3, 5)
        used = cpu_seconds(pid) - before
        checks.that('clients that are there are served', answered)
        checks.that('and it does not spin', used < 1, used)
        count = cluster.log('a').count('could not be accepted')
        checks.that('nor flood the log', count <= 2, count)
        for one in leaked:
            one.close()
        user.socket.close()
        checks.that('TERM ends it', cluster.end('a', signal.SIGTERM) == 0)


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def main():
    for scenario in (leaked_connections, cannot_work_at_all, accept_errors_do_not_spin):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
