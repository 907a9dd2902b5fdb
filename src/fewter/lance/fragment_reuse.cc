#include "fewter/lance/fragment_reuse.h"

#include <algorithm>
#include <limits>
#include <set>
#include <unordered_map>
#include <utility>

#include <arrow/io/interfaces.h>
#include <roaring/roaring.hh>

#include "fewter/lance/proto/table.pb.h"
#include "fewter/lance/roaring_bitmap.h"

namespace fewter::lance {
namespace {

constexpr char kWhat[] = "fragment reuse index";

/// Row addresses keep the fragment's id and the row's offset in 32 bits each.
constexpr uint64_t kMaxFragmentId = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMaxRowsOfFragment = uint64_t{1} << 32;

}  // namespace

/// A round of compaction.
struct FragmentReuse::Version {
  /// One that was rewritten.
  struct OldFragment {
    uint32_t group = 0;
    uint64_t physical_rows = 0;
    /// Rows of the group that were rewritten before those of this fragment.
    uint64_t first_rank = 0;
    /// The offsets of the rows that were rewritten; nothing if all were.
    std::optional<Roaring> rewritten;
  };
  /// One that was written; its rows are those of the group from the rank on.
  struct NewFragment {
    uint64_t first_rank = 0;
    uint32_t id = 0;
  };
  struct Group {
    std::vector<uint32_t> old_fragments;
    std::vector<NewFragment> new_fragments;
  };

  std::optional<uint64_t> NewAddress(uint64_t address) const;
  int64_t SizeInBytes() const;

  std::vector<Group> groups;
  /// By id.
  std::unordered_map<uint32_t, OldFragment> old_fragments;
};

FragmentReuse::FragmentReuse() = default;
FragmentReuse::~FragmentReuse() = default;

/// Fills a FragmentReuse from its message.
class FragmentReuse::Parser {
 public:
  explicit Parser(FragmentReuse* to) : to_(*to) {}

  arrow::Status Parse(const pb::FragmentReuse& message) {
    for (const pb::FragmentReuseVersion& from : message.versions()) {
      Version& version = to_.versions_.emplace_back();
      for (const pb::FragmentReuseGroup& group : from.groups()) {
        const auto added = AddGroup(group, &version);
        if (!added.ok()) {
          return added.WithMessage(kWhat, ", version ", from.dataset_version(), ", group ", version.groups.size() - 1,
                                   ": ", added.message());
        }
      }
    }
    return arrow::Status::OK();
  }

 private:
  arrow::Status AddGroup(const pb::FragmentReuseGroup& from, Version* version) {
    version->groups.emplace_back();
    ARROW_ASSIGN_OR_RAISE(const uint64_t rows, AddNewFragments(from, &version->groups.back()));
    RETURN_NOT_OK(AddOldFragments(from, version));
    return AddRewrittenRows(from, rows, version);
  }

  arrow::Status CheckDigest(const pb::FragmentDigest& digest) {
    if (digest.id() > kMaxFragmentId || digest.physical_rows() > kMaxRowsOfFragment) {
      return arrow::Status::Invalid("fragment ", digest.id(), " of ", digest.physical_rows(),
                                    " rows does not fit row addresses");
    }
    to_.concerned_.insert(static_cast<uint32_t>(digest.id()));
    return arrow::Status::OK();
  }

  /// Returns the number of their rows. The sum of at most 2^31 numbers of 33 bits does not overflow.
  arrow::Result<uint64_t> AddNewFragments(const pb::FragmentReuseGroup& from, Version::Group* group) {
    uint64_t rows = 0;
    for (const pb::FragmentDigest& digest : from.new_fragments()) {
      RETURN_NOT_OK(CheckDigest(digest));
      // One without rows has no address to give.
      if (digest.physical_rows() > 0) group->new_fragments.push_back({rows, static_cast<uint32_t>(digest.id())});
      rows += digest.physical_rows();
    }
    return rows;
  }

  /// As if no row of theirs had been rewritten.
  arrow::Status AddOldFragments(const pb::FragmentReuseGroup& from, Version* version) {
    Version::Group& group = version->groups.back();
    for (const pb::FragmentDigest& digest : from.old_fragments()) {
      RETURN_NOT_OK(CheckDigest(digest));
      const auto id = static_cast<uint32_t>(digest.id());
      // Rows are numbered in the order of their addresses, which is the order that they were read in only then.
      if (!group.old_fragments.empty() && id <= group.old_fragments.back()) {
        return arrow::Status::Invalid("its old fragments are out of order at ", id);
      }
      group.old_fragments.push_back(id);
      Version::OldFragment old{.group = static_cast<uint32_t>(version->groups.size() - 1),
                               .physical_rows = digest.physical_rows(),
                               .first_rank = 0,
                               .rewritten = Roaring()};
      if (!version->old_fragments.emplace(id, std::move(old)).second) {
        return arrow::Status::Invalid("fragment ", id, " was rewritten before");
      }
    }
    return arrow::Status::OK();
  }

