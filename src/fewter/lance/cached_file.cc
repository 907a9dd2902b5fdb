#include <algorithm>
#include <mutex>
#include <utility>

#include "fewter/lance/stored_file_internal.h"
#include "fewter/util/bytes.h"

namespace fewter::lance {
namespace {

/// The length of the pieces that are kept of a file: all of it, pages, or 0 for nothing.
uint64_t PieceLength(IoKind kind, uint64_t size) {
  if (kind == IoKind::kData) return std::min(size, ReadableFile::kDataPage);
  // What lies in a large index file is kept in the form that a search reads.
  return size <= ReadableFile::kReadWhole ? size : 0;
}

/// Ranges of a file longer than this are scans: what they read is not looked for again, and would drive out the rest.
constexpr uint64_t kLongestKept = uint64_t{4} << 20;

class CachedFile final : public ReadableFile {
 public:
  CachedFile(std::shared_ptr<ReadableFile> file, std::shared_ptr<ByteCache> cache, uint64_t size)
      : file_(std::move(file)), cache_(std::move(cache)), size_(size) {}

  const std::string& path() const override { return file_->path(); }
  IoKind kind() const override { return file_->kind(); }
  bool is_remote() const override { return true; }
  bool is_cached() const override { return true; }

  arrow::Result<uint64_t> Size() override {
    std::lock_guard lock(mutex_);
    if (SizeIsKnown()) return size_;
    ARROW_ASSIGN_OR_RAISE(const uint64_t size, file_->Size());
    KeepSize(size);
    return size_;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadWhole(uint64_t at_most, const IsWhole& is_whole) override {
    if (std::unique_lock lock(mutex_); SizeIsKnown()) {
      lock.unlock();
      return ReadableFile::ReadWhole(at_most, is_whole);
    }
    ARROW_ASSIGN_OR_RAISE(auto bytes, file_->ReadWhole(at_most, is_whole));
    const auto size = static_cast<uint64_t>(bytes->size());
    {
      std::lock_guard lock(mutex_);
      KeepSize(size);
    }
    if (size == 0 || PieceLength(kind(), size) != size) return bytes;
    const ByteRange all{0, size};
    ARROW_ASSIGN_OR_RAISE(const auto kept,
                          cache_->GetOrLoad(path(), {&all, 1}, [&](const auto&) { return FileBytes{bytes}; }));
    return kept.front();
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(ByteRange range) override {
    ARROW_ASSIGN_OR_RAISE(const auto bytes, ReadMany({range}, kAnyNumber));
    return EnsureAligned(bytes.front());
  }

  arrow::Result<FileBytes> ReadMany(const std::vector<ByteRange>& ranges, size_t enough_requests) override {
    ARROW_ASSIGN_OR_RAISE(const uint64_t size, Size());
    const uint64_t piece = PieceLength(kind(), size);
    const bool is_kept = std::all_of(ranges.begin(), ranges.end(), [&](const ByteRange& range) {
      return RangeIsInside(range.offset, range.length, size) && (piece == size || range.length <= kLongestKept);
    });
    // A range outside the file is refused there.
    if (piece == 0 || !is_kept) return file_->ReadMany(ranges, enough_requests);
    const std::vector<ByteRange> pieces = PiecesWith(ranges, piece, size);
    ARROW_ASSIGN_OR_RAISE(const auto found, cache_->GetOrLoad(path(), pieces, [&](const auto& absent) {
      return file_->ReadMany(absent, kAnyNumber);
    }));
    FileBytes bytes;
    for (const ByteRange& range : ranges) {
      ARROW_ASSIGN_OR_RAISE(bytes.emplace_back(), Cut(range, piece, pieces, found));
    }
    return bytes;
  }

 private:
  /// Looks in the cache if it is not. Requires the mutex.
  bool SizeIsKnown() {
    if (size_ != 0) return true;
    const auto known = cache_->Find(path());
    if (known == nullptr || known->size() != sizeof(size_)) return false;
    size_ = LoadLittleEndian<uint64_t>(known->data());
    return size_ != 0;
  }

  /// Requires the mutex.
  void KeepSize(uint64_t size) {
    size_ = size;
    cache_->Keep(path(), arrow::Buffer::FromString(std::string(reinterpret_cast<const char*>(&size_), sizeof(size_))));
  }

  /// The pieces that the ranges touch, in order, each once.
  static std::vector<ByteRange> PiecesWith(const std::vector<ByteRange>& ranges, uint64_t piece, uint64_t size) {
    std::vector<uint64_t> numbers;
    for (const ByteRange& range : ranges) {
      if (range.length == 0) continue;
      for (uint64_t i = range.offset / piece; i <= (range.end() - 1) / piece; ++i) numbers.push_back(i);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    std::vector<ByteRange> pieces;
    pieces.reserve(numbers.size());
    for (const uint64_t i : numbers) pieces.push_back({i * piece, std::min(piece, size - i * piece)});
    return pieces;
  }

  /// A slice of a piece, or a copy of several.
  static arrow::Result<std::shared_ptr<arrow::Buffer>> Cut(ByteRange range, uint64_t piece,
                                                           const std::vector<ByteRange>& pieces,
                                                           const FileBytes& found) {
    if (range.length == 0) return std::make_shared<arrow::Buffer>(nullptr, 0);
    const auto first = std::lower_bound(pieces.begin(), pieces.end(), range.offset / piece * piece,
                                        [](const ByteRange& one, uint64_t offset) { return one.offset < offset; });
    FileBytes parts;
    uint64_t at = range.offset;
    for (auto i = static_cast<size_t>(first - pieces.begin()); at < range.end(); ++i) {
      const uint64_t end = std::min(range.end(), pieces[i].end());
      ARROW_ASSIGN_OR_RAISE(parts.emplace_back(),
                            SliceChecked(found[i], at - pieces[i].offset, end - at, "a cached piece of a file"));
      at = end;
    }
    if (parts.size() == 1) return parts.front();
    return arrow::ConcatenateBuffers(parts);
  }

  const std::shared_ptr<ReadableFile> file_;
  const std::shared_ptr<ByteCache> cache_;
  std::mutex mutex_;
  uint64_t size_;
};

}  // namespace

std::shared_ptr<ReadableFile> MakeCachedFile(std::shared_ptr<ReadableFile> file, std::shared_ptr<ByteCache> cache,
                                             uint64_t size) {
  return std::make_shared<CachedFile>(std::move(file), std::move(cache), size);
}

}  // namespace fewter::lance
