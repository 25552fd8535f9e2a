# SPDX-License-Identifier: Apache-2.0
"""./x bench hot_path: which functions a request runs through, for the linker to lay side by side.

One node, then three, run GETs and SETs under callgrind (package valgrind). Functions that execute
at least --least instructions for each operation are written to cmake/hot_path.ld, those of the one
node first: together they nearly fit an instruction cache, scattered over the program they evict
each other. The build is one without that order, since valgrind finds no names of functions outside
of .text. See bench/README.md.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys

import servers as fleet

HEAD = """/* SPDX-License-Identifier: Apache-2.0
   What requests run through, side by side. Written by ./x bench hot_path; names that the program
   does not have any more match nothing (tests/tidy/hot_path_test.py counts them). */
SECTIONS
{
  .text.hot_path :
  {
"""
TAIL = '  }\n}\nINSERT BEFORE .text;\n'


class Watched(fleet.Kvorum):
    def commands(self, ports):
        watch = ['valgrind', '--tool=callgrind', '--callgrind-out-file=callgrind.%p']
        return [watch + command for command in super().commands(ports)]

    def config(self, ports):
        return super().config(ports) + 'limits: {request_timeout: 60s}\n'

    def control(self, option):
        for pid in self.pids:
            subprocess.run(
                ['callgrind_control', option, str(pid)], check=True, stdout=subprocess.DEVNULL
            )

    def profiles(self):
        names = sorted(os.listdir(self.folder))
        return [os.path.join(self.folder, n) for n in names if re.match(r'callgrind\.\d+\.\d', n)]


def instructions(profile, binary):
    """Executed by each function of the binary itself, by its demangled name."""
    command = ['callgrind_annotate', '--threshold=100', '--show=Ir', profile]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    counts = {}
    for line in text.splitlines():
        found = re.match(r'\s*([\d,]+) \([^)]*\)\s+\S+?:(.*) \[(.*)\]$', line)
        if found and found.group(3) == binary:
            count = int(found.group(1).replace(',', ''))
            counts[found.group(2)] = counts.get(found.group(2), 0) + count
    return counts


def symbols(binary):
    """Mangled names of functions by their demangled ones."""
    text = subprocess.run(['nm', binary], check=True, capture_output=True, text=True).stdout
    mangled = [line.split()[-1] for line in text.splitlines() if re.search(r' [tTwW] \S+$', line)]
    plain = subprocess.run(
        ['c++filt'], input='\n'.join(mangled), check=True, capture_output=True, text=True
    )
    return dict(zip(plain.stdout.splitlines(), mangled))


def load(server, build, *options):
    command = [os.path.join(build, 'kvorum-bench')] + server.addresses
    command += ['--keys', '3000', '--value-bytes', '100', '--connections', '8', '--depth', '16']
    subprocess.run(command + list(options), check=True, stdout=subprocess.DEVNULL)


def hot_functions(settings, nodes):
    """Mangled names of the functions that requests to so many nodes run through."""
    build = os.path.abspath(settings.build)
    server = Watched('watched', 'under callgrind', os.path.join(build, 'kvorum'), 'memory', nodes)
    most = {}
    try:
        server.start(None)
        server.wait_until_ready()
        load(server, build, '--fill-only')
        for mix in ('get', 'set'):
            server.control('-z')
            load(server, build, '--mix', mix, '--operations', str(settings.operations))
            server.control('-d')
        for profile in server.profiles():
            for name, count in instructions(profile, server.binary).items():
                most[name] = max(most.get(name, 0), count / settings.operations)
    finally:
        server.stop()
    names = symbols(server.binary)
    hot = {name for name, count in most.items() if count >= settings.least}
    return {names[name] for name in hot if name in names}


def main():
    parser = argparse.ArgumentParser(
        prog='./x bench hot_path',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--build', default='build/unordered', metavar='DIR')
    parser.add_argument('--operations', type=int, default=20_000, help='of each kind (20000)')
    parser.add_argument('--least', type=float, default=3, help='instructions per operation (3)')
    settings = parser.parse_args()
    if not shutil.which('valgrind'):
        parser.error('valgrind is not installed')
    lone = hot_functions(settings, 1)
    hot = sorted(lone) + sorted(hot_functions(settings, 3) - lone)
    with open('cmake/hot_path.ld', 'w') as file:
        file.write(HEAD + ''.join('    *(.text.%s)\n' % name for name in hot) + TAIL)
    print('cmake/hot_path.ld: %d functions' % len(hot))


if __name__ == '__main__':
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    main()
