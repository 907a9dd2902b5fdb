#include "fewter/cache/disk/segment.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "fewter/util/bytes.h"

namespace fewter::disk {
namespace {

/// Footers up to this size, of some 250 entries, cost one read.
constexpr uint64_t kTailBytes = 16 << 10;

std::string_view AsText(const arrow::Buffer& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(bytes.size())};
}

arrow::Result<SegmentFooter> ReadFooter(FileSystem* files, const std::string& path, uint64_t file_bytes) {
  const uint64_t tail_bytes = std::min(file_bytes, kTailBytes);
  ARROW_ASSIGN_OR_RAISE(const auto tail, files->Read(path, file_bytes - tail_bytes, tail_bytes));
  std::string_view bytes = AsText(*tail);
  const std::string_view last_bytes = bytes.substr(bytes.size() - std::min(bytes.size(), sizeof(SegmentTrailer)));
  ARROW_ASSIGN_OR_RAISE(const SegmentTrailer trailer, DecodeSegmentTrailer(last_bytes, file_bytes));
  bytes.remove_suffix(sizeof(SegmentTrailer));
  if (trailer.footer_length <= bytes.size()) {
    return DecodeSegmentFooter(bytes.substr(bytes.size() - trailer.footer_length), trailer);
  }
  ARROW_ASSIGN_OR_RAISE(const auto footer, files->Read(path, trailer.footer_offset, trailer.footer_length));
  return DecodeSegmentFooter(AsText(*footer), trailer);
}

}  // namespace

/// Keeps account of a mapping for as long as it lives.
class Segment::Mapping final : public arrow::Buffer {
 public:
  Mapping(const std::shared_ptr<arrow::Buffer>& raw, std::shared_ptr<MappingAccount> account)
      : Buffer(raw, 0, raw->size()), account_(std::move(account)) {
    account_->mapped_bytes += size();
  }
  ~Mapping() override {
    (pinned_ ? account_->pinned_bytes : account_->mapped_bytes) -= size();
    --account_->mappings;
  }

  /// Called once at most, while somebody holds the mapping.
  void Pin() {
    pinned_ = true;
    account_->mapped_bytes -= size();
    account_->pinned_bytes += size();
  }

 private:
  const std::shared_ptr<MappingAccount> account_;
  std::atomic<bool> pinned_{false};
};

arrow::Result<std::shared_ptr<Segment>> Segment::Open(std::shared_ptr<FileSystem> files, const std::string& directory,
                                                      const std::string& name,
                                                      std::shared_ptr<MappingAccount> account) {
  const std::string path = directory + "/" + name;
  ARROW_ASSIGN_OR_RAISE(const FileStatus status, files->Stat(path));
  ARROW_ASSIGN_OR_RAISE(SegmentFooter footer, ReadFooter(files.get(), path, status.bytes));
  // A file under another's name would be unlinked in its place.
  if (SegmentFileName(footer.id) != name) return arrow::Status::Invalid("'", path, "' is a segment of another name");
  return std::make_shared<Segment>(std::move(files), directory, std::move(footer), status, std::move(account));
}

Segment::Segment(std::shared_ptr<FileSystem> files, const std::string& directory, SegmentFooter footer,
                 const FileStatus& status, std::shared_ptr<MappingAccount> account)
    : files_(std::move(files)),
      account_(std::move(account)),
      footer_(std::move(footer)),
      name_(SegmentFileName(footer_.id)),
      path_(directory + "/" + name_),
      status_(status),
      states_(std::make_unique<State[]>(footer_.records.size())) {
  for (size_t i = 0; i < size(); ++i) {
    SetHeat(i, {.uses = static_cast<float>(record(i).uses), .last_use = record(i).last_use});
  }
}

arrow::Result<std::shared_ptr<arrow::Buffer>> Segment::Map() {
  if (is_mapped_.load(std::memory_order_acquire)) return mapping_;
  std::lock_guard lock(mutex_);
  if (mapping_ != nullptr) return mapping_;
  if (++account_->mappings > kMaxMappings) {
    --account_->mappings;
    return nullptr;
  }
  // Whoever asks for the only entry needs all of it.
  auto raw = files_->Map(path_, status_.bytes, size() == 1 ? MappedReads::kHugePages : MappedReads::kAround);
  if (!raw.ok()) {
    --account_->mappings;
    return raw.status();
  }
  mapping_ = std::make_shared<Mapping>(*raw, account_);
  if (removed_) mapping_->Pin();
  is_mapped_.store(true, std::memory_order_release);
  return mapping_;
}

