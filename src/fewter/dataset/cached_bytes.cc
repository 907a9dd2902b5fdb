#include "fewter/dataset/cached_bytes.h"

#include <arrow/io/interfaces.h>

namespace fewter {

namespace {

constexpr std::string_view kIndices = "_indices/";
constexpr std::string_view kData = "data/";

class ByteCacheOnCache final : public lance::ByteCache {
 public:
  ByteCacheOnCache(const Session& session, const std::string& dataset)
      : indexes_(session.cache().Child("index")),
        dataset_(session.cache().Child("dataset").Child(dataset)),
        data_(session.data_cache().Child("dataset").Child(dataset)) {}

  arrow::Result<lance::FileBytes> GetOrLoad(const std::string& path, std::span<const lance::ByteRange> pieces,
                                            const Loader& load) override {
    std::vector<CachedBytesKey> keys;
    keys.reserve(pieces.size());
    for (const auto& piece : pieces) keys.push_back({path, piece.offset, piece.length});
    const WeakCache cache = CacheOf(path);
    const auto read = [&](const std::vector<size_t>& absent) { return Load(pieces, absent, load); };
    auto found = cache.GetOrLoadMany(std::span<const CachedBytesKey>(keys), read);
    lance::FileBytes bytes;
    for (size_t i = 0; i < pieces.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto piece, std::move(found[i]));
      if (static_cast<uint64_t>(piece->bytes()->size()) != pieces[i].length) {
        // Well formed but not this file's, as only another writer of the cache could leave it.
        auto anew = read({i});
        ARROW_ASSIGN_OR_RAISE(piece, anew.front());
        cache.Insert(keys[i], piece);
      }
      bytes.push_back(piece->bytes());
    }
    return bytes;
  }

  std::shared_ptr<arrow::Buffer> Find(const std::string& path) override {
    const auto found = CacheOf(path).Get(CachedBytesKey{path});
    return found == nullptr ? nullptr : found->bytes();
  }

  void Keep(const std::string& path, std::shared_ptr<arrow::Buffer> note) override {
    CacheOf(path).Insert(CachedBytesKey{path}, std::make_shared<const CachedBytes>(std::move(note)));
  }

 private:
  static std::vector<arrow::Result<std::shared_ptr<const CachedBytes>>> Load(std::span<const lance::ByteRange> pieces,
                                                                             const std::vector<size_t>& absent,
                                                                             const Loader& load) {
    std::vector<lance::ByteRange> ranges;
    ranges.reserve(absent.size());
    for (const size_t i : absent) ranges.push_back(pieces[i]);
    const auto read = load(ranges);
    std::vector<arrow::Result<std::shared_ptr<const CachedBytes>>> loaded;
    for (size_t i = 0; i < absent.size(); ++i) {
      if (read.ok()) {
        loaded.emplace_back(std::make_shared<const CachedBytes>((*read)[i]));
      } else {
        loaded.emplace_back(read.status());
      }
    }
    return loaded;
  }

  WeakCache CacheOf(std::string_view path) const {
    if (path.starts_with(kData)) return data_;
    if (!path.starts_with(kIndices)) return dataset_;
    path.remove_prefix(kIndices.size());
    return indexes_.Child(path.substr(0, path.find('/')));
  }

  const WeakCache indexes_;
  const WeakCache dataset_;
  const WeakCache data_;
};

}  // namespace

arrow::Status CachedBytes::Serialize(arrow::io::OutputStream* out) const {
  return out->Write(bytes_);
}

arrow::Result<std::shared_ptr<const CachedBytes>> CachedBytes::Deserialize(const std::shared_ptr<arrow::Buffer>& body) {
  return std::make_shared<const CachedBytes>(body);
}

std::shared_ptr<lance::ByteCache> MakeByteCache(const Session& session, const std::string& dataset) {
  return std::make_shared<ByteCacheOnCache>(session, dataset);
}

}  // namespace fewter
