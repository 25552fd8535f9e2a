#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis's own Tcl tests against a node and against redis-server, each as an external server.

    redis_tcl.py path/to/kvorum path/to/redis-7.2-sources [file ...] [--ours] [--all] [--verbose]

The sources are extracted, not built. Each file runs with a fresh node, and, but with --ours, with a
fresh redis-server. A test that says nothing for long is ended and left out of the next attempt.
Prints a row for each file and the tests that redis-server passes and the node does not. Such a test
has to stand in redis_tcl.txt with a reason; any other makes this fail. The node is spared those
that stand there, since many leave a transaction open when they fail; with --all it plays them too,
and the file fails if one passes."""
import argparse
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, '..', 'integration'))
from node_processes import ServerPair, free_ports  # noqa: E402

FILES = """unit/type/string unit/type/incr unit/expire unit/keyspace unit/scan unit/protocol
unit/quit unit/other unit/info unit/introspection unit/introspection-2 unit/multi unit/pubsub
unit/pubsubshard unit/scripting unit/functions unit/bitops unit/bitfield unit/dump
unit/latency-monitor unit/slowlog unit/tracking unit/querybuf unit/limits
unit/memefficiency""".split()
SILENT_SECONDS = 60  # a test that says nothing for so long hangs
FILE_SECONDS = 600
HANGS_MAX = 8
REST = '(the rest of the file)'
OURS, THEIRS = 'a', 'other'  # names of the processes
NODE = """engine: {type: memory, eviction: allkeys-lru}
keyspaces: {default: {n: 1, r: 1, w: 1, conflicts: lww}}
debug: {commands: "local"}
reactors: 1"""  # in the order in which clients say it
EVENT = re.compile(r'^\[(?:(ok|err|skip|ignore|exception|ready)\]: |\d+/\d+ done\])(.*)$')
INNER = re.compile(r'\[(ok|err|skip|ignore)\]: ')
STARTS = re.compile(r'starting test (.*)$')  # said by another process, at any place
TRACE = re.compile(r'^ *(while exec|invoked from|\(.* line \d+\)|"uplevel|"\[srv )')
COLOURS = re.compile('\x1b\\[[0-9;]*m')


def redis_server(port, folder, _password):
    command = ['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--dir', folder]
    return command + ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'local']


SLOTS = 'name: test\n  partitions: 16\n  partitioner: slots'  # {tags} put keys into one partition


class Servers(ServerPair):
    def __init__(self, binary):
        super().__init__(binary, 'redis', redis_server)
        self.config = self.write_config('suite.yaml', NODE, SLOTS)


class Attempt:
    """One run of a file: what came of each test, in the words of the suite."""

    def __init__(self):
        self.passed, self.failed, self.said = [], {}, ''
        self.running = self.failing = ''
        self.ended_well = False

    def line(self, line):
        line = COLOURS.sub('', line)
        starts = STARTS.search(line)
        if starts:
            # Two processes write: what one of them says may stand within the other's line.
            self.running, line = starts[1], line[: starts.start()]
            inner = INNER.search(self.running)
            if inner:
                self.line(self.running[inner.start() :])
                self.running = self.running[: inner.start()]
        event = EVENT.match(line)
        if not event:
            if self.failing:
                self.failed[self.failing] += '\n' + line
            self.ended_well |= line.strip() == 'The End'
            return
        kind, rest = event.groups()
        self.failing = ''
        if kind == 'ok':
            self.passed.append(re.sub(r' \(\d+ ms\)$', '', rest))
        elif kind == 'err':
            self.failing = re.sub(r' in tests/\S+\.tcl$', '', rest)
            self.failed[self.failing] = ''
        elif kind == 'exception':
            self.said = rest


class Suite:
    """The Tcl sources, copied: they write beside themselves."""

    def __init__(self, sources):
        self.folder = tempfile.mkdtemp(prefix='kvorum-suite-')
        for part in ('tests', 'utils'):
            shutil.copytree(os.path.join(sources, part), os.path.join(self.folder, part))
        os.makedirs(os.path.join(self.folder, 'src'))
        for tool in ('redis-cli', 'redis-benchmark', 'redis-server'):
            if shutil.which(tool):
                os.symlink(shutil.which(tool), os.path.join(self.folder, 'src', tool))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, file, port, skipped):
        command = ['tclsh', 'tests/test_helper.tcl', '--host', '127.0.0.1', '--port', str(port)]
        command += ['--clients', '1', '--durable', '--verbose', '--verbose', '--single', file]
        command += ['--baseport', str(free_ports(1)[0])]  # beside which the suite listens
        for name in skipped:
            command += ['--skiptest', name]
        return command

    def attempt(self, file, port, skipped):
        attempt = Attempt()
        process = subprocess.Popen(
            self.command(file, port, skipped),
            cwd=self.folder,
            env=dict(os.environ, TERM='dumb'),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        end, rest = time.monotonic() + FILE_SECONDS, b''
        while time.monotonic() < end:
            if not select.select([process.stdout], [], [], SILENT_SECONDS)[0]:
                break
            some = os.read(process.stdout.fileno(), 1 << 16)
            if not some:
                break
            *lines, rest = (rest + some).split(b'\n')
            for line in lines:
                attempt.line(line.decode('utf-8', 'replace'))
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()
        return attempt

    def run(self, file, fresh, spared=()):
        """(passed, failed: name -> what was said) of a file, with a fresh server per attempt."""
        hung = {}
        for _ in range(HANGS_MAX):
            with fresh as servers:
                attempt = self.attempt(file, fresh.port(), [*spared, *hung])
                died = servers.has_ended(fresh.name)
            if attempt.ended_well or died or not attempt.running:
                break
            hung[attempt.running] = 'hangs'
        failed = dict(hung, **attempt.failed)
        if died or not attempt.ended_well:
            failed[REST] = 'the server ended' if died else attempt.said or 'ended early'
        return attempt.passed, failed


def shortened(said):
    """Without the places in the Tcl sources."""
    lines = [line for line in said.split('\n') if line and not TRACE.match(line)]
    return '\n'.join('        ' + line[:400] for line in lines[:8])


class Fresh:
    """Servers that have just started, until the block ends."""

    def __init__(self, binary, name):
        self.binary, self.name = binary, name
        self.servers = None

    def __enter__(self):
        self.servers = Servers(self.binary).__enter__()
        if self.name == OURS:
            self.servers.wait_settled('a')
            with self.servers.resp('a') as client:
                client('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')  # as Redis begins
        return self.servers

    def port(self):
        return self.servers.ours if self.name == OURS else self.servers.theirs

    def __exit__(self, *problem):
        self.servers.__exit__(*problem)


def read_explained():
    """file -> {name of a test: reason}"""
    explained, file = {}, None
    with open(os.path.join(HERE, 'redis_tcl.txt'), encoding='utf-8') as lines:
        for line in lines:
            line = line.rstrip('\n')
            if line.startswith('[') and line.endswith(']'):
                file = explained.setdefault(line[1:-1], {})
            elif line and not line.startswith('#'):
                reason, name = line.split(': ', 1)
                file[name] = reason
    return explained


def judge(file, ours, theirs, known, verbose=False):
    """Prints the file's row and its failures; how many are not explained."""
    passed, failed = ours
    stock = passed if theirs is None else theirs[0]
    wanted = [name for name in failed if theirs is None or name in stock]
    lost = [name for name in stock if name not in failed and name not in passed]
    lost = list(dict.fromkeys(lost))
    print('%-24s redis-server %4s   kvorum %4d   of those not %3d' % (
        file, '-' if theirs is None else len(stock), len(passed), len(wanted) + len(lost)))
    bad = 0
    for name in wanted + lost:
        reason = known.get(name)
        bad += reason is None
        print('    %-12s %s' % (reason or 'UNEXPLAINED', name))
        if verbose:
            print(shortened(failed.get(name, 'not played')))
    for name, reason in known.items():
        if name in passed and name not in failed and not reason.endswith('*'):
            bad += 1
            print('    %-12s %s' % ('NOW PASSES', name))
    sys.stdout.flush()
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('binary')
    parser.add_argument('sources')
    parser.add_argument('files', nargs='*', default=FILES)
    parser.add_argument('--ours', action='store_true', help='without redis-server')
    parser.add_argument('--all', action='store_true', help='those that are explained, too')
    parser.add_argument('--verbose', action='store_true', help='what each failure said')
    wanted = parser.parse_intermixed_args()
    for program in ('tclsh', 'redis-server'):
        if not shutil.which(program):
            raise SystemExit('%s is not installed' % program)
    explained, bad, total = read_explained(), 0, 0
    with Suite(wanted.sources) as suite:
        for file in wanted.files:
            known = explained.get(file, {})
            spared = [name for name in known if not known[name].endswith('*')]
            spared = [] if wanted.all else spared
            ours = suite.run(file, Fresh(wanted.binary, OURS), spared)
            theirs = None if wanted.ours else suite.run(file, Fresh(wanted.binary, THEIRS))
            bad += judge(file, ours, theirs, known, wanted.verbose)
            total += len(ours[0])
    print('%d passed, %d failed' % (total, bad))
    return 1 if bad or not total else 0


if __name__ == '__main__':
    sys.exit(main())
