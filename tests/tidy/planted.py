# SPDX-License-Identifier: Apache-2.0
"""Small trees with a planted violation each: a rule that cannot fire protects nothing. The clean
twin of each shows that the rule leaves good code alone."""
import os
import tempfile

import planted_documents
import planted_locks
import rooms
import rules

HEAD = '// SPDX-License-Identifier: Apache-2.0\n'
HEADER = HEAD + '// Owns a thing.\n#pragma once\n'


def body(lines):
    return 'void long_one() {\n' + '  step();\n' * lines + '}\n'


# (rule, what is planted, path, content, other files there)
FORBIDDEN = [
    (
        'includes',
        'base includes engine',
        'base/a.cc',
        HEAD + '#include "engine/b.h"\n',
        {'engine/b.h': HEADER},
    ),
    (
        'includes',
        'protocol includes cluster',
        'protocol/a.h',
        HEADER + '#include "cluster/b.h"\n',
        {'cluster/b.h': HEADER},
    ),
    (
        'includes',
        'engine includes cluster',
        'engine/a.h',
        HEADER + '#include "cluster/b.h"\n',
        {'cluster/b.h': HEADER},
    ),
    (
        'includes',
        'cluster includes protocol',
        'cluster/a.h',
        HEADER + '#include "protocol/b.h"\n',
        {'protocol/b.h': HEADER},
    ),
    (
        'includes',
        'cluster includes server',
        'cluster/a.h',
        HEADER + '#include "server/net/b.h"\n',
        {'server/net/b.h': HEADER},
    ),
    (
        'includes',
        'server includes tests',
        'server/net/a.h',
        HEADER + '#include "tests/b.h"\n',
        {'tests/b.h': HEADER},
    ),
    ('includes', 'an include of nothing', 'base/a.cc', HEAD + '#include "base/gone.h"\n', {}),
    (
        'includes',
        'an include by its bare name',
        'base/a.cc',
        HEAD + '#include "b.h"\n',
        {'base/b.h': HEADER},
    ),
    ('includes', 'Asio in engine', 'engine/a.cc', HEAD + '#include <boost/asio.hpp>\n', {}),
    (
        'includes',
        'Beast in tests of the engine',
        'tests/engine/a.cc',
        HEAD + '#include <boost/beast/http.hpp>\n',
        {},
    ),
    ('includes', 'fmt in cluster', 'cluster/a.cc', HEAD + '#include <fmt/format.h>\n', {}),
    (
        'includes',
        'a system header in protocol',
        'protocol/a.cc',
        HEAD + '#include <unistd.h>\n',
        {},
    ),
    ('includes', 'xxhash beside base/hash.h', 'base/other.h', HEADER + '#include <xxhash.h>\n', {}),
    (
        'includes',
        'LevelDB beside its own files',
        'engine/other.cc',
        HEAD + '#include <leveldb/db.h>\n',
        {},
    ),
    ('file_length', '501 lines', 'base/a.cc', HEAD + '//\n' * 500, {}),
    ('function_length', 'a body of 71 lines', 'base/a.cc', HEAD + body(69), {}),
    (
        'function_length',
        'a long constructor with braced initialisers',
        'base/a.cc',
        HEAD + 'Thing::Thing(int a) : a_{a}, b_{1} {\n' + '  step();\n' * 80 + '}\n',
        {},
    ),
    (
        'function_length',
        'a long method in a class template',
        'base/a.h',
        HEADER
        + 'template <class T>\nclass A {\n public:\n  T f() const noexcept {\n'
        + '    f();\n' * 80
        + '  }\n};\n',
        {},
    ),
    (
        'function_length',
        'a long test',
        'tests/base/a_test.cc',
        HEAD + 'TEST(A, B) {\n' + '  step();\n' * 80 + '}\n',
        {},
    ),
    (
        'parameters',
        'five parameters',
        'base/a.cc',
        HEAD + 'void f(int a, int b, int c, int d, int e) {}\n',
        {},
    ),
    (
        'parameters',
        'five in a method over two lines',
        'base/a.h',
        HEADER
        + 'class A {\n  Map<int, int> f(Map<K, V> a, int b,\n'
        '    int c, int d, int e) const {\n  }\n};\n',
        {},
    ),
    (
        'purity',
        'a clock in cluster',
        'cluster/a.cc',
        HEAD + 'auto t = std::chrono::steady_clock::now();\n',
        {},
    ),
    (
        'purity',
        'the time in protocol',
        'protocol/a.cc',
        HEAD + 'long f() { return time(nullptr); }\n',
        {},
    ),
    ('purity', 'a thread', 'cluster/a.cc', HEAD + 'void f() { std::thread t; }\n', {}),
    ('purity', 'sleep', 'cluster/a.cc', HEAD + 'void f() { sleep(1); }\n', {}),
    ('purity', 'random_device', 'cluster/a.cc', HEAD + 'void f() { std::random_device r; }\n', {}),
    ('purity', 'asio', 'protocol/a.h', HEADER + 'void f(asio::io_context& c);\n', {}),
    (
        'purity',
        'an unordered map',
        'cluster/a.h',
        HEADER + 'struct A {\n  std::unordered_map<int, int> m_;\n};\n',
        {},
    ),
    (
        'mutable_globals',
        'a mutable static in a function',
        'cluster/a.cc',
        HEAD + 'int f() {\n  static int calls = 0;\n  return ++calls;\n}\n',
        {},
    ),
    (
        'mutable_globals',
        'a mutable global',
        'cluster/a.cc',
        HEAD + 'namespace kvorum {\nnamespace {\nint calls = 0;\n}  // namespace\n}\n',
        {},
    ),
    (
        'mutable_globals',
        'an inline global in a header',
        'protocol/a.h',
        HEADER + 'namespace a {\ninline std::vector<int> all{1};\n}\n',
        {},
    ),
    ('text_shape', 'a tab', 'base/a.cc', HEAD + '\tint a;\n', {}),
    ('text_shape', 'a line of 101 columns', 'base/a.cc', HEAD + '// ' + 'x' * 98 + '\n', {}),
    ('text_shape', 'white space at the end', 'tests/a.py', '# ' + rules.SPDX + '\na = 1 \n', {}),
    ('text_shape', 'no newline at the end', 'base/a.cc', HEAD + 'int a;', {}),
    ('licence', 'no licence in C++', 'base/a.cc', 'int a;\n', {}),
    ('licence', 'no licence in Python', 'bench/a.py', '#!/usr/bin/env python3\nimport os\n', {}),
    ('licence', 'no licence in CMake', 'base/CMakeLists.txt', 'kvorum_library(base)\n', {}),
    ('headers', 'no pragma', 'base/a.h', HEAD + '// Owns a thing.\n', {}),
    (
        'headers',
        'no opening comment',
        'base/a.h',
        HEAD + '#pragma once\n\n#include <map>\nstruct A {};\n',
        {},
    ),
    ('names', 'a banned file name', 'base/string_util.cc', HEAD, {}),
    ('names', 'a banned snake word', 'base/a.cc', HEAD + 'int tmp_size = 0;\n', {}),
    ('names', 'a banned camel word', 'base/a.h', HEADER + 'class NodeMgr {};\n', {}),
    ('names', 'a banned member', 'base/a.h', HEADER + 'struct A {\n  int ctx_;\n};\n', {}),
    ('names', 'a banned word in Python', 'tests/a.py', '# ' + rules.SPDX + '\ncfg = 1\n', {}),
    ('machine_paths', 'a work folder', 'docs/a.md', 'see /' + 'work/main\n', {}),
    ('machine_paths', 'a home folder', 'base/a.cc', HEAD + '// /' + 'root/x\n', {}),
    ('mirrors', 'a test of nothing', 'tests/base/a_test.cc', HEAD, {}),
    ('mirrors', 'a test of another folder', 'tests/base/a_test.cc', HEAD, {'engine/a.cc': HEAD}),
    (
        'mirrors',
        'a test in another room',
        'tests/engine/tree/a_test.cc',
        HEAD,
        {'engine/table/a.cc': HEAD},
    ),
    (
        'rooms',
        'an upward include',
        'engine/store/a.h',
        HEADER + '#include "engine/table/b.h"\n',
        {'engine/table/b.h': HEADER},
    ),
    ('rooms', 'a source outside of the rooms', 'engine/a.h', HEADER, {}),
    ('rooms', 'an unknown room', 'engine/attic/a.h', HEADER, {}),
    (
        'rooms',
        'too many files in a room',
        'engine/tree/z.h',
        HEADER,
        {'engine/tree/a%d.h' % number: HEADER for number in range(rooms.FILES_MAX)},
    ),
    (
        'tested',
        'a room that no test program has',
        'tests/engine/tree/a_test.cc',
        HEAD,
        {'tests/engine/CMakeLists.txt': 'kvorum_test(engine ROOMS store trees)\n'},
    ),
    (
        'mirrors',
        'a stale exception',
        'tests/tidy/unmirrored.txt',
        'tests/base/gone_test.cc why\n',
        {},
    ),
]

