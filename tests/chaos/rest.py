# SPDX-License-Identifier: Apache-2.0
"""What has to be true of a cluster whose members changed, once nothing moves and nobody writes."""
from node_processes import until


def awaited(nodes):
    """What is not settled yet, in words; empty once all is."""
    try:
        for name in nodes.names:
            moves = nodes.moves(name)
            if moves:
                return '%d partitions move, says %s: %s' % (len(moves), name, moves[0])
        for name in nodes.leaving:
            if nodes.keys_held(name) != 0:
                return '%s left and holds %d keys' % (name, nodes.keys_held(name))
        for name in nodes.names:
            for other, state in nodes.states(name).items():
                if other in nodes.leaving or state != 'up':
                    return '%s is %s, says %s' % (other, state, name)
            if not nodes.is_settled(name):
                return '%s does not say settled: %s' % (name, nodes.cluster_status(name))
    except OSError as error:
        return 'a node does not answer: %s' % error
    return ''


def wrong(nodes, seconds):
    """What is not as it should be, a line each. Nobody writes meanwhile. Copies that are not owned
    any more may take some time to be dropped."""
    lines = []
    documents = {name: nodes.asked(name, 'transfers')[1] for name in nodes.names}
    newest = {document['newest_set'] for document in documents.values()}
    if len(newest) != 1:
        lines.append('the newest sets differ: %s' % newest)
    for name, document in documents.items():
        if document['lost'] or document['leaving']:
            lines.append('%s says lost %s, leaving %s' % (
                name, document['lost'], document['leaving']))  # fmt: skip
        others = nodes.states(name)
        if sorted(others) != sorted(nodes.names):
            lines.append('%s knows the members %s, not %s' % (name, others, nodes.names))
    rings = {str(nodes.asked(name, 'ring')[1]['owners']) for name in nodes.names}
    if len(rings) != 1:
        lines.append('the rings differ')
    # Asked once: it is a request of a client, and background work stands back for those.
    awaited_copies = nodes.replicas * nodes.keys_alive()
    if not until(lambda: copies(nodes) == awaited_copies, seconds):
        lines.append('%d copies of keys, not %d' % (copies(nodes), awaited_copies))
    return lines


def copies(nodes):
    """Owned or not. Each key has one at each of its n owners."""
    return sum(nodes.keys_held(name) for name in nodes.names)
