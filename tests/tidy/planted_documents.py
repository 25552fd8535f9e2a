# SPDX-License-Identifier: Apache-2.0
"""Planted violations of the rules about documents (documents.py), and what these must leave alone.
In the form of planted.py: (rule, what is planted, path, content, other files there)."""
import documents
import rooms

PAGE = 'docs/PAGE.md'
ROWS = ''.join(
    '| `%s/%s/` | something |\n' % (folder, room)
    for folder, names in rooms.ROOMS.items()
    for room in names
)
LAST_ROW = ROWS.splitlines(True)[-1]

FORBIDDEN = [
    ('links', 'a link to nothing', 'README.md', 'see [it](docs/GONE.md)\n', {}),
    (
        'links',
        'a link that is right from elsewhere only',
        PAGE,
        'see [it](docs/OTHER.md)\n',
        {'docs/OTHER.md': '# A\n'},
    ),
    (
        'links',
        'a heading that another page has',
        PAGE,
        '# Here\n\nsee [it](OTHER.md#here)\n',
        {'docs/OTHER.md': '# There\n'},
    ),
    ('links', 'a heading of the same page', PAGE, '# Here\n\nsee [it](#there)\n', {}),
    ('links', 'a heading in a code block', PAGE, '    # here\n\nsee [it](#here)\n', {}),
    (
        'links',
        'an anchor with punctuation',
        PAGE,
        '## R + W > N, or not\n\nsee [it](#r-+-w->-n,-or-not)\n',
        {},
    ),
    ('links', 'a definition', PAGE, 'see [it][1]\n\n[1]: GONE.md\n', {}),
    ('links', 'a text over two lines', PAGE, 'see [it\nor not](GONE.md)\n', {}),
    ('links', 'a third heading of two', PAGE, '# A\n\n# A\n\n[it](#a-2)\n', {}),
    ('code_spans', 'a file', PAGE, 'in `engine/store/gone.cc`\n', {'engine/store/a.cc': ''}),
    ('code_spans', 'a folder', PAGE, 'in `engine/attic/`\n', {'engine/store/a.cc': ''}),
    ('code_spans', 'a stem', PAGE, 'in `server/node/react`\n', {'server/node/reactor.cc': ''}),
    ('code_spans', 'a glob', PAGE, 'in `engine/store/b_*`\n', {'engine/store/a_b.cc': ''}),
    ('code_spans', 'one of two', PAGE, 'in `base/a.{h,cc}`\n', {'base/a.h': ''}),
    ('code_spans', 'a command', PAGE, '`tests/gone.py --all`\n', {'tests/run.py': ''}),
    ('code_spans', 'a bare name', PAGE, 'in `reap.cc`\n', {'cluster/upkeep/reaper.cc': ''}),
    ('code_spans', 'a span over two lines', PAGE, '`tests/gone.py\n--all`\n', {}),
    ('code_spans', 'a span in a table', 'README.md', '| `gone.py` | what |\n', {}),
    ('prose_columns', 'a long line', PAGE, 'a ' * 50 + 'b\n', {}),
    ('prose_columns', 'a long line of a list', 'README.md', '- ' + 'a ' * 50 + '\n', {}),
    (
        'architecture',
        'too many words',
        documents.ARCHITECTURE,
        ROWS + 'a ' * documents.ARCHITECTURE_WORDS_MAX,
        {},
    ),
    (
        'architecture',
        'a room without a row',
        documents.ARCHITECTURE,
        ROWS.replace(LAST_ROW, ''),
        {},
    ),
    (
        'architecture',
        'a room in the text alone',
        documents.ARCHITECTURE,
        ROWS.replace(LAST_ROW, LAST_ROW.replace('|', '')),
        {},
    ),
    (
        'architecture',
        'an empty row',
        documents.ARCHITECTURE,
        ROWS.replace('something |', '|', 1),
        {},
    ),
]

ALLOWED = [
    (
        'links',
        'files, folders, headings and other places',
        'README.md',
        '# A tour, `in` 60 s\n\n# Two\n\n# Two\n\n[1](docs/B.md) [2](docs/B.md#c-d_e) [3](tests)\n'
        '[4](#a-tour-in-60-s) [5](#two-1) [6](https://a.example/#b) [7](docs/B.md "a title")\n'
        '[over two\nlines](docs/B.md)\n',
        {'docs/B.md': '## [C](https://c.example) D_e!\n', 'tests/a.py': ''},
    ),
    (
        'links',
        'a way up',
        PAGE,
        '[it](../README.md) [it](../base/)\n',
        {'base/a.h': '', 'README.md': ''},
    ),
    (
        'links',
        'what is code',
        PAGE,
        'a `[x](gone.md)`\n\n    [x](gone.md)\n\n```\n[x](gone.md)\n```\n',
        {},
    ),
    (
        'code_spans',
        'files, folders, stems, globs and names',
        PAGE,
        '`base/a.h`, `base/`, `base/a`, `base/a*`, `base/{a,b}.h`, `a.h`, `a*.cc`,\n'
        '`tests/<folder>/<stem>_test.cc` and `tests/base/a_test.cc --gtest_filter=A`\n',
        {'base/a.h': '', 'base/b.h': '', 'tests/base/a_test.cc': ''},
    ),
    (
        'code_spans',
        'what is no path of the tree',
        PAGE,
        '`build/release/kvorum`, `/livez`, `a/b.h`, `server`, `std.h5`, `KV.GET`, `n/2`, `x.hh`\n\n'
        '    cat base/gone.h `base/gone.h`\n',
        {},
    ),
    (
        'prose_columns',
        'tables, code and addresses',
        PAGE,
        '| ' + 'a ' * 60 + '|\n\n    ' + 'a ' * 60 + '\n\nsee https://a.example/' + 'a' * 90 + '\n'
        + 'a' * 100 + '\n',
        {},
    ),
    (
        'prose_columns',
        'a generated page',
        PAGE,
        '# A\n\nMade by a program; do not edit. ' + 'a ' * 60 + '\n',
        {},
    ),
    ('architecture', 'a row for each room', documents.ARCHITECTURE, ROWS, {}),
    ('architecture', 'a tree without that page', PAGE, '# A\n', {}),
]