ALLOWED = [
    (
        'includes',
        'downward includes',
        'cluster/a.h',
        HEADER
        + '#include <map>\n#include "base/b.h"\n#include "engine/c.h"\n#include "cluster/a.h"\n',
        {'base/b.h': HEADER, 'engine/c.h': HEADER},
    ),
    (
        'includes',
        'what each folder owns',
        'engine/store/leveldb_store.cc',
        HEAD + '#include <leveldb/db.h>\n#include <unistd.h>\n',
        {'base/hash.h': HEADER + '#include <xxhash.h>\n'},
    ),
    (
        'includes',
        'Asio in server/net',
        'server/net/a.cc',
        HEAD + '#include <boost/asio/ip/tcp.hpp>\n',
        {},
    ),
    ('file_length', '500 lines', 'base/a.cc', HEAD + '//\n' * 499, {}),
    (
        'function_length',
        'a body of 70 lines in a long class',
        'base/a.h',
        HEADER + 'class A {\n' + '  int f() { return 1; }\n' * 90 + '};\n' + body(68),
        {},
    ),
    (
        'function_length',
        'a long table',
        'base/a.cc',
        HEAD + 'constexpr int kAll[] = {\n' + '    1,\n' * 90 + '};\n',
        {},
    ),
    (
        'parameters',
        'four, with commas inside',
        'base/a.cc',
        HEAD + 'template <class A, class B, class C, class D, class E>\n'
        'void f(Map<A, B, C> a, Fn<int(int, int)> b = {1, 2}, int c, int d) {}\n',
        {},
    ),
    (
        'parameters',
        'an excused function',
        'base/a.cc',
        HEAD + '// tidy-allow: parameters an interface of the library\n'
        'void f(int a, int b, int c, int d, int e) {}\n',
        {},
    ),
    (
        'purity',
        'forbidden words in comments and texts',
        'cluster/a.cc',
        HEAD + '// std::thread and sleep(1)\nconst char* kText = "steady_clock std::mutex asio";\n',
        {},
    ),
    (
        'purity',
        'a clock outside the pure folders',
        'server/net/a.cc',
        HEAD + 'auto t = std::chrono::steady_clock::now();\n',
        {},
    ),
    (
        'purity',
        'an unordered map that says why',
        'cluster/a.h',
        HEADER
        + 'struct A {\n'
        '  std::unordered_map<int, int> m_;  // order not shown: looked up only\n};\n',
        {},
    ),
    (
        'mutable_globals',
        'constants, types, functions and members',
        'cluster/a.cc',
        HEAD + 'namespace kvorum {\nusing A = int;\nclass Later;\nconstexpr int kOne = 1;\n'
        'const char* const kText = "a";\nstatic int f(int a);\nint g() { return 1; }\n'
        'enum class E { kA, kB };\nstruct S {\n  int a = 0;\n'
        '  static S make();\n  static constexpr int kTwo = 2;\n};\n'
        'template <class T>\nstruct V {\n  T v{};\n};\nbool operator==(S, S);\n'
        'int h(int a) {\n  int b = a;\n  static const int kThree = 3;\n'
        '  return b + kThree;\n}\n}  // namespace kvorum\n',
        {},
    ),
    ('text_shape', 'a line of 100 columns', 'base/a.cc', HEAD + '// ' + 'x' * 97 + '\n', {}),
    (
        'licence',
        'after the interpreter',
        'tests/a.py',
        '#!/usr/bin/env python3\n# ' + rules.SPDX + '\n',
        {},
    ),
    ('headers', 'a good header', 'base/a.h', HEADER, {}),
    (
        'tested',
        'a room among others',
        'tests/engine/tree/a_test.cc',
        HEAD,
        {'tests/engine/CMakeLists.txt': 'kvorum_test(engine ROOMS store tree)\n'},
    ),
    (
        'rooms',
        'a downward include in a full room',
        'engine/commit/z.h',
        HEADER + '#include "engine/table/b.h"\n#include "engine/commit/a1.h"\n',
        {
            'engine/table/b.h': HEADER,
            **{'engine/commit/a%d.h' % number: HEADER for number in range(1, rooms.FILES_MAX)},
        },
    ),
    (
        'mirrors',
        'a test in its room',
        'tests/engine/tree/a_test.cc',
        HEAD,
        {'engine/tree/a.h': HEADER},
    ),
    (
        'names',
        'words in comments, texts, std and longer words',
        'base/a.cc',
        HEAD + '// a tmp util\nconst char* kText = "cfg mgr";\nusing T = std::common_type_t<int>;\n'
        'int utility = required + commonly;\n',
        {},
    ),
    (
        'machine_paths',
        'paths that every machine has',
        'docs/a.md',
        'see /etc/hosts, docs/' + 'work/a and /workspace\n',
        {},
    ),
    (
        'mirrors',
        'a mirrored test and a listed scenario',
        'tests/base/a_test.cc',
        HEAD,
        {
            'base/a.h': HEADER,
            'tests/base/story_test.cc': HEAD,
            'tests/tidy/unmirrored.txt': '# why\ntests/base/story_test.cc a scenario\n',
        },
    ),
]


def found_in(rule_name, files):
    with tempfile.TemporaryDirectory() as root:
        for path, content in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as file:
                file.write(content)
        rule = next(rule for rule in rules.RULES if rule.__name__ == rule_name)
        return list(rules.violations(rule, rules.Tree(root)))


def outcomes():
    """(case, '' or what is wrong about how the rule took it) of every planted tree."""
    proven = set()
    forbidden = FORBIDDEN + planted_documents.FORBIDDEN + planted_locks.FORBIDDEN
    for rule, name, path, content, others in forbidden:
        found = found_in(rule, {path: content, **others})
        hit = any(line.startswith(path + ':') for line in found)
        proven.add(rule)
        yield '%s: %s' % (rule, name), '' if hit else 'not noticed'
    allowed = ALLOWED + planted_documents.ALLOWED + planted_locks.ALLOWED
    for rule, name, path, content, others in allowed:
        found = found_in(rule, {path: content, **others})
        yield '%s: %s' % (rule, name), '; '.join(found)
    unproven = {rule.__name__ for rule in rules.RULES} - proven
    yield 'every rule has a planted violation', ' '.join(sorted(unproven))
