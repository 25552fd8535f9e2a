# SPDX-License-Identifier: Apache-2.0
"""For the integration tests: real processes on free loopback ports, a small RESP client, and the
counting of checks. A module without tests of its own."""
import base64
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from crash_texts import crash_texts

KINDS = ('redis', 'memcached', 'peer', 'admin')


class Checks:
    """Counts; every script ends with summary()."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, name, condition, detail=''):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
        shown = '' if condition else '   got: %.600r' % (detail,)
        print('%s  %s%s' % ('ok  ' if condition else 'FAIL', name, shown), flush=True)
        return bool(condition)

    def attempt(self, name, function, *arguments):
        """A scenario that cannot be played is a failed check."""
        try:
            function(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.that(name, False, '%s: %s' % (type(error).__name__, error))

    def play(self, scenarios, beside_redis=''):
        """Those that the command line names, or all; one of them needs redis-server."""
        for title in sys.argv[2:] or scenarios:
            if title == beside_redis and not shutil.which('redis-server'):
                print('skipped: redis-server is not installed')
                continue
            self.attempt(title, scenarios[title])
        return self.summary()

    def summary(self):
        print('%d passed, %d failed' % (self.passed, self.failed))
        return 1 if self.failed or not self.passed else 0


# Which of the suites that run at a time this is: each has the ports whose remainder it is.
PLACES = 4
PLACE = int(os.environ.get('KVORUM_TEST_PLACE', '0')) % PLACES


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(('127.0.0.1', port))
            return True
        except OSError:
            return False


GIVEN = set()  # ports, also of nodes that do not run yet


def free_ports(count):
    """Below those that the kernel gives to outgoing connections, so that none of these takes the
    port of a node that is down for a while."""
    held = []
    try:
        for port in random.sample(range(12000 + PLACE, 32000, PLACES), 2000):
            if len(held) == count:
                break
            if port in GIVEN:
                continue
            one = socket.socket()
            try:
                one.bind(('127.0.0.1', port))
                held.append(one)
            except OSError:
                one.close()
        ports = [one.getsockname()[1] for one in held]
        GIVEN.update(ports)
        return ports
    finally:
        for one in held:
            one.close()


class RespError(Exception):
    pass


class Resp:
    def __init__(self, port, timeout=5, host='127.0.0.1'):
        self.socket = socket.create_connection((host, port), timeout)
        self.file = self.socket.makefile('rb')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    @staticmethod
    def encode(*words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        parts = [b'*%d\r\n' % len(words)]
        parts += [b'$%d\r\n%s\r\n' % (len(word), word) for word in words]
        return b''.join(parts)

    def __call__(self, *words):
        self.socket.sendall(self.encode(*words))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b'\r\n'):
            raise RespError('connection closed')
        kind, rest = line[:1], line[1:-2]
        if kind == b'+':
            return rest
        if kind == b'-':
            return RespError(rest.decode())
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return None if int(rest) < 0 else self.file.read(int(rest) + 2)[:-2]
        if kind in b'*>':
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b'%':
            return {self.read(): self.read() for _ in range(int(rest))}
        raise RespError('unexpected reply %r' % line)


class Loopback:
    """Where the nodes of a cluster listen, and with what their commands begin."""

    def host(self, _name):
        return '127.0.0.1'

    def launcher(self, _name):
        return []


class Cluster:
    """Nodes of one YAML file. `extra` are lines of the file; `cluster` the keys of its cluster."""

    timing = 'hints: 200ms'
    password = ''  # that the admin API asks of other hosts

    def __init__(
        self, binary, names, extra='', cluster='name: test\n  partitions: 16', network=Loopback()
    ):
        self.binary = os.path.abspath(binary)
        self.names = list(names)
        self.network = network
        self.folder = tempfile.mkdtemp(prefix='kvorum-test-')
        self.ports = {}
        self.reserve(*names)
        self.processes = {}
        self.keep = False  # the folder, once all is over
        self.config = self.write_config('cluster.yaml', extra, cluster)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.tell_crashes()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def tell_crashes(self):
        logged = [name for name in self.processes if os.path.exists(self.log_path(name))]
        for name in logged:
            for text in crash_texts(self.binary, self.log(name)):
                print('CRASH of %s: %s' % (name, text), flush=True)

    def reserve(self, *names):
        """Ports for nodes."""
        ports = free_ports(len(names) * len(KINDS))
        for i, name in enumerate(names):
            self.ports[name] = dict(zip(KINDS, ports[i * len(KINDS) :]))

    def port(self, name, kind='redis'):
        return self.ports[name][kind]

    def address(self, name, kind):
        return '%s:%d' % (self.network.host(name), self.port(name, kind))

    def write_config(self, file_name, extra, cluster):
        members = []
        for name in self.names:
            fields = ['%s: %s' % (kind, self.address(name, kind)) for kind in KINDS]
            fields.append('data: %s' % os.path.join(self.folder, name))
            fields += self.member_fields(name)
            members.append('    - {name: %s, %s}' % (name, ', '.join(fields)))
        path = os.path.join(self.folder, file_name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('cluster:\n  %s\n  members:\n%s\n' % (cluster, '\n'.join(members)))
            file.write('timing: {%s}\n%s\n' % (self.timing, extra))
        return path

    def member_fields(self, _name):
        """What else the file says of a member."""
        return []

    def start(self, *names, config=None, options=()):
        for name in names or self.names:
            with open(self.log_path(name), 'ab') as log:
                command = self.network.launcher(name)
                command += [self.binary, 'serve', '--config', config or self.config]
                self.processes[name] = subprocess.Popen(
                    command + ['--name', name] + list(options),
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                )
        return self

    def start_added(self, name):
        """A node that does not stand in the file."""
        options = ['--data', os.path.join(self.folder, name)]
        for kind in KINDS:
            options += ['--' + kind, self.address(name, kind)]
        self.start(name, options=options)

    def log_path(self, name):
        return os.path.join(self.folder, name + '.log')

    def log(self, name):
        with open(self.log_path(name), encoding='utf-8', errors='replace') as file:
            return file.read()

    def wait_log(self, name, pattern, seconds=10):
        return until(lambda: re.search(pattern, self.log(name)), seconds)

    def resp(self, name, timeout=5):
        return Resp(self.port(name), timeout, self.network.host(name))

    def only_clients(self, name, count, password=''):
        """So many connections, once those of before, which may have ended just now, are gone."""
        first = self.resp(name)
        if password:
            first('AUTH', password)
        until(lambda: b'connected_clients:1\r' in first('INFO', 'clients'), 5)
        return [first] + [self.resp(name) for _ in range(count - 1)]

    def is_settled(self, name):
        try:
            with self.resp(name, 1) as client:
                return b'state:settled' in client('KV.CLUSTER', 'STATUS')
        except (OSError, RespError, TypeError):
            return False

    def wait_settled(self, *names, seconds=20):
        names = names or self.names
        return until(lambda: all(self.is_settled(name) for name in names), seconds)

    def asked(self, at, what, post=False, body=b''):
        """A document of the admin API with its status."""
        url = 'http://%s/api/v1/%s' % (self.address(at, 'admin'), what)
        request = urllib.request.Request(url, body if post else None)
        if post:
            request.add_header('Content-Type', 'application/json')
        if self.password:
            login = base64.b64encode(b'any:' + self.password.encode())
            request.add_header('Authorization', 'Basic ' + login.decode())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def states(self, at):
        """The members, and who waits: name -> state."""
        _, document = self.asked(at, 'members')
        return {member['name']: member['state'] for member in document['members']}

    def send(self, name, number):
        self.processes[name].send_signal(number)

    def end(self, name, number=signal.SIGTERM, seconds=10):
        """Sends the signal and returns the exit status; None where the process goes on."""
        self.send(name, number)
        try:
            return self.processes[name].wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def resident_bytes(self, name):
        with open('/proc/%d/statm' % self.processes[name].pid, encoding='ascii') as file:
            return int(file.read().split()[1]) * os.sysconf('SC_PAGESIZE')


class ServerPair(Cluster):
    """A lone node and the server whose replies it has to give, on free ports: `ours`, `theirs`.
    `other(port, folder, password)` is the command of that server; `kind` the node's port."""

    def __init__(self, binary, kind, other, password=''):
        super().__init__(binary, 'a', 'engine: {type: memory}\npassword: "%s"' % password)
        self.ours, self.theirs = self.port('a', kind), free_ports(1)[0]
        self.command = other(self.theirs, self.folder, password)

    def __enter__(self):
        self.start()
        with open(self.log_path('other'), 'ab') as log:
            self.processes['other'] = subprocess.Popen(self.command, stdout=log, stderr=log)
        for name, port in (('a', self.ours), ('other', self.theirs)):
            if not until(lambda: self.has_ended(name) or accepts(port), 20) or self.has_ended(name):
                said = self.log(name)
                self.__exit__()
                raise RuntimeError('%s does not answer on port %d:\n%s' % (name, port, said))
        return self

    def has_ended(self, name):
        return self.processes[name].poll() is not None


def accepts(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def until(condition, seconds):
    """Looks again and again; the last result, which is true unless the time is up."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > end:
            return result
        time.sleep(0.02)


def run(*command, seconds=20):
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=seconds,
        check=False,
    )
