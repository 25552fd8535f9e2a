// SPDX-License-Identifier: Apache-2.0
// What a node came to know of the membership since it wrote the file `membership` whole: a record
// for each time, in `membership.log` beside it. While a partition moves facts come by the dozen,
// and requests for it wait until they are on disk: a record costs one write to blocks that are
// there already and one fdatasync(). A history only grows, so a record that the file has too does
// no harm. Calls block for the disk.
//
//   file = record* zero*     record, at a multiple of 64 = bytes(4) of what was added, number(4),
//   XXH64 of number and what was added(8), what was added (encode_additions())
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cluster/history/history.h"

namespace kvorum::server {

class DiskFile;

class MembershipLog {
 public:
  static constexpr size_t kBytes = 256 * 1024;

  explicit MembershipLog(std::string directory);
  ~MembershipLog();
  MembershipLog(const MembershipLog&) = delete;

  // The file was written whole, and an empty log takes the place of the one that there is.
  Status begin();
  bool has_begun() const { return file_ != nullptr; }
  // There is one, begun here or left by a run before.
  bool is_on_disk() const;
  bool has_room_for(std::string_view added) const;
  // On disk when it returns. REQUIRES: it has begun, and has room.
  Status add(std::string_view added);
  // All of it stands in the file: whoever reads the directory finds no log.
  void remove();

 private:
  const std::string directory_, path_;
  std::unique_ptr<DiskFile> file_;  // null: not begun
  uint32_t number_ = 0;             // of the next record
  size_t at_ = 0;
};

// Takes in what the directory's log has, if there is one. The last record may be torn: nothing of
// it had an effect. kCorruption: records that were complete are damaged.
Status read_membership_log(const std::string& directory, cluster::History* history);

}  // namespace kvorum::server
