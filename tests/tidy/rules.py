# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/DEVELOPING.md that a machine can check. Each takes the tree and yields
(path, line, what is wrong). A line, or the one above it, may excuse itself with
`tidy-allow: <rule> <reason>` in a comment."""
import io
import os
import re
import subprocess
import tokenize

import documents
import locks
import rooms
import scan

LAYERS = {
    'base': {'base'},
    'protocol': {'base', 'protocol'},
    'engine': {'base', 'engine'},
    'cluster': {'base', 'engine', 'cluster'},
    'server': {'base', 'protocol', 'engine', 'cluster', 'server'},
    'bench': {'base', 'protocol', 'engine', 'cluster', 'server', 'bench'},
    'tests': {'base', 'protocol', 'engine', 'cluster', 'server', 'bench', 'tests'},
}
PURE = ('cluster', 'protocol')
# Headers of no library's own: what else may be included, and by whom.
THIRD_PARTY = {
    'base': {'base/hash.h': r'xxhash\.h', 'base/packed.cc': r'snappy\.h'},
    'protocol': {},
    'cluster': {},
    'engine': {
        'engine/index/slot_word.h': r'emmintrin\.h',
        **{
            'engine/store/leveldb_%s' % name: r'leveldb/.*'
            for name in ('store.h', 'store.cc', 'env.h', 'env.cc', 'salvage.h', 'salvage.cc')
        },
    },
}
POSIX = re.compile(
    r'(sys|netinet|arpa|linux)/[\w.]+|(unistd|fcntl|errno|signal|poll|pthread|sched|'
    r'dirent|immintrin|x86intrin|arm_neon)\.h'
)
ASIO = re.compile(r'boost/(asio|beast)|^asio')
ASIO_FOLDERS = tuple(
    '%sserver/%s/' % (top, room)
    for top in ('', 'tests/')
    for room in ('net', 'access', 'clients', 'peers', 'admin', 'node', 'dev', 'cli')
)

FILE_LINES_MAX, FILE_LINES_WISHED, FUNCTION_LINES_MAX, PARAMETERS_MAX, COLUMNS_MAX = (
    500,
    350,
    70,
    4,
    100,
)

PURE_BANNED = [
    (r'\basio\b', 'Asio'),
    (
        r'\b(system|steady|high_resolution|utc|file)_clock\b|\bclock_gettime\b|\bgettimeofday\b'
        r'|\btime\s*\(\s*(nullptr|NULL|0)\s*\)',
        'a clock (time is an input)',
    ),
    (r'\bstd::(jthread|thread|async|condition_variable|this_thread)\b', 'a thread'),
    (r'\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(', 'sleep'),
    (r'\brandom_device\b|\bs?rand\s*\(|\bgetrandom\b', 'randomness (a seeded Rng is given)'),
    (r'\bthread_local\b', 'thread_local state'),
]
UNORDERED = re.compile(r'\bunordered_(flat_|node_)?(multi)?(map|set)\b|\bflat_hash_(map|set)\b')
BANNED_WORDS = {'cfg', 'mgr', 'ctx', 'req', 'tmp', 'util', 'utils', 'helper', 'helpers', 'common'}
MACHINE_PATHS = re.compile(r'(?<![\w.])/' + r'(work|root)/|/tmp/' + 'bash_jobs')
SPDX = 'SPDX-License-Identifier: Apache-2.0'


class Tree:
    """The files of a checkout, read once."""

    def __init__(self, root):
        self.root = root
        self.paths = sorted(
            path for path in self._list() if os.path.isfile(os.path.join(root, path))
        )
        self._texts, self._codes = {}, {}

    def _list(self):
        listed = subprocess.run(
            ['git', 'ls-files', '-co', '--exclude-standard'],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if os.path.exists(os.path.join(self.root, '.git')) and listed.returncode == 0:
            return set(listed.stdout.splitlines())
        found = set()
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in ('build', '.git', '__pycache__')]
            found.update(os.path.relpath(os.path.join(folder, name), self.root) for name in files)
        return found

    def text(self, path):
        if path not in self._texts:
            with open(os.path.join(self.root, path), 'rb') as file:
                content = file.read()
            self._texts[path] = '' if b'\0' in content else content.decode('utf-8', 'replace')
        return self._texts[path]

    def code(self, path):
        if path not in self._codes:
            self._codes[path] = scan.code_of(self.text(path))
        return self._codes[path]

    def cxx(self, *folders):
        return [
            path
            for path in self.paths
            if path.endswith(('.h', '.cc')) and (not folders or path.split('/')[0] in folders)
        ]

    def ours(self):
        """What people wrote and a compiler or an interpreter reads."""
        return [
            path
            for path in self.paths
            if path.endswith(('.h', '.cc', '.py', '.cmake', '.sh'))
            or os.path.basename(path) == 'CMakeLists.txt'
            or path in ('x', '.ci/run')
        ]


def line_at(text, at):
    return text.count('\n', 0, at) + 1


def includes(tree):
    """Each folder includes only what stands below it, and no library that is not its own."""
    for path in tree.cxx():
        folder = path.split('/')[0]
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not match:
                continue
            trouble = include_trouble(tree, path, folder, match.group(1) == '"', match.group(2))
            if trouble:
                yield path, number, trouble


def include_trouble(tree, path, folder, quoted, name):
    if ASIO.match(name) and not path.startswith(ASIO_FOLDERS):
        return 'Asio and Beast belong to server/: ' + name
    target = name.split('/')[0]
    if target in LAYERS and '/' in name:
        if folder in LAYERS and target not in LAYERS[folder]:
            return '%s/ may not include %s/: %s' % (folder, target, name)
        generated = not os.path.exists(os.path.join(tree.root, name)) and folder == 'server'
        return '' if generated or name in tree.paths else 'there is no ' + name
    if quoted:
        return '' if folder in ('server', 'tests', 'bench') else 'not a path from the root: ' + name
    if folder not in THIRD_PARTY or '.' not in name and '/' not in name:
        return ''
    if POSIX.fullmatch(name) and folder not in PURE:
        return ''
    allowed = THIRD_PARTY[folder].get(path)
    return '' if allowed and re.fullmatch(allowed, name) else 'no third-party header here: ' + name


def file_length(tree):
    """A file has at most 500 lines, and better about 350."""
    for path in tree.ours():
        lines = tree.text(path).count('\n')
        if lines > FILE_LINES_MAX:
            yield path, lines, 'the file has %d lines, at most %d' % (lines, FILE_LINES_MAX)


def file_length_wishes(tree):
    for path in tree.ours():
        lines = tree.text(path).count('\n')
        if FILE_LINES_WISHED < lines <= FILE_LINES_MAX:
            yield path, lines, 'the file has %d lines; about %d are wished' % (
                lines,
                FILE_LINES_WISHED,
            )


def function_length(tree):
    """A function's body has at most 70 lines."""
    for path in tree.cxx():
        code = tree.code(path)
        for block in scan.functions_of(code):
            lines = block.lines(code)
            if lines > FUNCTION_LINES_MAX:
                name = scan.name_and_parameters(block.head)
                yield path, line_at(
                    code, block.start
                ), 'the function %s has %d lines, at most %d' % (
                    name[0] if name else block.head[-40:],
                    lines,
                    FUNCTION_LINES_MAX,
                )


