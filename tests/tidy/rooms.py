# SPDX-License-Identifier: Apache-2.0
"""The rooms of a folder: which there are, in which order they include each other, how large one may
be. A folder that stands in ROOMS keeps all its sources in rooms. docs/ARCHITECTURE.md says what
each is for."""
import os
import re

# Each room may include itself and those before it.
ROOMS = {
    'engine': ('store', 'journal', 'index', 'tree', 'partition', 'table', 'commit'),
    'cluster': (
        'version',
        'spread',
        'ring',
        'history',
        'wire',
        'health',
        'frontier',
        'copies',
        'own',
        'machine',
        'request',
        'put',
        'keyspace',
        'upkeep',
        'repair',
        'membership',
        'coordinator',
    ),
    'server': (
        'config',
        'process',
        'flow',
        'net',
        'access',
        'membership',
        'status',
        'logbook',
        'lua',
        'commands',
        'settings',
        'families',
        'strings',
        'keys',
        'slots',
        'memcached',
        'connection',
        'pubsub',
        'tracking',
        'transaction',
        'script',
        'eval',
        'dispatch',
        'clients',
        'peers',
        'admin',
        'storage',
        'node',
        'dev',
        'cli',
    ),
}
FILES_MAX = 20
INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')


def room_of(path):
    """(folder, room) of a source, or None where its folder has no rooms; a room is '' outside."""
    parts = path.split('/')
    if parts[0] not in ROOMS or len(parts) < 2:
        return None
    return parts[0], parts[1] if len(parts) > 2 else ''


def upward(path, name):
    """What is wrong about a source that includes this, or ''."""
    own, other = room_of(path), room_of(name)
    if own is None or other is None or own[0] != other[0] or own[1] == other[1]:
        return ''
    order = ROOMS[own[0]]
    if own[1] not in order or other[1] not in order:
        return ''
    if order.index(other[1]) < order.index(own[1]):
        return ''
    return '%s/%s/ stands below %s/: %s' % (*own, other[1], name)


def rooms(tree):
    """A folder's sources stand in its rooms, at most 20 in one, and include downwards."""
    files = {}
    for path in tree.cxx():
        place = room_of(path)
        if place is None:
            continue
        if place[1] not in ROOMS[place[0]]:
            yield path, 1, '%s/ has no room %r' % place
            continue
        files.setdefault(place, []).append(path)
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            match = INCLUDE.match(line)
            trouble = match and upward(path, match.group(1))
            if trouble:
                yield path, number, trouble
    for (folder, room), paths in files.items():
        if len(paths) > FILES_MAX:
            yield sorted(paths)[-1], 1, '%s/%s/ has %d files, at most %d' % (
                folder,
                room,
                len(paths),
                FILES_MAX,
            )


def mirror_of(test):
    """Where the source of a test in a room stands: engine/tree/a for tests/engine/tree/a_test.cc;
    None for a test of a folder without rooms."""
    path = test[len('tests/') :]
    if room_of(path) is None:
        return None
    return os.path.splitext(path)[0][: -len('_test')]


def tested(tree):
    """Tests in a room are built: the CMakeLists.txt of their folder names the room."""
    for path in tree.cxx('tests'):
        place = room_of(path[len('tests/') :])
        if place is None or not place[1]:
            continue
        build = 'tests/%s/CMakeLists.txt' % place[0]
        known = build in tree.paths and re.search(r'\b%s\b' % place[1], tree.text(build))
        if not known:
            yield path, 1, 'no test program has the room %s: see %s' % (place[1], build)