arrow::Status Segment::Verify(size_t entry, const arrow::Buffer& bytes) const {
  if (SegmentChecksum(AsText(bytes)) == record(entry).checksum) return arrow::Status::OK();
  return arrow::Status::Invalid("'", path_, "': the entry at byte ", record(entry).offset,
                                " does not agree with its checksum");
}

arrow::Result<std::shared_ptr<arrow::Buffer>> Segment::Bytes(size_t entry, bool copy, bool* mapped) {
  const SegmentRecord& where = record(entry);
  std::shared_ptr<arrow::Buffer> mapping;
  if (!copy) {
    ARROW_ASSIGN_OR_RAISE(mapping, Map());
  }
  *mapped = mapping != nullptr;
  if (mapping == nullptr) {
    ARROW_ASSIGN_OR_RAISE(auto bytes, files_->Read(path_, where.offset, where.length));
    ARROW_RETURN_NOT_OK(Verify(entry, *bytes));
    return bytes;
  }
  auto bytes =
      arrow::SliceBuffer(std::move(mapping), static_cast<int64_t>(where.offset), static_cast<int64_t>(where.length));
  State& state = states_[entry];
  if (!state.verified.load(std::memory_order_acquire)) {
    ARROW_RETURN_NOT_OK(files_->Populate(bytes->data(), where.length));
    ARROW_RETURN_NOT_OK(Verify(entry, *bytes));
    if (!state.verified.exchange(true, std::memory_order_acq_rel)) touched_bytes_ += where.length;
  }
  return bytes;
}

bool Segment::ClaimCollapse() {
  if (collapse_claimed_.load(std::memory_order_relaxed)) return false;
  if (huge_pages() == 0 || touched_bytes_.load(std::memory_order_relaxed) < status_.bytes / 2) return false;
  return !collapse_claimed_.exchange(true);
}

arrow::Result<bool> Segment::Collapse(size_t huge_page) {
  ARROW_ASSIGN_OR_RAISE(const auto mapping, Map());
  return files_->Collapse(path_, *mapping, huge_page * kHugePage);
}

void Segment::MarkRemoved() {
  std::lock_guard lock(mutex_);
  if (removed_) return;
  removed_ = true;
  if (mapping_ != nullptr) mapping_->Pin();
}

bool Segment::InUse() const {
  std::lock_guard lock(mutex_);
  return mapping_ != nullptr && mapping_.use_count() > 1;
}

void Segment::Use(size_t entry, uint32_t uses, uint32_t now) {
  State& state = states_[entry];
  state.new_uses.fetch_add(uses, std::memory_order_relaxed);
  // Threads that hit one entry write its time once a second between them.
  if (state.last_use.load(std::memory_order_relaxed) != now) state.last_use.store(now, std::memory_order_relaxed);
}

void Segment::SetHeat(size_t entry, const Heat& heat) {
  states_[entry].known.store(heat, std::memory_order_relaxed);
}

Heat Segment::HeatOf(size_t entry, uint32_t* new_uses) const {
  const State& state = states_[entry];
  Heat heat = state.known.load(std::memory_order_relaxed);
  const uint32_t uses = state.new_uses.load(std::memory_order_relaxed);
  if (uses > 0)
    heat.Add({.uses = static_cast<float>(uses), .last_use = state.last_use.load(std::memory_order_relaxed)});
  if (new_uses != nullptr) *new_uses = uses;
  return heat;
}

void Segment::Settle(size_t entry, const Heat& heat, uint32_t new_uses) {
  SetHeat(entry, heat);
  states_[entry].new_uses.fetch_sub(new_uses, std::memory_order_relaxed);
}

void Segment::CopyHeat(size_t entry, const Segment& from, size_t from_entry) {
  const State& source = from.states_[from_entry];
  State& state = states_[entry];
  state.known.store(source.known.load(std::memory_order_relaxed), std::memory_order_relaxed);
  state.new_uses.fetch_add(source.new_uses.load(std::memory_order_relaxed), std::memory_order_relaxed);
  state.last_use.store(source.last_use.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace fewter::disk
