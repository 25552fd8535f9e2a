#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""Strangers at the ports of real nodes, secrets that are changed while clients write, clocks that
are off. security.py [path/to/kvorum]; ends with `N passed, N failed`."""
import json
import os
import re
import select
import socket
import sys
import threading
import time
import urllib.request

from node_processes import Checks, Cluster, RespError, free_ports, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()

SECRETS = ('the first secret of all', 'the second one, much better')


class Crowd(threading.Thread):
    """Keeps so many connections to a port open that say nothing: where one is closed, the next is
    opened."""

    def __init__(self, port, count):
        super().__init__()
        self.port, self.count = port, count
        self.open, self.ever = {}, 0
        self.ending = False
        self.start()

    def run(self):
        while not self.ending:
            while len(self.open) < self.count and not self.ending:
                try:
                    one = socket.create_connection(('127.0.0.1', self.port), 1)
                except OSError:
                    time.sleep(0.02)  # the node is down, or its queue is full
                    break
                one.setblocking(False)
                self.open[one.fileno()] = one
                self.ever += 1
            poll = select.poll()
            for descriptor in self.open:
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll(50):
                self.open.pop(descriptor).close()

    def finish(self):
        self.ending = True
        self.join()
        for one in self.open.values():
            one.close()


class Load(threading.Thread):
    """Writes, reads back with a context and writes again, at one node after the other; a connection
    that a stopping node closes is opened anew elsewhere. What is refused is kept."""

    def __init__(self, cluster, at):
        super().__init__()
        self.cluster, self.at = cluster, at
        self.acknowledged, self.refused = {}, []
        self.ending = False
        self.start()

    def run(self):
        i = 0
        while not self.ending:
            try:
                with self.cluster.resp(self.at, 10) as client:
                    while not self.ending:
                        self.once(client, i)
                        i += 1
            except (OSError, RespError, IndexError):
                time.sleep(0.01)

    def once(self, client, i):
        key = '%s%d' % (self.at, i % 500)
        found = client('KV.GET', key)
        token = found[0] if isinstance(found, list) else b''
        reply = client('KV.PUT', key, token, i)
        if isinstance(found, RespError) or isinstance(reply, RespError):
            self.refused.append((str(found), str(reply)))
        else:
            self.acknowledged[key] = i

    def finish(self):
        self.ending = True
        self.join()
        return self


def links_of(cluster, name):
    return {member['name']: member['state'] for member in status_of(cluster, name)['members']}


def all_linked(cluster, name):
    try:
        return set(links_of(cluster, name).values()) == {'up'}
    except OSError:
        return False  # it starts


def status_of(cluster, name):
    url = 'http://%s/api/v1/status' % cluster.address(name, 'admin')
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def seconds_until(condition, limit):
    began = time.monotonic()
    return time.monotonic() - began if until(condition, limit) else None


def silent_connections_keep_nobody_out():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled())
        cluster.end('b')
        crowds = [Crowd(cluster.port(name, 'peer'), 800) for name in 'ac']
        full = until(lambda: all(crowd.ever > 1200 for crowd in crowds), 30)
        checks.that('800 silent connections stand at each of two nodes', full)
        cluster.start('b')
        until(lambda: not is_refused(cluster, 'b'), 10)
        took = seconds_until(lambda: all(all_linked(cluster, name) for name in 'abc'), 30)
        checks.that('a peer that comes back is linked within 2 s', took and took < 2, took)
        status = status_of(cluster, 'a')
        checks.that('evictions are counted', status['greetings_evicted'] > 100, status)
        told = len(re.findall('did not greet', cluster.log('a')))
        checks.that('and logged once', told == 1, told)
        for crowd in crowds:
            crowd.finish()
        said = cluster.log('a')
        lost = [len(re.findall('peer %s at .*link is lost' % one, said)) for one in 'bc']
        checks.that('nobody who proved himself was evicted', lost[0] <= 1 and lost[1] == 0, lost)


def who_does_not_answer_is_dialed_anew_early():
    with Cluster(BINARY, 'ab') as cluster, socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(('127.0.0.1', cluster.port('b', 'peer')))
        silent.listen(64)
        silent.settimeout(10)
        cluster.start('a')
        links = [silent.accept()[0]]
        began, took = time.monotonic(), 0
        greeting = links[0].recv(1)
        while took < 0.2:  # each reactor has a link of its own
            links.append(silent.accept()[0])
            took = time.monotonic() - began
        checks.that('a node greets who does not answer', greeting)
        checks.that('and comes again before two seconds are over', took < 1.5, took)
        for one in links:
            one.close()


def is_refused(cluster, name):
    try:
        status_of(cluster, name)
        return False
    except OSError:
        return True


WORDS = ('peer 127.0.0.1: its cluster.secret differs', 'peer 127.0.0.1: it has no cluster.secret')


def strangers_are_told_nothing():
    cluster_text = 'name: hushhush\n  secret: %s\n  partitions: 16' % SECRETS[0].replace(' ', '-')
    with Cluster(BINARY, 'abc', cluster=cluster_text) as cluster:
        wrong = cluster.write_config('wrong.yaml', '', cluster_text.replace('first', 'worst'))
        none = cluster.write_config('none.yaml', '', 'name: hushhush\n  partitions: 16')
        cluster.start('a').start('b', config=wrong).start('c', config=none)
        said = cluster.wait_log('a', 'peer 127.0.0.1: its cluster.secret differs from ours')
        checks.that('the acceptor says that the secret differs', said, cluster.log('a'))
        said = cluster.wait_log('b', 'a at .*its cluster.secret differs')
        checks.that('so does the dialer', said, cluster.log('b'))
        said = cluster.wait_log('a', 'peer 127.0.0.1: it has no cluster.secret, this node has one')
        checks.that('the acceptor says that there is none', said, cluster.log('a'))
        said = cluster.wait_log('c', 'a at .*has a cluster.secret, which this node has not')
        checks.that('so does the dialer', said, cluster.log('c'))
        counts = [len(re.findall(text, cluster.log('a'))) for text in WORDS]
        checks.that('each once', counts == [1, 1], counts)
        heard = relay(cluster, 'a')
        checks.that('a stranger hears a version and a number', 40 < len(heard) < 140, heard)
        names = [text for text in (b'hush', b'node', b'secret', b'cluster') if text in heard]
        checks.that('and nothing of the cluster', not names, heard)


def relay(cluster, name):
    """What a node answers to the greeting that another cluster's node sends to it."""
    ports = free_ports(1)
    with socket.socket() as listening, Cluster(BINARY, 'xyz', cluster='name: other') as other:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(('127.0.0.1', ports[0]))
        listening.listen()
        listening.settimeout(10)
        other.ports['y']['peer'] = ports[0]
        config = other.write_config('relay.yaml', '', 'name: other\n  secret: a-stranger-has-one')
        other.start('x', config=config)
        caller, _ = listening.accept()
        with caller, socket.create_connection(('127.0.0.1', cluster.port(name, 'peer')), 5) as node:
            heard = b''
            ends = {caller: node, node: caller}
            while ends:
                ready, _, _ = select.select(list(ends), [], [], 5)
                if not ready:
                    break
                for one in ready:
                    try:
                        bytes_read = one.recv(65536)
                    except OSError:
                        bytes_read = b''
                    if not bytes_read:
                        return heard
                    heard += bytes_read if one is node else b''
                    ends[one].sendall(bytes_read)
            return heard


