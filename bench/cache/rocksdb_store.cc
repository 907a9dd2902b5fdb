/// RocksDB as a store of large immutable values; what is measured is in store_workload_internal.h.
///
///     rocksdb_store blocks|blobs fill|hit|reopen …
///
/// blocks   one value is one block of a table; the block cache holds them all, and a hit pins it there: no copy
/// blobs    values lie in blob files; the blob cache holds them all, and a hit pins it there
///
/// Mapped tables (allow_mmap_reads), which sound nearest to ours, copy the value at each get in this release, and take
/// milliseconds for the large ones: left out.
///
/// No compression, XXH3 checksums, a cache of one shard (several would refuse values larger than their part of the
/// capacity), everything compacted after the filling. RocksDB finds keys in order, can change them and keeps old
/// versions apart; ours does none of that.

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include "bench/cache/store_workload_internal.h"

namespace fewter::bench {
namespace {

enum class Kind { kBlocks, kBlobs };

arrow::Status ToArrow(const rocksdb::Status& status) {
  return status.ok() ? arrow::Status::OK() : arrow::Status::IOError(status.ToString());
}

rocksdb::Options OptionsFor(Kind kind, size_t all_bytes) {
  const auto cache = rocksdb::NewLRUCache(2 * all_bytes + (size_t{64} << 20), 0);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.checksum = rocksdb::kXXH3;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = size_t{256} << 20;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (kind == Kind::kBlobs) {
    options.enable_blob_files = true;
    options.blob_cache = cache;
  }
  return options;
}

class RocksStore {
 public:
  explicit RocksStore(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) { write_.disableWAL = true; }

  arrow::Status Put(uint32_t entry, std::string_view bytes) {
    return ToArrow(db_->Put(write_, Key(entry).slice(), rocksdb::Slice(bytes.data(), bytes.size())));
  }
  arrow::Status Finish() {
    ARROW_RETURN_NOT_OK(ToArrow(db_->Flush({})));
    return ToArrow(db_->CompactRange({}, nullptr, nullptr));
  }
  rocksdb::PinnableSlice Get(uint32_t entry) {
    rocksdb::PinnableSlice value;
    if (!db_->Get(read_, db_->DefaultColumnFamily(), Key(entry).slice(), &value).ok()) value.clear();
    return value;
  }

 private:
  /// A UUID as text and a number in the order of its bytes, made anew for each look-up.
  class Key {
   public:
    explicit Key(uint32_t entry) {
      std::memcpy(bytes_, "6a1f8f5e-3c1d-4b8e-9f57-2f0c6f1f4a3b", 36);
      for (int i = 0; i < 4; ++i) bytes_[36 + i] = static_cast<char>(entry >> (24 - 8 * i));
    }
    rocksdb::Slice slice() const { return {bytes_, sizeof(bytes_)}; }

   private:
    char bytes_[40];
  };

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ReadOptions read_;
  rocksdb::WriteOptions write_;
};

template <Kind kind>
arrow::Result<std::unique_ptr<RocksStore>> Open(const std::string& directory, size_t value_bytes, uint32_t count) {
  rocksdb::DB* db = nullptr;
  ARROW_RETURN_NOT_OK(ToArrow(rocksdb::DB::Open(OptionsFor(kind, value_bytes * count), directory, &db)));
  return std::make_unique<RocksStore>(std::unique_ptr<rocksdb::DB>(db));
}

arrow::Status Run(int argc, char** argv) {
  const std::string_view kind = argc > 1 ? argv[1] : "";
  if (kind == "blocks") return RunStore<RocksStore>(argc - 1, argv + 1, &Open<Kind::kBlocks>);
  if (kind == "blobs") return RunStore<RocksStore>(argc - 1, argv + 1, &Open<Kind::kBlobs>);
  return arrow::Status::Invalid("usage: see bench/cache/rocksdb_store.cc");
}

}  // namespace
}  // namespace fewter::bench

int main(int argc, char** argv) {
  return fewter::bench::ExitCodeOf("rocksdb_store", fewter::bench::Run(argc, argv));
}
