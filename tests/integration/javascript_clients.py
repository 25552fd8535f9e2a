#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients, stores of sessions, limiters and locks of npm against three real nodes: the programs of
tests/integration/javascript/, installed under the build folder. Without node, npm or a registry
that answers in time all of it is skipped, with a notice.

javascript_clients.py [path/to/kvorum] [program...]; ends with `N passed, N failed`."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from node_processes import Checks, Cluster, run

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'javascript')
INSTALL_SECONDS_MAX = 150
ASKING_SECONDS_MAX = 30
NODE_MAJOR_MIN = 18
PROGRAMS = {  # and with which protocol they speak
    'node_redis': 'redis',
    'ioredis': 'redis',
    'memcached_clients': 'memcached',
    'keyv_redis': 'redis',
    'connect_redis': 'redis',
    'limiters': 'redis',
    'locks': 'redis',
}
SLOT_PROGRAMS = {'cluster_clients': 'redis'}
SLOTS = 'name: test\n  partitions: 64\n  partitioner: slots'
checks = Checks()


class Missing(Exception):
    """What a machine lacks for this suite."""


def installed():
    """The folder with the clients of package.json; made once for each text of that file."""
    if not shutil.which('node') or not shutil.which('npm'):
        raise Missing('node or npm is not installed')
    version = run('node', '--version').stdout
    major = re.match(r'v(\d+)\.', version)
    if not major or int(major.group(1)) < NODE_MAJOR_MIN:
        raise Missing('node %d or later is wanted, here is %r' % (NODE_MAJOR_MIN, version))
    with open(os.path.join(SOURCES, 'package.json'), 'rb') as file:
        text = file.read()
    build = os.path.dirname(os.path.abspath(BINARY))
    name = 'javascript-' + hashlib.sha256(text).hexdigest()[:16]
    folder = os.path.join(build, name)
    if not os.path.isdir(folder):
        with tempfile.TemporaryDirectory(prefix=name + '-', dir=build) as place:
            install(place, text)
            os.rename(place, folder)
            os.mkdir(place)  # which the context wants to remove
    for file_name in os.listdir(SOURCES):
        shutil.copy(os.path.join(SOURCES, file_name), folder)
    return folder


def install(place, text):
    with open(os.path.join(place, 'package.json'), 'wb') as file:
        file.write(text)
    # One question without retries: whether a registry answers at all.
    npm(ASKING_SECONDS_MAX, 'view', 'redis', 'version', '--fetch-retries=0')
    options = ['--prefix', place, '--ignore-scripts', '--no-package-lock', '--no-audit']
    npm(INSTALL_SECONDS_MAX, 'install', '--prefer-offline', '--no-fund', *options)


def npm(seconds_max, *words):
    options = ['--no-update-notifier', '--fetch-timeout=20000', '--loglevel=error']
    try:
        out = run('npm', *words, *options, seconds=seconds_max)
    except subprocess.TimeoutExpired:
        raise Missing('npm %s had no end after %d s' % (words[0], seconds_max)) from None
    if out.returncode != 0:
        said = ' '.join((out.stderr + out.stdout).split())
        raise Missing('npm %s fails: %.120s' % (words[0], said))


def play(folder, cluster, name, protocol):
    ports = [str(cluster.port(node, protocol)) for node in cluster.names]
    out = run('node', os.path.join(folder, name + '.mjs'), *ports, seconds=120)
    for verdict, scenario, why in re.findall(
        r'^(ok|FAIL) (.*?)(?:: ([A-Z]\w*Error.*))?$', out.stdout, re.MULTILINE
    ):
        checks.that(scenario, verdict == 'ok', why)
    played = out.returncode in (0, 1) and 'played all' in out.stdout
    checks.that(name + ': all of it is played', played, out.stdout + out.stderr)


def play_all(folder, programs, settings):
    chosen = [name for name in programs if not sys.argv[2:] or name in sys.argv[2:]]
    if not chosen:
        return
    with Cluster(BINARY, 'abc', 'engine: {type: memory}', **settings) as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled(), cluster.log('a'))
        for name in chosen:
            checks.attempt(name, play, folder, cluster, name, programs[name])


def main():
    try:
        folder = installed()
    except Missing as missing:
        print('skipped: %s' % missing)
        print('0 passed, 0 failed, 1 skipped')
        return 0
    play_all(folder, PROGRAMS, {})
    play_all(folder, SLOT_PROGRAMS, {'cluster': SLOTS})
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