def config_with(cluster, file_name, secrets):
    text = 'name: test\n  partitions: 16\n  secret: [%s]' % ', '.join('"%s"' % s for s in secrets)
    return cluster.write_config(file_name, '', text)


def secret_changes_under_load():
    old, new = SECRETS
    with Cluster(BINARY, 'abc') as cluster:
        steps = [(old,), (old, new), (new, old), (new,)]
        files = [config_with(cluster, '%d.yaml' % i, step) for i, step in enumerate(steps)]
        cluster.start(config=files[0])
        checks.that('three nodes with one secret settle', cluster.wait_settled())
        with cluster.resp('a') as client:
            old_token = client('KV.PUT', 'before', '', 'x')
        loads = [Load(cluster, name) for name in 'abc']
        until(lambda: all(len(load.acknowledged) > 100 for load in loads), 20)
        settled = []
        for number, file in enumerate(files[1:], 1):
            for name in 'abc':
                ended = cluster.end(name)
                cluster.start(name, config=file)
                settled.append((number, name, ended, bool(cluster.wait_settled())))
            if number == 2:  # all speak with the new one, and accept both
                with cluster.resp('b') as client:
                    taken = client('KV.PUT', 'before', old_token, 'y')
                    checks.that('a token of the older secret is taken', taken[:4] != b'BADC', taken)
                    checks.that('as a context', not isinstance(taken, RespError), taken)
        bad = [step for step in settled if step[2:] != (0, True)]
        checks.that('nine restarts, each settles', not bad and len(settled) == 9, bad)
        for load in loads:
            load.finish()
        with cluster.resp('b') as client:
            missing = [
                (key, value)
                for load in loads
                for key, value in load.acknowledged.items()
                if b'%d' % value not in in_list(client('GET', key))
            ]
            total = sum(len(load.acknowledged) for load in loads)
            checks.that('of %d acknowledged keys none is lost' % total, not missing, missing[:5])
            gone = client('KV.PUT', 'before', old_token, 'z')
            checks.that('a token of a secret that is gone is refused', is_bad(gone), gone)
        tokens = [one for load in loads for one in load.refused if 'BADCONTEXT' in ''.join(one)]
        checks.that('no context was refused meanwhile', not tokens, tokens[:3])
        refused = [text for name in 'abc' for text in refusals(cluster, name)]
        checks.that('no node refused another', not refused, refused[:3])


