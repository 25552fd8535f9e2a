# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: how each is started, when it is ready, how it is ended.

Every server is a child of ours in the foreground, on loopback ports that were free a moment ago,
with its files in a directory that is removed afterwards. Children die with us, however we end.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

READY_SECONDS = 60
STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1


class ServerError(Exception):
    """A server that does not start, or did not stay up; the text shows the end of its log."""


def free_ports(count):
    held = []
    try:
        for _ in range(count):
            held.append(socket.socket())
            held[-1].bind(('127.0.0.1', 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def in_child(cpu):
    """Runs between fork and exec: stay on one CPU, end when the parent ends."""
    libc = ctypes.CDLL(None)

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return prepare


def cpu_ns(pids):
    """User and system time of processes so far, from the kernel's CPU clock of each."""
    return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids)


def written_bytes(text):
    """Of /proc/PID/io: what was to be written to the disk, without what was deleted before."""
    counts = dict(line.split(': ') for line in text.splitlines())
    return int(counts['write_bytes']) - int(counts['cancelled_write_bytes'])


def ask(port, text, enough):
    """Sends text and returns the reply once it holds one of the byte strings in enough."""
    with socket.create_connection(('127.0.0.1', port), 2) as connection:
        connection.settimeout(2)
        connection.sendall(text)
        reply = b''
        while not any(word in reply for word in enough):
            more = connection.recv(65536)
            if not more:
                break
            reply += more
        return reply


class Server:
    """One measured thing: one process, or three that form a cluster."""

    def __init__(self, name, title, protocol='resp'):
        self.name, self.title, self.protocol = name, title, protocol
        self.ports, self.processes, self.folder, self.logs = [], [], None, []
        self.all_ports = []

    # What the kinds of servers differ in.
    def missing(self):
        """Why it cannot be started here, or None."""
        raise NotImplementedError

    def ports_wanted(self):
        return 1

    def commands(self, ports):
        raise NotImplementedError

    def client_ports(self, ports):
        return ports

    def is_ready(self, port):
        pong = ask(port, b'PING\r\n', [b'\n'])
        stored = ask(port, b'SET bench:ready 1\r\n', [b'\n'])
        return pong == b'+PONG\r\n' and stored == b'+OK\r\n'

    @property
    def addresses(self):
        return ['127.0.0.1:%d' % port for port in self.ports]

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def start(self, cpu):
        self.folder = tempfile.mkdtemp(prefix='kvorum-bench-')
        self.all_ports = free_ports(self.ports_wanted())
        self.ports = self.client_ports(self.all_ports)
        self.launch_all(cpu)

    def launch_all(self, cpu):
        commands = self.commands(self.all_ports)
        self.logs = [os.path.join(self.folder, 'log.%d' % i) for i in range(len(commands))]
        self.processes = [
            self.launch(command, log, cpu) for command, log in zip(commands, self.logs)
        ]

    def launch(self, command, log_path, cpu):
        with open(log_path, 'ab') as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=in_child(cpu),
            )

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        waiting = list(self.ports)
        while waiting:
            self.check_alive()
            try:
                if self.is_ready(waiting[0]):
                    waiting.pop(0)
                    continue
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise ServerError(
                    '%s: not ready after %d s\n%s' % (self.name, READY_SECONDS, self.log_tail())
                )
            time.sleep(0.05)

    def check_alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise ServerError(
                    '%s: process %d ended with status %d\n%s'
                    % (self.name, process.pid, process.returncode, self.log_tail())
                )

    def log_tail(self):
        lines = []
        for path in self.logs:
            with open(path, errors='replace') as log:
                lines += log.read().splitlines()[-15:]
        return '\n'.join('    ' + line for line in lines)

    def kill(self):
        """As a crash does it; launch_all() starts them on what they have left."""
        for process in self.processes:
            process.kill()
            process.wait()

    def end_and_count_bytes(self):
        """A clean stop, and how much was written for the disk from the start to the end of it."""
        total = 0
        for process in self.processes:
            process.terminate()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its counts are there still
            with open('/proc/%d/io' % process.pid) as file:
                total += written_bytes(file.read())
            process.wait()
        return total

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes:
            try:
                process.wait(max(0.01, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.processes, self.folder = [], None


class Redis(Server):
    def __init__(self, name, title, fsync=None):
        """With an append-only file where it is said when that is synced."""
        super().__init__(name, title)
        self.fsync = fsync

    def commands(self, ports):
        # Rewriting the log would run in a forked child, on the same core and charged to nobody.
        durability = ['--appendonly', 'no']
        if self.fsync:
            durability = [
                '--appendonly',
                'yes',
                '--appendfsync',
                self.fsync,
                '--auto-aof-rewrite-percentage',
                '0',
            ]
        return [
            [
                'redis-server',
                '--bind',
                '127.0.0.1',
                '--port',
                str(ports[0]),
                '--daemonize',
                'no',
                '--save',
                '',
                '--dir',
                self.folder,
            ]
            + durability
        ]

    def missing(self):
        return None if shutil.which('redis-server') else 'redis-server is not installed'


class Memcached(Server):
    def __init__(self, name, title):
        super().__init__(name, title, 'memcached')

    def commands(self, ports):
        as_root = ['-u', 'root'] if os.geteuid() == 0 else []
        return [
            [
                'memcached',
                '-l',
                '127.0.0.1',
                '-p',
                str(ports[0]),
                '-U',
                '0',
                '-t',
                '1',
                '-m',
                '2048',
            ]
            + as_root
        ]

    def is_ready(self, port):
        return ask(port, b'set bench:ready 0 0 1\r\n1\r\n', [b'\n']) == b'STORED\r\n'

    def missing(self):
        return None if shutil.which('memcached') else 'memcached is not installed'


class Kvorum(Server):
    """One node, or a cluster of three: the same file either way, as `kvorum serve` wants it."""

    def __init__(self, name, title, binary, engine, nodes=1, sync='interval'):
        super().__init__(name, title)
        self.binary, self.engine, self.nodes = binary, engine, 'abcdefg'[:nodes]
        self.sync = sync

    def missing(self):
        return None if os.access(self.binary, os.X_OK) else '%s is not built' % self.binary

    def ports_wanted(self):
        return 4 * len(self.nodes)

    def client_ports(self, ports):
        return ports[::4]

    def commands(self, ports):
        path = os.path.join(self.folder, 'kvorum.yaml')
        with open(path, 'w') as file:
            file.write(self.config(ports))
        return [[self.binary, 'serve', '--config', path, '--name', node] for node in self.nodes]

    def config(self, ports):
        kinds = ('redis', 'memcached', 'peer', 'admin')
        members = ''
        for i, name in enumerate(self.nodes):
            listen = ', '.join(
                '%s: "127.0.0.1:%d"' % (kind, ports[4 * i + offset])
                for offset, kind in enumerate(kinds)
            )
            members += '    - {name: %s, %s, data: "%s"}\n' % (
                name,
                listen,
                os.path.join(self.folder, name),
            )
        return (
            'cluster:\n  name: bench\n  members:\n'
            + members
            + 'keyspaces:\n  default: {n: 3, r: 2, w: 2, conflicts: siblings}\n'
            'engine: {type: %s, sync: %s, memory: 4gb}\n'
            'reactors: 1\nlog: {level: warn}\n' % (self.engine, self.sync)
        )

    def is_ready(self, port):
        if not super().is_ready(port):
            return False
        if len(self.nodes) == 1:
            return True
        status = b'*2\r\n$10\r\nKV.CLUSTER\r\n$6\r\nSTATUS\r\n'
        states = [b'state:settled', b'state:moving', b'state:degraded', b'-ERR']
        return b'state:settled' in ask(port, status, states)


class KvorumText(Kvorum):
    """A node, measured at its port for memcached's clients."""

    def __init__(self, name, title, binary):
        super().__init__(name, title, binary, 'memory')
        self.protocol = 'memcached'

    def client_ports(self, ports):
        return ports[1::4]

    def is_ready(self, port):
        return Memcached.is_ready(self, port)


def all_servers(build):
    binary = os.path.join(os.path.abspath(build), 'kvorum')
    return [
        Redis('redis', 'Redis'),
        Redis('redis-aof', 'Redis, AOF everysec', fsync='everysec'),
        Memcached('memcached', 'memcached, 1 thread'),
        KvorumText('kvorum-text', 'Kvorum, memory, text', binary),
        Kvorum('kvorum', 'Kvorum, memory', binary, 'memory'),
        Kvorum('kvorum-leveldb', 'Kvorum, leveldb interval', binary, 'leveldb'),
        Kvorum('kvorum-cluster', 'Kvorum, 3 nodes N3 R2 W2', binary, 'memory', nodes=3),
        Kvorum('kvorum-cluster-leveldb', 'Kvorum, 3 nodes, leveldb', binary, 'leveldb', nodes=3),
    ]
