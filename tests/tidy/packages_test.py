#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packages.txt against what CMake, the tests and the benches look for: a machine that has a package
by chance must not hide that the list lacks it. What dpkg knows about the tables is checked too."""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What is looked for -> the Debian 12 package that brings it, and a file of it.
FIND_PACKAGE = {
    'PkgConfig': ('pkgconf', None),
    'Threads': ('g++', None),  # part of the C library
    'Boost': ('libboost1.81-dev', '/usr/include/boost/asio.hpp'),
    'Boost/json': ('libboost-json1.81-dev', None),
    'leveldb': ('libleveldb-dev', '/usr/include/leveldb/db.h'),
    'Snappy': ('libsnappy-dev', '/usr/include/snappy.h'),
    'CLI11': ('libcli11-dev', '/usr/include/CLI/CLI.hpp'),
    'yaml-cpp': ('libyaml-cpp-dev', '/usr/include/yaml-cpp/yaml.h'),
    'fmt': ('libfmt-dev', '/usr/include/fmt/core.h'),
    'spdlog': ('libspdlog-dev', '/usr/include/spdlog/spdlog.h'),
    'OpenSSL': ('libssl-dev', '/usr/include/openssl/ssl.h'),
    'prometheus-cpp': ('prometheus-cpp-dev', '/usr/include/prometheus/registry.h'),
    'GTest': ('libgtest-dev', '/usr/include/gtest/gtest.h'),
    'rapidcheck': ('librapidcheck-dev', '/usr/include/rapidcheck.h'),
    'benchmark': ('libbenchmark-dev', '/usr/include/benchmark/benchmark.h'),
}
PKG_CONFIG = {
    'libxxhash': ('libxxhash-dev', '/usr/include/xxhash.h'),
    'jemalloc': ('libjemalloc-dev', '/usr/include/jemalloc/jemalloc.h'),
    'hiredis': ('libhiredis-dev', '/usr/include/hiredis/hiredis.h'),
    'lua5.1-c++': ('liblua5.1-0-dev', '/usr/include/lua5.1/lua.hpp'),
    'libsystemd': ('libsystemd-dev', '/usr/include/systemd/sd-daemon.h'),
}
LIBRARIES = {
    'liblua5.1-cjson.a': ('lua-cjson-dev', '/usr/include/lua5.1/lua-cjson.h'),
    'liblua5.1-bitop.a': ('lua-bitop-dev', '/usr/include/lua5.1/lua-bitop.h'),
}
PROGRAMS = {
    'ccache': 'ccache',
    'clang++': 'clang',
    'clang-format': 'clang-format',
    'clang-tidy': 'clang-tidy',
    'redis-server': 'redis-server',
    'redis-cli': 'redis-tools',
    'redis-benchmark': 'redis-tools',
    'memcached': 'memcached',
    'memccapable': 'libmemcached-tools',
    'memcstat': 'libmemcached-tools',
    'memccat': 'libmemcached-tools',
    'memccp': 'libmemcached-tools',
    'memcrm': 'libmemcached-tools',
    'memcping': 'libmemcached-tools',
    'memcaslap': 'libmemcached-tools',
    'memcslap': 'libmemcached-tools',
    'git': 'git',
    'cmake': 'cmake',
    'ctest': 'cmake',
    'ninja': 'ninja-build',
    'g++': 'g++',
    'python3': 'python3',
    'ip': 'iproute2',
    'nm': 'binutils',
    'c++filt': 'binutils',
    'valgrind': 'valgrind',
    'callgrind_annotate': 'valgrind',
    'callgrind_control': 'valgrind',
}
MODULES = {'redis': 'python3-redis', 'pymemcache': 'python3-pymemcache', 'yaml': 'python3-yaml'}
# In every Debian: essential packages, or what they depend on.
ALWAYS_THERE = {
    'taskset',
    'dpkg',
    'dpkg-query',
    'bash',
    'sh',
    'awk',
    'flock',
    'kill',
    'timeout',
    'apt-get',
    'unshare',
    'nsenter',
    'setpriv',
}
# Looked for, used where present, skipped with a notice where not: not installed by us.
OPTIONAL = {
    'tclsh',  # ./x suites
    'perf',
    'buildah',
    'docker',
    'podman',
    'docker-compose',
    'shellcheck',
    'node',
    'npm',
    'sudo',
    'mount',
    'umount',
}


def read_groups():
    groups = {}
    with open(os.path.join(ROOT, 'packages.txt'), encoding='utf-8') as file:
        for line in file:
            fields = line.split()
            if fields and not line.startswith('#'):
                groups.setdefault(fields[0], set()).add(fields[1])
    return groups


def files(endings, *folders):
    for folder in folders:
        for place, folders_here, names in os.walk(os.path.join(ROOT, folder)):
            folders_here[:] = [
                name for name in folders_here if name not in ('build', '.git', 'data')
            ]
            for name in sorted(names):
                if name.endswith(endings):
                    with open(os.path.join(place, name), encoding='utf-8') as file:
                        yield os.path.relpath(os.path.join(place, name), ROOT), file.read()


def wanted_by_cmake():
    """(where, what, package or None, whether only the tests want it)."""
    for path, text in files(('CMakeLists.txt', '.cmake'), '.'):
        text = re.sub(r'#.*', '', text)
        tests_at = re.compile(r'if\(KVORUM_BUILD_TESTS\)(.*?)endif\(\)', re.DOTALL)
        for_tests = ' '.join(tests_at.findall(text)) if not path.startswith('tests') else text
        for call, arguments in re.findall(
            r'\b(find_package|pkg_check_modules|find_library|find_program)\s*\(([^)]*)\)', text
        ):
            words = arguments.split()
            in_tests = arguments in for_tests
            if call == 'find_package':
                yield path, words[0], FIND_PACKAGE.get(words[0], (None,))[0], in_tests
                if words[0] == 'Boost' and 'COMPONENTS' in words:
                    for part in words[words.index('COMPONENTS') + 1 :]:
                        if part not in ('headers', 'REQUIRED'):
                            yield path, 'Boost/' + part, FIND_PACKAGE.get('Boost/' + part, (None,))[
                                0
                            ], in_tests
            elif call == 'pkg_check_modules':
                for word in words[1:]:
                    name = re.split('[<>=]', word)[0]
                    if name not in ('REQUIRED', 'QUIET', 'IMPORTED_TARGET', 'GLOBAL'):
                        yield path, name, PKG_CONFIG.get(name, (None,))[0], in_tests
            elif call == 'find_library':
                yield path, words[1], LIBRARIES.get(words[1], (None,))[0], in_tests
            else:
                for name in words[1:]:
                    if name not in ('NAMES', 'REQUIRED'):
                        yield path, name, PROGRAMS.get(name), in_tests


def wanted_by_python(folder):
    """(where, what, package or None) of programs and modules; '' for what needs no package."""
    here = {os.path.basename(path)[:-3] for path, _ in files('.py', folder)}
    for path, text in files('.py', folder):
        if path == 'tests/tidy/packages_test.py':
            continue
        for name in re.findall(r"which\(\s*['\"]([\w+.-]+)['\"]", text):
            yield path, name, '' if name in ALWAYS_THERE | OPTIONAL else PROGRAMS.get(name)
        started = r"(?:Popen|run|call|check_call|check_output)\(\s*\[\s*['\"]([\w+.-]+)['\"]"
        for name in re.findall(started, text):
            yield path, name, '' if name in ALWAYS_THERE | OPTIONAL else PROGRAMS.get(name)
        for name in re.findall(r'^\s*(?:import|from)\s+(\w+)', text, re.MULTILINE):
            if (
                name not in sys.stdlib_module_names
                and name not in here
                and name not in ('tests', 'bench')
            ):
                yield path, name, MODULES.get(name)


def check_lists():
    """(case, trouble or '')."""
    groups = read_groups()
    run, test = groups['run'], groups['run'] | groups['test']
    seen = set()
    for path, what, package, in_tests in wanted_by_cmake():
        seen.add(package)
        allowed = test if in_tests else run
        yield '%s looks for %s' % (path, what), trouble_of(package, allowed, groups)
    for folder, allowed in (('tests', test), ('bench', test | groups['bench'])):
        for path, what, package in wanted_by_python(folder):
            seen.add(package)
            if package != '':
                yield '%s uses %s' % (path, what), trouble_of(package, allowed, groups)
    missing = {'g++', 'cmake', 'ninja-build', 'pkgconf', 'git', 'python3'} - run
    yield 'the tools themselves are listed', ' '.join(sorted(missing))
    yield 'the scan finds what it is known to find', (
        ''
        if {'libboost1.81-dev', 'libxxhash-dev', 'ccache', 'libgtest-dev', 'libhiredis-dev'} <= seen
        else 'it saw only ' + ' '.join(sorted(filter(None, seen)))
    )


def trouble_of(package, allowed, groups):
    if package is None:
        return 'no package is known for it: see the tables of tests/tidy/packages_test.py'
    if package in allowed:
        return ''
    where = [group for group, names in groups.items() if package in names]
    return 'packages.txt lists %s %s' % (
        package,
        'only for ' + ' '.join(where) if where else 'nowhere',
    )


def check_table():
    """The tables above against dpkg, for what is installed."""
    if not shutil.which('dpkg'):
        return
    tables = (FIND_PACKAGE, PKG_CONFIG, LIBRARIES)
    for package, path in [row for table in tables for row in table.values()]:
        if path and os.path.exists(path):
            owner = subprocess.run(
                ['dpkg', '-S', path], capture_output=True, text=True, check=False
            )
            names = re.split(r'[:,]\s*', owner.stdout)
            yield '%s is of %s' % (
                path,
                package,
            ), '' if package in names else 'dpkg says ' + owner.stdout.strip()


def check_image():
    """The binary, where it is built, needs no shared library that `image` does not bring."""
    binary = sys.argv[1] if len(sys.argv) > 1 else ''
    if not os.path.exists(binary) or not shutil.which('dpkg'):
        return
    listed = subprocess.run(['ldd', binary], capture_output=True, text=True, check=False).stdout
    direct = subprocess.run(
        ['objdump', '-p', binary], capture_output=True, text=True, check=False
    ).stdout
    libraries = dict(re.findall(r'^\s*(\S+) => (/\S+)', listed, re.MULTILINE))
    image = read_groups()['image'] | {'libc6', 'libgcc-s1', 'libstdc++6'}
    for name in re.findall(r'NEEDED\s+(\S+)', direct):
        path = libraries.get(name, '')
        owner = ''
        for candidate in (path, '/usr' + path, os.path.realpath(path)):
            found = subprocess.run(
                ['dpkg', '-S', candidate], capture_output=True, text=True, check=False
            )
            owner = owner or found.stdout.split(':')[0]
        if owner and 'san' not in owner:
            trouble = '' if owner in image else 'not in the group image: ' + owner
            yield 'the image brings ' + name, trouble


def main():
    passed = failed = 0
    for check in (check_lists, check_table, check_image):
        for case, trouble in check():
            if trouble:
                failed += 1
                print('%s: %s' % (case, trouble))
            else:
                passed += 1
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