def parameters(tree):
    """A function has at most four parameters."""
    for path in tree.cxx():
        code = tree.code(path)
        for block in scan.functions_of(code):
            found = scan.name_and_parameters(block.head)
            if found and found[1] > PARAMETERS_MAX:
                yield path, line_at(
                    code, block.start
                ), 'the function %s has %d parameters, at most %d' % (
                    found[0],
                    found[1],
                    PARAMETERS_MAX,
                )


def purity(tree):
    """cluster/ and protocol/ hold no clock, thread, randomness, global or visible hash order."""
    for path in tree.cxx(*PURE):
        raw = tree.text(path).splitlines()
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            if line.lstrip().startswith('#'):
                continue
            for pattern, what in PURE_BANNED:
                if re.search(pattern, line):
                    yield path, number, 'holds %s' % what
            nearby = ' '.join(raw[max(number - 2, 0) : number])
            if UNORDERED.search(line) and not re.search(r'// order not shown: \w', nearby):
                yield path, number, 'an unordered container without `// order not shown: reason`'


def mutable_globals(tree):
    """cluster/ and protocol/ have no mutable globals, neither in a namespace nor static."""
    constant = re.compile(
        r'\b(constexpr|const|constinit const|static_assert|using|typedef|friend|'
        r'extern template|concept|operator)\b'
    )
    for path in tree.cxx(*PURE):
        code = scan.without_directives(tree.code(path))
        for match in re.finditer(r'(?m)^\s*(?:inline\s+)?static\s+([^;{=]*)', code):
            declared = match.group(1)
            if '(' not in declared and not constant.search(match.group(0)):
                yield path, line_at(code, match.start(1)), 'a mutable static'
        for number, statement in scan.namespace_statements(code):
            declaration = re.match(
                r'(?:inline\s+|static\s+)*[\w:<>,\s*&]+?[\s*&>]\w+(?:\[\w*\])*\s*(=|\{|$)',
                statement,
            )
            starts_otherwise = re.match(
                r'(template|class|struct|enum|union|extern|namespace|\})', statement
            )
            if declaration and not starts_otherwise and not constant.search(statement):
                yield path, number, 'a mutable global: ' + statement[:60]


def text_shape(tree):
    """No tabs, no spaces at line ends, no line over 100 columns, a newline at the end."""
    for path in tree.ours():
        text = tree.text(path)
        for number, line in enumerate(text.splitlines(), 1):
            if '\t' in line:
                yield path, number, 'a tab'
            if line != line.rstrip():
                yield path, number, 'white space at the end of the line'
            if len(line) > COLUMNS_MAX and 'http' not in line and path != 'x':
                yield path, number, '%d columns, at most %d' % (len(line), COLUMNS_MAX)
        if text and not text.endswith('\n'):
            yield path, text.count('\n') + 1, 'no newline at the end of the file'


