# SPDX-License-Identifier: Apache-2.0
"""Reads our C++ just well enough for the rules: what is code, and where functions begin and end.

It relies on clang-format: a block's brace has white space before it, an initialiser's has a name,
a bracket, `=`, `,` or `return`.
"""
import re

RAW_STRING = re.compile(r'R"([^(\s]*)\(')
BLOCK_WORDS = ('requires', 'noexcept', 'decltype', 'alignas', 'explicit', '__attribute__')


def blank(text):
    return re.sub(r'[^\n]', ' ', text)


def code_of(text):
    """The text with comments and the insides of literals blanked; lines and columns stay."""
    out, at = [], 0
    while at < len(text):
        if text.startswith('//', at):
            end = text.find('\n', at)
            end = len(text) if end < 0 else end
            out.append(blank(text[at:end]))
        elif text.startswith('/*', at):
            end = text.find('*/', at + 2)
            end = len(text) if end < 0 else end + 2
            out.append(blank(text[at:end]))
        elif text[at] == 'R' and RAW_STRING.match(text, at):
            closing = ')' + RAW_STRING.match(text, at).group(1) + '"'
            end = text.find(closing, at)
            end = len(text) if end < 0 else end + len(closing)
            out.append('""' + blank(text[at + 2 : end]))
        elif text[at] == '"' or (text[at] == "'" and not is_digit_separator(text, at)):
            end = end_of_literal(text, at)
            out.append(text[at] + blank(text[at + 1 : end - 1]) + text[at])
        else:
            end = at + 1
            out.append(text[at])
        at = end
    return ''.join(out)


def is_digit_separator(text, at):
    return (
        0 < at < len(text) - 1
        and text[at - 1] in '0123456789abcdefABCDEF'
        and text[at + 1] in '0123456789abcdefABCDEF'
    )


def end_of_literal(text, at):
    end = at + 1
    while end < len(text) and text[end] != text[at] and text[end] != '\n':
        end += 2 if text[end] == '\\' else 1
    return min(end + 1, len(text))


class Block:
    """kind: namespace, type, function, nested (within a function) or initialiser."""

    def __init__(self, kind, head, start, scope):
        self.kind, self.head, self.start, self.scope = kind, head, start, scope
        self.end = None

    def lines(self, code):
        return code.count('\n', self.start, self.end) + 1


def kind_of(head, before, scope, parens):
    if scope in ('function', 'nested'):
        return 'nested'
    last = before.rstrip()[-1:] or ';'
    if parens or last in '=,([' or before.rstrip().endswith('return') or before[-1:] not in ' \n\t':
        return 'initialiser'
    head = re.sub(r'\[\[.*?\]\]', ' ', head).strip()
    if re.search(r'\bnamespace\b|\bextern\s*"', head):
        return 'namespace'
    plain = without_template(head)
    if re.match(
        r'(typedef\s+|static\s+|const\s+)*(class|struct|union|enum)\b', plain
    ) and '(' not in re.sub(r'alignas\s*\([^)]*\)', '', plain):
        return 'type'
    return 'function' if '(' in head else 'nested'


def without_template(head):
    """The head without its leading `template <...>` and requires clause."""
    while True:
        match = re.match(r'\s*template\s*<', head)
        if not match:
            return head.strip()
        depth, at = 1, match.end()
        while at < len(head) and depth:
            depth += {'<': 1, '>': -1}.get(head[at], 0)
            at += 1
        head = head[at:]


def without_directives(code):
    """Preprocessor lines, with their continuations, blanked: macros hold unbalanced pieces."""
    return re.sub(r'(?m)^[ \t]*#(?:.*\\\n)*.*$', lambda match: blank(match.group(0)), code)


def blocks_of(code):
    """Every brace pair of the code outside preprocessor directives, in order of their ends."""
    code = without_directives(code)
    found, open_blocks, head_start, parens = [], [], 0, [0]
    for at, letter in enumerate(code):
        scope = open_blocks[-1].kind if open_blocks else 'namespace'
        if letter == '(':
            parens[-1] += 1
        elif letter == ')':
            parens[-1] -= 1
        elif letter == '{':
            head = code[head_start:at]
            head = re.sub(r'^\s*(public|private|protected)\s*:', '', head)
            block = Block(
                kind_of(head, code[:at][-200:], scope, parens[-1]), head.strip(), at, scope
            )
            open_blocks.append(block)
            parens.append(0)
            if block.kind != 'initialiser':
                head_start = at + 1
        elif letter == '}' and open_blocks:
            block = open_blocks.pop()
            parens.pop()
            block.end = at
            found.append(block)
            if block.kind != 'initialiser':
                head_start = at + 1
        elif letter == ';' and parens[-1] == 0 and scope != 'initialiser':
            head_start = at + 1
    return found


def functions_of(code):
    return [block for block in blocks_of(code) if block.kind == 'function']


def name_and_parameters(head):
    """The function's name and how many parameters its head lists, or None where that is unclear."""
    plain = without_template(re.sub(r'\[\[.*?\]\]', ' ', head))
    if 'operator' in plain or re.match(r'[A-Z][A-Z0-9_]+\s*\(', plain):
        return None
    for _ in range(8):
        plain = re.sub(r'<[^<>]*>', '', plain)
    for match in re.finditer(r'([\w:~]+)\s*\(', plain):
        if match.group(1) not in BLOCK_WORDS:
            return match.group(1), count_parameters(plain, match.end())
    return None


def count_parameters(plain, at):
    depth, commas, seen = 1, 0, ''
    while at < len(plain):
        letter = plain[at]
        depth += {'(': 1, '[': 1, '{': 1, ')': -1, ']': -1, '}': -1}.get(letter, 0)
        if depth == 0:
            break
        commas += letter == ',' and depth == 1
        seen += letter
        at += 1
    return 0 if seen.strip() in ('', 'void') else commas + 1


def namespace_statements(code):
    """(line number, text) of each statement that stands directly in a namespace."""
    kept = list(without_directives(code))
    for block in blocks_of(code):
        if block.kind == 'namespace':
            # The head and both braces go, the inside stays.
            head_at = ''.join(kept).rfind('namespace', 0, block.start)
            for at in range(max(head_at, 0), block.start + 1):
                kept[at] = '\n' if kept[at] == '\n' else ' '
            kept[block.end] = ';'
        else:
            for at in range(block.start + 1, block.end):
                kept[at] = '\n' if kept[at] == '\n' else ' '
            if block.kind in ('function', 'type', 'nested') and block.scope == 'namespace':
                kept[block.end] = ';' if block.kind == 'function' else '}'
    text, at = ''.join(kept), 0
    for part in text.split(';'):
        lead = len(part) - len(part.lstrip())
        if part.strip():
            yield text.count('\n', 0, at + lead) + 1, ' '.join(part.split())
        at += len(part) + 1