  static arrow::Status AddRewrittenRows(const pb::FragmentReuseGroup& from, uint64_t rows, Version* version) {
    uint64_t rank = 0;
    RETURN_NOT_OK(VisitRoaringTreemap(
        from.changed_row_addrs(), rows, "changed rows",
        [&](uint32_t fragment, const std::vector<uint32_t>& offsets) -> arrow::Status {
          const auto found = version->old_fragments.find(fragment);
          if (found == version->old_fragments.end() || found->second.group + 1 != version->groups.size()) {
            return arrow::Status::Invalid("rows of fragment ", fragment, ", which is not one of its old fragments");
          }
          Version::OldFragment& old = found->second;
          if (!offsets.empty() && offsets.back() >= old.physical_rows) {
            return arrow::Status::Invalid("row ", offsets.back(), " of fragment ", fragment, ", which has ",
                                          old.physical_rows);
          }
          old.first_rank = rank;
          rank += offsets.size();
          if (offsets.size() == old.physical_rows) {
            old.rewritten.reset();
          } else {
            old.rewritten->addMany(offsets.size(), offsets.data());
            old.rewritten->runOptimize();
          }
          return arrow::Status::OK();
        }));
    if (rank == rows) return arrow::Status::OK();
    return arrow::Status::Invalid(rank, " rows were rewritten, but its new fragments have ", rows);
  }

  FragmentReuse& to_;
};

arrow::Result<std::shared_ptr<const FragmentReuse>> FragmentReuse::Parse(std::shared_ptr<arrow::Buffer> message) {
  pb::FragmentReuse parsed;
  if (message->size() > std::numeric_limits<int>::max() ||
      !parsed.ParseFromArray(message->data(), static_cast<int>(message->size()))) {
    return arrow::Status::Invalid(kWhat, ": is not a well-formed message");
  }
  const std::shared_ptr<FragmentReuse> reuse(new FragmentReuse);
  RETURN_NOT_OK(Parser(reuse.get()).Parse(parsed));
  reuse->message_ = std::move(message);
  return reuse;
}

std::optional<uint64_t> FragmentReuse::Version::NewAddress(uint64_t address) const {
  const auto found = old_fragments.find(static_cast<uint32_t>(address >> 32));
  if (found == old_fragments.end()) return address;
  const OldFragment& old = found->second;
  const auto offset = static_cast<uint32_t>(address);
  if (old.rewritten ? !old.rewritten->contains(offset) : offset >= old.physical_rows) return std::nullopt;
  const uint64_t rank = old.first_rank + (old.rewritten ? old.rewritten->rank(offset) - 1 : offset);
  // As many rows were rewritten as the new fragments have, so one of them has this.
  const auto& fragments = groups[old.group].new_fragments;
  const auto after = std::upper_bound(fragments.begin(), fragments.end(), rank,
                                      [](uint64_t r, const NewFragment& fragment) { return r < fragment.first_rank; });
  const NewFragment& fragment = *(after - 1);
  return uint64_t{fragment.id} << 32 | (rank - fragment.first_rank);
}

int64_t FragmentReuse::Version::SizeInBytes() const {
  size_t size = 0;
  for (const Group& group : groups) {
    size += group.old_fragments.size() * sizeof(uint32_t) + group.new_fragments.size() * sizeof(NewFragment);
  }
  for (const auto& [id, old] : old_fragments) {
    size += sizeof(id) + sizeof(old) + (old.rewritten ? old.rewritten->getSizeInBytes() : 0);
  }
  return static_cast<int64_t>(size);
}

std::optional<uint64_t> FragmentReuse::NewAddress(uint64_t address) const {
  std::optional<uint64_t> now = address;
  for (auto version = versions_.begin(); now && version != versions_.end(); ++version) now = version->NewAddress(*now);
  return now;
}

std::vector<uint32_t> FragmentReuse::NewFragments(const std::vector<uint32_t>& fragments) const {
  std::set<uint32_t> now(fragments.begin(), fragments.end());
  for (const Version& version : versions_) {
    for (const Version::Group& group : version.groups) {
      size_t covered = 0;
      for (const uint32_t id : group.old_fragments) covered += now.erase(id);
      if (covered == 0 || covered < group.old_fragments.size()) continue;
      for (const Version::NewFragment& fragment : group.new_fragments) now.insert(fragment.id);
    }
  }
  return {now.begin(), now.end()};
}

bool FragmentReuse::Concerns(const std::vector<uint32_t>& fragments) const {
  return std::any_of(fragments.begin(), fragments.end(), [this](uint32_t id) { return concerned_.contains(id); });
}

int64_t FragmentReuse::SizeInBytes() const {
  int64_t size = message_->size() + static_cast<int64_t>(concerned_.size() * sizeof(uint64_t));
  for (const Version& version : versions_) size += version.SizeInBytes();
  return size;
}

arrow::Status FragmentReuse::Serialize(arrow::io::OutputStream* out) const {
  return out->Write(message_);
}

arrow::Result<std::shared_ptr<const FragmentReuse>> ReadFragmentReuse(const ObjectStore& store,
                                                                      const FragmentReuseIndex& index) {
  const MessageLocation& location = index.details;
  std::shared_ptr<arrow::Buffer> message = arrow::Buffer::FromString(location.inline_bytes);
  if (!location.path.empty()) {
    auto file = store.OpenFile(location.path, location.KnownSize(), IoKind::kIndex);
    ARROW_ASSIGN_OR_RAISE(message, file->Read(location.range));
  }
  auto reuse = FragmentReuse::Parse(std::move(message));
  if (reuse.ok() || location.path.empty()) return reuse;
  return reuse.status().WithMessage(store.name(), "/", location.path, ": ", reuse.status().message());
}

}  // namespace fewter::lance
