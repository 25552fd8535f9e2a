# SPDX-License-Identifier: Apache-2.0
"""What the workloads store under their keys."""
import random

FILLING_BYTES = 1000


def elements_of(values):
    """The union of sets, each the bytes of its elements with spaces between them."""
    return {element for value in values for element in value.decode().split()}


def set_of(elements):
    return ' '.join(sorted(elements))


def value_of(key):
    """Of a key that is written once."""
    return 'value of ' + key


def filling_of(key):
    """Of a key that is there before all clients: a kilobyte that does not compress to nothing."""
    return random.Random(key).randbytes(FILLING_BYTES // 2).hex()


def filling_key(number):
    return 'fill:%d' % number