def refusals(cluster, name):
    return [line for line in cluster.log(name).splitlines() if 'secret differs' in line]


def in_list(reply):
    return reply if isinstance(reply, list) else [reply]


def is_bad(reply):
    return isinstance(reply, RespError) and 'BADCONTEXT' in str(reply)


def open_peer_port_needs_a_secret():
    ports = free_ports(4)
    names = ('redis', 'memcached', 'peer', 'admin')
    with Cluster(BINARY, 'a') as cluster:
        def attempt(extra):
            path = os.path.join(cluster.folder, 'open.yaml')
            with open(path, 'w', encoding='utf-8') as file:
                for name, port in zip(names, ports):
                    host = '0.0.0.0' if name == 'peer' else '127.0.0.1'
                    before = 'listen: {' if name == 'redis' else ', '
                    file.write('%s%s: %s:%d' % (before, name, host, port))
                file.write('}\nengine: {type: memory}\n%s\n' % extra)
            return path

        done = run(BINARY, 'serve', '--config', attempt(''))
        checks.that('an open peer port without a secret: status 2', done.returncode == 2, done)
        words = ('cluster.secret is missing', '0.0.0.0:%d' % ports[2], 'insecure: true')
        checks.that('with the remedies', all(word in done.stderr for word in words), done.stderr)
        for extra in ('peer: {insecure: true}', 'cluster: {secret: 0123456789abcdef}'):
            path = attempt(extra)
            cluster.start('a', config=path)
            log = cluster.wait_log('a', 'takes clients')
            checks.that('it starts with %s' % extra, log, cluster.log('a'))
            cluster.end('a')
            os.remove(cluster.log_path('a'))


def doubtful_configurations_are_warned_of():
    with Cluster(BINARY, 'a', 'engine: {type: memory}', 'name: test\n  secret: short') as cluster:
        path = cluster.config
        done = run(BINARY, 'config', 'check', path)
        place = '%s:3:11: warning: cluster.secret: 5 bytes' % path
        checks.that('config check warns', done.returncode == 0 and place in done.stderr, done)
        done = run(BINARY, 'config', 'check', '--strict', path)
        checks.that('strictly it is a mistake', done.returncode == 1 and place in done.stderr, done)
        cluster.start()
        said = cluster.wait_log('a', 'cluster.secret: 5 bytes can be guessed')
        checks.that('a node that starts logs it', said, cluster.log('a'))
        fine = cluster.write_config('fine.yaml', '', 'name: test')
        done = run(BINARY, 'config', 'check', '--strict', fine)
        checks.that('nothing else is', done.returncode == 0 and done.stderr == '', done)


