# SPDX-License-Identifier: Apache-2.0
"""Planted violations of the rules about locks (locks.py), and what these must leave alone. In the
form of planted.py: (rule, what is planted, path, content, other files there)."""
HEAD = '// SPDX-License-Identifier: Apache-2.0\n'
HEADER = HEAD + '// Owns a thing.\n#pragma once\n'


def class_with(members):
    return HEADER + 'class A {\n' + ''.join('  %s\n' % member for member in members) + '};\n'


FORBIDDEN = [
    ('locks', 'a mutex', 'base/a.h', class_with(['mutable std::mutex lock_;']), {}),
    ('locks', 'a shared mutex', 'engine/a.h', class_with(['std::shared_mutex lock_;']), {}),
    ('locks', 'a guard', 'cluster/a.cc', HEAD + 'const std::lock_guard lock(lock_);\n', {}),
    ('locks', 'a guard of a type', 'server/a.cc', HEAD + 'std::lock_guard<SpinLock> l(a);\n', {}),
    ('locks', 'a unique lock', 'server/a.cc', HEAD + 'std::unique_lock lock(lock_);\n', {}),
    ('locks', 'a scoped lock', 'protocol/a.cc', HEAD + 'std::scoped_lock lock(a, b);\n', {}),
    ('locks', 'a condition', 'server/a.h', class_with(['std::condition_variable wake_;']), {}),
    ('locks', 'a base of a library', 'server/a.h', HEADER + 'class A : B<std::mutex> {};\n', {}),
    ('guarded', 'a mutex of nothing', 'server/a.h', class_with(['Mutex lock_;', 'int a_;']), {}),
    (
        'guarded',
        'a spin lock of nothing',
        'engine/a.h',
        class_with(['// Of a_.', 'mutable SpinLock lock_;', 'int a_;']),
        {},
    ),
    (
        'guarded',
        'the second of two',
        'server/a.h',
        class_with(['Mutex lock_;', 'int a_ KVORUM_GUARDED_BY(lock_);', 'Mutex other_lock_;']),
        {},
    ),
    (
        'guarded',
        'what only the comment guards',
        'base/a.h',
        class_with(['SharedMutex lock_;', 'int a_;  // KVORUM_GUARDED_BY(lock_)']),
        {},
    ),
]

ALLOWED = [
    ('locks', 'the wrapper', 'base/mutex.h', class_with(['std::mutex mutex_;']), {}),
    ('locks', 'a test', 'tests/base/a.cc', HEAD + 'std::mutex lock;\n', {}),
    ('locks', 'a comment', 'base/a.cc', HEAD + '// as std::mutex\n', {}),
    (
        'locks',
        'an excused one',
        'server/a.h',
        HEADER + '// tidy-allow: locks of the library\nclass A : B<std::mutex> {};\n',
        {},
    ),
    ('locks', 'ours', 'server/a.cc', HEAD + 'const MutexLock lock(lock_);\n', {}),
    (
        'guarded',
        'a guarded member',
        'server/a.h',
        class_with(['mutable Mutex lock_;', 'int a_ KVORUM_GUARDED_BY(lock_) = 0;']),
        {},
    ),
    (
        'guarded',
        'a function that requires it',
        'base/a.h',
        class_with(['void a() KVORUM_REQUIRES(lock_);', 'SpinLock lock_;']),
        {},
    ),
    ('guarded', 'an order', 'server/a.h', class_with(['Mutex lock_;  // one at a time']), {}),
    ('guarded', 'a reference', 'server/a.h', class_with(['Mutex& lock_;']), {}),
]