def licence(tree):
    """Each source opens with its licence."""
    for path in tree.ours():
        if SPDX not in '\n'.join(tree.text(path).splitlines()[:2]):
            yield path, 1, 'the first line (after #!) is not ' + SPDX


def headers(tree):
    """A header opens with what it owns, and is included once."""
    for path in tree.cxx():
        if path.endswith('.h'):
            lines = tree.text(path).splitlines() + ['', '']
            if '#pragma once' not in lines:
                yield path, 1, 'no #pragma once'
            if not re.match(r'(// \S|#pragma once)', lines[1]) or not any(
                re.match(r'// \S', line) for line in lines[1:5]
            ):
                yield path, 2, 'does not open with a comment that says what it owns'


def words_of(identifier):
    return {word.lower() for word in re.findall(r'[A-Z]?[a-z]+|[A-Z]+(?![a-z])', identifier)}


def identifiers_of(tree, path):
    """(line, identifier) of the code; names that the standard library gave are not ours."""
    if path.endswith('.py'):
        try:
            for token in tokenize.generate_tokens(io.StringIO(tree.text(path)).readline):
                if token.type == tokenize.NAME:
                    yield token.start[0], token.string
        except (tokenize.TokenError, SyntaxError):
            yield 1, 'not_python'
        return
    for number, line in enumerate(tree.code(path).splitlines(), 1):
        if not line.lstrip().startswith('#include'):
            for match in re.finditer(r'((?:\b\w+::)*)\b([A-Za-z_]\w*)', line):
                if not match.group(1).startswith('std::') and not match.group(2).isupper():
                    yield number, match.group(2)


def names(tree):
    """No abbreviations and no empty words in the names of files and of things in them."""
    for path in tree.ours():
        bad = words_of(path) & BANNED_WORDS
        if bad:
            yield path, 1, 'a banned word in the name of the file: ' + ' '.join(sorted(bad))
    for path in tree.ours():
        if path.endswith(('.h', '.cc', '.py')):
            for number, identifier in identifiers_of(tree, path):
                bad = words_of(identifier) & BANNED_WORDS
                if bad:
                    yield path, number, 'a banned word in %s: %s' % (
                        identifier,
                        ' '.join(sorted(bad)),
                    )


def machine_paths(tree):
    """No path of somebody's machine."""
    for path in tree.paths:
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if MACHINE_PATHS.search(line):
                yield path, number, 'a path of one machine: ' + line.strip()[:80]


MIRRORED = {
    'base': ['base'],
    'protocol': ['protocol'],
    'engine': ['engine'],
    'cluster': ['cluster'],
    'server': ['server'],
}
UNMIRRORED_LIST = 'tests/tidy/unmirrored.txt'


def mirrors(tree):
    """tests/<folder>/<stem>_test.cc tests <folder>/<stem>.h or .cc; scenarios are listed. In rooms
    it stands in the room of its source."""
    listed = {}
    if UNMIRRORED_LIST in tree.paths:
        for number, line in enumerate(tree.text(UNMIRRORED_LIST).splitlines(), 1):
            if line.strip() and not line.startswith('#'):
                listed[line.split()[0]] = number
    stems = {
        (path.split('/')[0], os.path.splitext(os.path.basename(path))[0]) for path in tree.cxx()
    }
    for path in tree.cxx('tests'):
        parts = path.split('/')
        if not path.endswith('_test.cc') or parts[1] not in MIRRORED:
            continue
        stem = parts[-1][: -len('_test.cc')]
        source = rooms.mirror_of(path)
        if source is not None:
            mirrored = any(source + ending in tree.paths for ending in ('.h', '.cc'))
        else:
            mirrored = any((folder, stem) in stems for folder in MIRRORED[parts[1]])
        if not mirrored and path not in listed:
            yield path, 1, 'no source named %s in %s/, and not in %s' % (
                stem,
                parts[1],
                UNMIRRORED_LIST,
            )
    for path, number in listed.items():
        if path not in tree.paths:
            yield UNMIRRORED_LIST, number, 'there is no ' + path


RULES = [
    includes,
    rooms.rooms,
    rooms.tested,
    file_length,
    function_length,
    parameters,
    purity,
    mutable_globals,
    text_shape,
    licence,
    headers,
    names,
    machine_paths,
    mirrors,
    *documents.RULES,
    *locks.RULES,
]


def violations(rule, tree):
    """What the rule finds and nobody excused."""
    excuse = re.compile(r'tidy-allow: %s \S' % rule.__name__)
    for path, number, trouble in rule(tree):
        nearby = tree.text(path).splitlines()[max(number - 2, 0) : number]
        if not any(excuse.search(line) for line in nearby):
            yield '%s:%d: %s' % (path, number, trouble)
