#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `kvorum` says to people who mistype or ask the wrong port: each message names the thing and
the remedy. command_line.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import signal
import sys
import tempfile

from node_processes import Checks, Cluster, free_ports, run

BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum')
checks = Checks()


def says(words, status, *parts):
    done = run(BINARY, *words)
    text = done.stdout + done.stderr
    good = done.returncode == status and all(part in text for part in parts)
    checks.that('kvorum %s' % ' '.join(words), good, (done.returncode, text))


def mistyped():
    says(['drain'], 2, "no command 'drain'", 'kvorum --help')
    says(['join'], 2, 'NAME is required', 'kvorum join --help')
    says(['weight', 'a', 'x'], 2, 'WEIGHT')
    says(['join', 'f', '--yes', '--admin', '127.0.0.1:1'], 1, '127.0.0.1:1')
    says(['nonsense', '--help'], 2, "no command 'nonsense'")
    says(['statsu'], 2, "did you mean 'status'")
    says(['config'], 2, 'check, show')
    says(['serve', '--nmae', 'x'], 2, '--nmae', "did you mean '--name'", 'kvorum serve --help')
    says(['dev', '--base-port', '65000'], 1, '65000', 'up to 60701')
    says(['help'], 0, 'Subcommands')
    says(['commands'], 0, 'KV.GET', 'INCR')


def configurations():
    with tempfile.TemporaryDirectory(prefix='kvorum-test-') as folder:
        path = os.path.join(folder, 'empty.yaml')
        with open(path, 'w', encoding='utf-8'):
            pass
        says(['config', 'check', path], 0, 'empty', 'defaults')
        says(['config', 'show', path], 0, 'partitions: 256')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('cluster: {members: [{name: x, peer: 127.0.0.1:1}]}\n')
        says(['config', 'show', path, '--name', 'other'], 0, "'other' is not among", '(x)')


def wrong_ports():
    says(['status', '--admin', '127.0.0.1:%d' % free_ports(1)[0]], 2, 'cannot reach', '--admin')
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        for kind in ('redis', 'memcached', 'peer'):
            address = cluster.address('a', kind)
            says(['status', '--admin', address], 2, address, 'does not answer HTTP', 'admin port')
        address = cluster.address('a', 'admin')
        says(['status', '--admin', address], 0, 'settled')
        cluster.send('a', signal.SIGSTOP)
        says(['status', '--admin', address], 2, address, 'did not answer within', 'stopped')


def main():
    for scenario in (mistyped, configurations, wrong_ports):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
