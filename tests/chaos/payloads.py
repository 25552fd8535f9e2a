# SPDX-License-Identifier: Apache-2.0
"""What the workloads store under their keys."""


def elements_of(values):
    """The union of sets, each the bytes of its elements with spaces between them."""
    return {element for value in values for element in value.decode().split()}


def set_of(elements):
    return ' '.join(sorted(elements))


def value_of(key):
    """Of a key that is written once."""
    return 'value of ' + key
