#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals that reload, reopen and do nothing, and a log that nobody reads. signals.py
[path/to/kvorum]; ends with `N passed, N failed`."""
import os
import re
import signal
import subprocess
import sys
import time

from crash_texts import REPORT, crash_texts, functions_at
from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()


def serves(cluster, name='a'):
    try:
        with cluster.resp(name) as client:
            return client('SET', 'k', 'v') == b'OK' and client('GET', 'k') == b'v'
    except (OSError, RespError):
        return False


def none_ends_the_node():
    with Cluster(BINARY, 'a') as cluster:
        cluster.start().wait_settled()
        for number in (signal.SIGUSR2, signal.SIGPIPE, signal.SIGUSR1, signal.SIGHUP):
            cluster.send('a', number)
            went_on = serves(cluster) and cluster.processes['a'].poll() is None
            checks.that('%s does not end it' % number.name, went_on)
        told = cluster.wait_log('a', 'SIGUSR1 received: the log goes to standard error')
        checks.that('USR1 without a file says so', told, cluster.log('a'))
        told = cluster.wait_log('a', 'configuration: nothing changed')
        checks.that('HUP without a change says so', told, cluster.log('a'))
        checks.that('TERM ends it cleanly', cluster.end('a') == 0)
        cluster.start().wait_settled()
        checks.that('it was a clean stop', cluster.log('a').count('not a clean one') == 1)


def rewrite(cluster, extra):
    with open(cluster.config, encoding='utf-8') as file:
        text = file.read()
    with open(cluster.config, 'w', encoding='utf-8') as file:
        file.write(text.replace('\n# live', '\n' + extra) if extra else text)
    return text


def reload():
    with Cluster(BINARY, 'a', '# live') as cluster:
        cluster.start().wait_settled()
        before = rewrite(
            cluster,
            'limits: {clients: 3, siblings: 7}\npassword: sesame\nlog: {level: debug}\n'
            'reactors: 5',
        )
        cluster.send('a', signal.SIGHUP)
        for line in (
            'limits.clients is 3 now, it was 10000',
            'limits.siblings is 7 now',
            r'password is \*+ now, it was none',
            'log.level is debug now',
            'reactors changed from auto to 5: that needs a restart',
        ):
            told = cluster.wait_log('a', 'configuration: ' + line)
            checks.that('the log says: ' + line, told, cluster.log('a'))
        checks.that('no password in the log', 'sesame' not in cluster.log('a'))

        def asks_for_password():
            with cluster.resp('a') as client:
                return str(client('GET', 'k')).startswith('NOAUTH')

        checks.that('the password is in force', until(asks_for_password, 5))
        clients = cluster.only_clients('a', 3, 'sesame')
        replies = [client('AUTH', 'sesame') for client in clients]
        checks.that('it is taken', replies == [b'OK'] * 3, replies)
        maximum = clients[0]('CONFIG', 'GET', 'maxclients')
        checks.that('CONFIG GET shows the new limit', maximum == [b'maxclients', b'3'], maximum)
        with cluster.resp('a') as fourth:
            said = str(fourth.read())
        checks.that('the new limit holds', said.startswith('ERR max number of clients'), said)
        with open(cluster.config, 'w', encoding='utf-8') as file:
            file.write(before.replace('# live', 'limits: {clients: 3, sibblings: 9}'))
        cluster.send('a', signal.SIGHUP)
        told = cluster.wait_log('a', "SIGHUP: the configuration stays as it is.*sibblings")
        checks.that('a broken file changes nothing and is logged', told, cluster.log('a'))
        maximum = clients[0]('CONFIG', 'GET', 'maxclients')
        checks.that('the limit is what it was', maximum == [b'maxclients', b'3'], maximum)
        checks.that('and the password', asks_no_more(clients[1]))


def asks_no_more(client):
    return client('GET', 'k') is None


def log_file_is_opened_again():
    with Cluster(BINARY, 'a', 'log: {file: kvorum.log}') as cluster:
        path = os.path.join(cluster.folder, 'kvorum.log')

        def content(of):
            with open(of, encoding='utf-8') as file:
                return file.read()

        cluster.start().wait_settled()
        checks.that('the log goes to the file', until(lambda: 'takes clients' in content(path), 5))
        checks.that('and not to standard error', cluster.log('a') == '', cluster.log('a'))
        os.rename(path, path + '.1')
        cluster.send('a', signal.SIGUSR1)
        opened = until(lambda: os.path.exists(path) and 'SIGUSR1' in content(path), 5)
        checks.that('USR1 opens it again', opened)
        checks.that('it ends cleanly', cluster.end('a') == 0 and 'stopped' in content(path))
        with Cluster(BINARY, 'a', 'log: {file: no/such/folder/log}') as other:
            other.start()
            status = other.processes['a'].wait(10)
            said = other.log('a')
            checks.that('a file that cannot be opened', status == 1 and 'log file' in said, said)


def nobody_reads_the_log():
    """Lines of large values and of signals fill the pipe behind standard error."""
    with Cluster(BINARY, 'a', 'log: {level: debug}\nlimits: {value_warn: 1}') as cluster:
        command = [cluster.binary, 'serve', '--config', cluster.config, '--name', 'a']
        reader, writer = os.pipe()
        cluster.processes['a'] = subprocess.Popen(
            command, stdout=writer, stderr=writer, cwd=cluster.folder
        )
        os.close(writer)
        checks.that('it starts', cluster.wait_settled())
        slowest, replies = 0, set()
        with cluster.resp('a', 10) as client:
            for i in range(4000):  # each value is worth a line
                began = time.monotonic()
                replies.add(client('SET', 'a-long-name-of-a-key-%d-%s' % (i, 'x' * 500), 'value'))
                slowest = max(slowest, time.monotonic() - began)
            for _ in range(3000):
                cluster.send('a', signal.SIGUSR1)
                cluster.send('a', signal.SIGHUP)
                time.sleep(0.0005)
            replies.add(client('SET', 'k', 'v'))
            pong = client('PING')
        checks.that('it serves on', replies == {b'OK'} and pong == b'PONG', replies)
        checks.that('no request waited', slowest < 2, slowest)
        began = time.monotonic()
        status = cluster.end('a', seconds=10)
        took = time.monotonic() - began
        checks.that('TERM ends it cleanly', status == 0 and took < 5, (status, took))
        os.set_blocking(reader, False)
        said = os.read(reader, 1 << 20)
        checks.that('the pipe was full', len(said) > 40000, len(said))
        os.close(reader)


def crash_is_reported():
    """With a log file, and by a signal of somebody else."""
    with Cluster(BINARY, 'a') as cluster:
        path = os.path.join(cluster.folder, 'file.log')
        with open(cluster.config, 'a', encoding='utf-8') as file:
            file.write('\nlog: {file: "%s"}\n' % path)
        cluster.start().wait_settled()
        status = cluster.end('a', signal.SIGSEGV)
        checks.that('it dies of the signal', status == -signal.SIGSEGV, status)
        with open(path, encoding='utf-8') as file:
            for log, where in ((cluster.log('a'), 'standard error'), (file.read(), 'the file')):
                report = REPORT.search(log)
                told = report and 'SIGSEGV, sent by process %d, in thread' % os.getpid()
                checks.that('%s tells of it' % where, told and told in report[0], log[-500:])
        names = functions_at(cluster.binary, report[1].split()) if report else ''
        # The kernel gives a process's signal to whichever thread is there first.
        stood_in = re.findall(r'^kvorum::.* at (?!crash_report)[a-z_]+\.cc:\d+', names, re.M)
        checks.that('offsets are functions', stood_in, names)
        checks.that('asked for, it is no crash', not crash_texts(cluster.binary, cluster.log('a')))


def main():
    for scenario in (
        crash_is_reported,
        none_ends_the_node,
        reload,
        log_file_is_opened_again,
        nobody_reads_the_log,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
