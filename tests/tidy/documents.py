# SPDX-License-Identifier: Apache-2.0
"""What documents say of the tree has to be there: links and their anchors, paths and names of files
in code spans. docs/ARCHITECTURE.md stays short and has a row for each room. Reads Markdown just
well enough for that: code blocks are fenced, or indented by four behind an empty line."""
import fnmatch
import os
import posixpath
import re

import rooms

ARCHITECTURE = 'docs/ARCHITECTURE.md'
ARCHITECTURE_WORDS_MAX = 2500
PROSE_COLUMNS_MAX = 100
TOP_FOLDERS = (
    'base',
    'bench',
    'cluster',
    'cmake',
    'conf',
    'docker',
    'docs',
    'engine',
    'protocol',
    'server',
    'tests',
)
GENERATED = 'do not edit'  # in the first lines
LINK = re.compile(r'\]\(\s*([^)\s]+)(?:\s+"[^"]*")?\s*\)')
REFERENCE = re.compile(r'(?m)^ {0,3}\[[^\]]+\]:\s*(\S+)\s*$')
ELSEWHERE = re.compile(r'(https?|mailto):')
CODE_SPAN = re.compile(r'(?<!`)(`+)(?!`)((?:(?!\n[ \t]*\n).)+?)(?<!`)\1(?!`)', re.DOTALL)
SOURCE_NAME = re.compile(r'[\w.*-]+\.(h|cc|py)')
HEADING = re.compile(r'#{1,6}\s+(.*?)\s*#*$')


def documents_of(tree):
    """README.md and docs/*.md."""
    return [
        path for path in tree.paths if re.fullmatch(r'README\.md|docs/[^/]+\.md', path) is not None
    ]


def without_code_blocks(text):
    """The text with code blocks blanked; lines stay."""
    kept, fence, before = [], '', 'empty'
    for line in text.splitlines():
        mark = re.match(r' {0,3}(```+|~~~+)', line)
        if fence:
            kept.append('')
            if mark and line.strip() == fence:
                fence = ''
            continue
        if mark:
            fence, before = mark.group(1), 'code'
            kept.append('')
        elif line.startswith('    ') and before in ('empty', 'code'):
            before = 'code'
            kept.append('')
        else:
            before = 'text' if line.strip() else 'code' if before == 'code' else 'empty'
            kept.append(line)
    return '\n'.join(kept)


def without_code_spans(text):
    return CODE_SPAN.sub(lambda match: re.sub(r'[^\n]', ' ', match.group()), text)


def slug_of(heading):
    """GitHub's: the words as shown, in small letters, without punctuation."""
    shown = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).replace('`', '')
    return re.sub(r'[^\w\- ]', '', shown.lower()).replace(' ', '-')


def anchors_of(text):
    """The anchors of a document's headings; one that is there already gets a number."""
    anchors, seen = set(), {}
    for line in without_code_blocks(text).splitlines():
        match = HEADING.match(line)
        if match:
            slug = slug_of(match.group(1))
            number = seen.get(slug, 0)
            seen[slug] = number + 1
            anchors.add('%s-%d' % (slug, number) if number else slug)
    return anchors


def folders_of(tree):
    found = set()
    for path in tree.paths:
        while '/' in path:
            path = path.rsplit('/', 1)[0]
            found.add(path)
    return found


def alternatives(pattern):
    """a.{h,cc} is a.h and a.cc; <name> stands for any."""
    pattern = re.sub(r'<[^<>]*>', '*', pattern)
    match = re.search(r'\{([^{}]*)\}', pattern)
    if not match:
        return [pattern]
    return [
        one
        for choice in match.group(1).split(',')
        for one in alternatives(pattern[: match.start()] + choice + pattern[match.end() :])
    ]


def is_there(name, names):
    """One of the names, or a glob that one of them matches."""
    if '*' not in name:
        return name in names
    return any(fnmatch.fnmatchcase(one, name) for one in names)


def link_trouble(tree, document, target, folders):
    """What is wrong with a link, or ''."""
    if ELSEWHERE.match(target):
        return ''
    file, _, anchor = target.partition('#')
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), file))
    path = path if file else document
    if path not in tree.paths and path not in folders:
        return 'a link to nothing: ' + target
    if anchor and (path not in tree.paths or anchor not in anchors_of(tree.text(path))):
        return 'a link to no heading: ' + target
    return ''


def links(tree):
    """Each link leads to a file of the tree, and its anchor to a heading there."""
    folders = folders_of(tree)
    for path in documents_of(tree):
        text = without_code_spans(without_code_blocks(tree.text(path)))
        for pattern in (LINK, REFERENCE):
            for match in pattern.finditer(text):
                trouble = link_trouble(tree, path, match.group(1).strip('<>'), folders)
                if trouble:
                    yield path, text.count('\n', 0, match.start()) + 1, trouble


def code_spans(tree):
    """What looks like a path or a source in a code span is there."""
    stems = {os.path.splitext(path)[0] for path in tree.paths}
    places = stems | set(tree.paths) | folders_of(tree)
    sources = {os.path.basename(path) for path in tree.paths}
    for path in documents_of(tree):
        text = without_code_blocks(tree.text(path))
        for match in CODE_SPAN.finditer(text):
            for name in alternatives((match.group(2).split() or [''])[0]):
                if '/' in name and name.split('/')[0] in TOP_FOLDERS:
                    found = is_there(name.rstrip('/'), places)
                else:
                    found = not SOURCE_NAME.fullmatch(name) or is_there(name, sources)
                if not found:
                    yield path, text.count('\n', 0, match.start()) + 1, 'there is no ' + name


def prose_columns(tree):
    """A line of prose has at most 100 columns; tables and code may have more."""
    for path in documents_of(tree):
        text = tree.text(path)
        if GENERATED in '\n'.join(text.splitlines()[:4]):
            continue
        for number, line in enumerate(without_code_blocks(text).splitlines(), 1):
            may_be_long = line.startswith('|') or 'http' in line or ' ' not in line.strip()
            if len(line) > PROSE_COLUMNS_MAX and not may_be_long:
                yield path, number, '%d columns, at most %d' % (len(line), PROSE_COLUMNS_MAX)


def architecture(tree):
    """docs/ARCHITECTURE.md is one page, and tells of each room in a row of its own."""
    if ARCHITECTURE not in tree.paths:
        return
    text = tree.text(ARCHITECTURE)
    words = len(text.split())
    if words > ARCHITECTURE_WORDS_MAX:
        yield ARCHITECTURE, 1, '%d words, at most %d' % (words, ARCHITECTURE_WORDS_MAX)
    rows = set(re.findall(r'(?m)^\|\s*`(\w+/\w+)/?`\s*\|\s*[^|\s]', text))
    for folder, names in rooms.ROOMS.items():
        for room in names:
            if '%s/%s' % (folder, room) not in rows:
                yield ARCHITECTURE, 1, 'no row for the room %s/%s/' % (folder, room)


RULES = [links, code_spans, prose_columns, architecture]