def passwords_are_slow_to_guess():
    with Cluster(BINARY, 'a', 'engine: {type: memory}\npassword: [new-one, old-one]') as cluster:
        cluster.start()
        cluster.wait_log('a', 'takes clients')
        with cluster.resp('a') as first, cluster.resp('a') as second:
            checks.that('the new password', first('AUTH', 'new-one') == b'OK')
            checks.that('the old one', second('AUTH', 'old-one') == b'OK')
            guesses, began = 0, time.monotonic()
            with cluster.resp('a') as guesser:
                while time.monotonic() < began + 3:
                    guesses += str(guesser('AUTH', 'guess%d' % guesses)).startswith('WRONGPASS')
            checks.that('few guesses in three seconds', 5 <= guesses < 20, guesses)
            with cluster.resp('a') as waiting:
                waiting.socket.sendall(waiting.encode('AUTH', 'old-one'))
                began = time.monotonic()
                answers = all(first('SET', 'k', i) == b'OK' for i in range(100))
                quick = time.monotonic() - began
                checks.that('others are served meanwhile', answers and quick < 0.5, quick)
                checks.that('and it is taken in the end', waiting.read() == b'OK')
            info = first('INFO', 'stats').decode()
            counted = re.search(r'acl_access_denied_auth:(\d+)', info)
            checks.that('failures are counted', counted and int(counted.group(1)) == guesses, info)
        lines = re.findall('client 127.0.0.1: a login failed', cluster.log('a'))
        checks.that('and logged once', len(lines) == 1, lines)


def clocks_are_compared():
    with Cluster(BINARY, 'abc') as cluster:
        ahead = cluster.write_config(
            'ahead.yaml', 'debug: {clock_offset: 10m}', 'name: test\n  partitions: 16'
        )
        cluster.start('a', 'b').start('c', config=ahead)
        checks.that('three nodes settle', cluster.wait_settled())
        said = cluster.wait_log('a', r'peer c at \S+: its clock is 600.0 s ahead of this node')
        checks.that('ten minutes are logged', said, cluster.log('a'))
        said = cluster.wait_log('c', r'peer a at \S+: its clock is 600.0 s behind this node')
        checks.that('on both sides', said, cluster.log('c'))

        def offsets(name):
            members = status_of(cluster, name)['members']
            return {one['name']: one['clock_offset_ms'] for one in members}

        near = until(
            lambda: abs((offsets('a')['c'] or 0) - 600000) < 100
            and abs(offsets('a')['b'] if offsets('a')['b'] is not None else 999) < 100,
            5,
        )
        checks.that('the API has it to the millisecond', near, offsets('a'))
        table = run(BINARY, 'status', '--admin', cluster.address('a', 'admin')).stdout
        shown = re.search(r'problem: c: its clock is 600.0 s ahead', table)
        checks.that('status shows it', shown, table)
        with cluster.resp('a') as client:
            text = client('KV.CLUSTER', 'STATUS').decode()
            shown = re.search(r'member_c:.*clock_offset_ms=(599|600)\d{3}', text)
            checks.that('KV.CLUSTER STATUS too', shown, text)
            until(lambda: client('SET', 'k%d' % time.monotonic_ns(), 'v') != b'OK', 0.5)
            info = client('INFO', 'dynamo').decode()
            far = re.search(r'clocks_far_ahead:(\d+)', info)
            checks.that('readings too far ahead are counted', far and int(far.group(1)) > 0, info)
            top = re.search(r'clock_offset_ms_max:(599|600)\d{3}', info)
            checks.that('INFO has the largest', top, info)
        with urllib.request.urlopen('http://%s/metrics' % cluster.address('b', 'admin')) as answer:
            metrics = answer.read().decode()
        shown = re.search(r'kvorum_peer_clock_offset_seconds\{member="c"\} (599|600)\.', metrics)
        checks.that('and the metrics', shown, metrics[:300])
        once = len(re.findall('its clock is', cluster.log('a')))
        checks.that('it is logged once', once == 1, cluster.log('a'))


def main():
    for scenario in (
        silent_connections_keep_nobody_out,
        who_does_not_answer_is_dialed_anew_early,
        strangers_are_told_nothing,
        secret_changes_under_load,
        open_peer_port_needs_a_secret,
        doubtful_configurations_are_warned_of,
        passwords_are_slow_to_guess,
        clocks_are_compared,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
