// SPDX-License-Identifier: Apache-2.0
// The roots of all hash trees of a node, as bytes. Written with the clean-stop marker and compared
// with what the next start reads: a partition whose objects are not those of the stop has lost some
// (a table file that is gone, a dropped tail, damaged records), and is not whole. Pure.
#pragma once

#include <string>
#include <string_view>

#include "cluster/frontier/whole_replicas.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

// Of the partitions that hold objects. Those that lack something by `whole`, if it is not null, are
// written as others than they are, so that they lack it at the next start too.
void encode_roots(const engine::ObjectTable& table, const WholeReplicas* whole, std::string& out);

// Marks the copies whose root differs as not whole. Returns how many lost something since the stop;
// all of them where the bytes are damaged.
size_t mark_differing_roots(const engine::ObjectTable& table, std::string_view roots,
                            WholeReplicas& whole);

}  // namespace kvorum::cluster
