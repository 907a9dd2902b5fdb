#include "fewter/cache/disk/huge_page.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include <arrow/util/io_util.h>

// Linux 5.14 and 6.1; the headers of older distributions lack them.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace fewter::disk {
namespace {

/// As pm_scan_arg and page_region of Linux 6.7.
struct PageScan {
  uint64_t size = sizeof(PageScan);
  uint64_t flags = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t walk_end = 0;
  uint64_t regions = 0;
  uint64_t regions_length = 0;
  uint64_t max_pages = 0;
  uint64_t inverted_categories = 0;
  uint64_t required_categories = 0;
  uint64_t any_of_categories = 0;
  uint64_t returned_categories = 0;
};
struct PageRegion {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t categories = 0;
};
constexpr unsigned long kScanPages = _IOWR('f', 16, PageScan);
constexpr uint64_t kIsHuge = 1 << 6;

/// Whether huge pages are of kHugePage: so it is with pages of 4 KiB.
bool HaveHugePages() {
  static const bool have = ::sysconf(_SC_PAGESIZE) == 4096;
  return have;
}

uint8_t* AlignUp(void* data) {
  return static_cast<uint8_t*>(data) + (kHugePage - reinterpret_cast<uintptr_t>(data) % kHugePage) % kHugePage;
}

/// Whether [data, data + kHugePage) is mapped as one page. Empty if the kernel cannot tell.
std::optional<bool> IsHuge(const uint8_t* data) {
  const int pages = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pages < 0) return std::nullopt;
  PageRegion region;
  PageScan scan{.begin = reinterpret_cast<uintptr_t>(data),
                .end = reinterpret_cast<uintptr_t>(data) + kHugePage,
                .regions = reinterpret_cast<uintptr_t>(&region),
                .regions_length = 1,
                .required_categories = kIsHuge,
                .returned_categories = kIsHuge};
  const int regions = ::ioctl(pages, kScanPages, &scan);
  ::close(pages);
  if (regions < 0) return std::nullopt;
  return regions == 1 && region.end - region.begin == kHugePage;
}

/// Mapped memory of one huge page, unmapped at the end unless something else has taken its place.
class Piece {
 public:
  explicit Piece(void* data) : data_(data == MAP_FAILED ? nullptr : static_cast<uint8_t*>(data)) {}
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  ~Piece() {
    if (data_ != nullptr) ::munmap(data_, kHugePage);
  }
  explicit operator bool() const { return data_ != nullptr; }
  uint8_t* data() const { return data_; }

  /// Puts it in the place of what is mapped at `target`, in one step for who reads there.
  bool MoveTo(uint8_t* target) {
    if (::mremap(data_, kHugePage, kHugePage, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED) return false;
    data_ = nullptr;
    return true;
  }

 private:
  uint8_t* data_;
};

/// A second mapping of what is mapped at `data`, which can be moved back there and is then one with its neighbours.
void* TwinOf(uint8_t* data, int fd, uint64_t offset) {
  // For its address.
  void* const room = MapFile(fd, offset, kHugePage, MappedReads::kAround);
  if (room == MAP_FAILED) return MAP_FAILED;
  void* const twin = ::mremap(data, 0, kHugePage, MREMAP_MAYMOVE | MREMAP_FIXED, room);
  if (twin == MAP_FAILED) ::munmap(room, kHugePage);
  return twin;
}

arrow::Status Fill(const Piece& copy, int fd, uint64_t offset) {
  for (size_t done = 0; done < kHugePage;) {
    const ssize_t count = ::pread(fd, copy.data() + done, kHugePage - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return arrow::internal::IOErrorFromErrno(errno, "cannot read");
    if (count == 0) return arrow::Status::Invalid("the file has become shorter");
    done += static_cast<size_t>(count);
  }
  return arrow::Status::OK();
}

/// Brings a part of a file into the page cache as one piece, if nothing of it is there.
arrow::Status ReadAsOne(int fd, uint64_t offset) {
  const Piece piece(MapFile(fd, offset, kHugePage, MappedReads::kHugePages));
  if (!piece) return arrow::Status::OK();
  // Just this one: without it the next is read, too.
  (void)::madvise(piece.data(), kHugePage, MADV_RANDOM);
  return PopulateMapped(piece.data(), kHugePage);
}

/// Lets the kernel forget what it has of a part of a file, and read it again as one piece. The page cache keeps what is
/// mapped: a copy stands in meanwhile, and stays if the file cannot be read again or has come to hold other bytes.
arrow::Status ReadAgain(int fd, uint8_t* data, uint64_t offset) {
  Piece copy(::mmap(nullptr, kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Piece twin(TwinOf(data, fd, offset));
  if (!copy || !twin) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Fill(copy, fd, offset));
  if (::mprotect(copy.data(), kHugePage, PROT_READ) != 0 || !copy.MoveTo(data)) return arrow::Status::OK();
  (void)::posix_fadvise(fd, static_cast<off_t>(offset), kHugePage, POSIX_FADV_DONTNEED);
  ARROW_RETURN_NOT_OK(ReadAsOne(fd, offset));
  ARROW_RETURN_NOT_OK(PopulateMapped(twin.data(), kHugePage));
  if (std::memcmp(twin.data(), data, kHugePage) != 0) {
    return arrow::internal::IOErrorFromErrno(EIO, "mapped bytes were read again and differ");
  }
  (void)twin.MoveTo(data);
  return arrow::Status::OK();
}

}  // namespace

void* MapFile(int fd, uint64_t offset, uint64_t length, MappedReads reads) {
  const auto at = static_cast<off_t>(offset);
  if (length < kHugePage || !HaveHugePages()) return ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, at);
  const size_t reserved = length + kHugePage;
  void* const room = ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // A limit on address space may leave room for the file alone.
  if (room == MAP_FAILED) return ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, at);
  uint8_t* const begin = AlignUp(room);
  void* const mapped = ::mmap(begin, length, PROT_READ, MAP_SHARED | MAP_FIXED, fd, at);
  if (mapped == MAP_FAILED) {
    const int error = errno;
    ::munmap(room, reserved);
    errno = error;
    return MAP_FAILED;
  }
  // What is reserved beyond the last page of the file goes, too.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  uint8_t* const end = begin + (length + page - 1) / page * page;
  uint8_t* const reserved_end = static_cast<uint8_t*>(room) + (reserved + page - 1) / page * page;
  if (begin != room) ::munmap(room, static_cast<size_t>(begin - static_cast<uint8_t*>(room)));
  if (end != reserved_end) ::munmap(end, static_cast<size_t>(reserved_end - end));
  if (reads == MappedReads::kHugePages) (void)::madvise(mapped, length, MADV_HUGEPAGE);
  return mapped;
}

arrow::Status PopulateMapped(const uint8_t* data, uint64_t length) {
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(data) % page;
  uint8_t* const begin = const_cast<uint8_t*>(data) - before;
  int result;
  do {
    result = ::madvise(begin, before + length, MADV_POPULATE_READ);
  } while (result != 0 && errno == EINTR);
  if (result == 0 || errno == EINVAL) return arrow::Status::OK();
  return arrow::internal::IOErrorFromErrno(errno, "cannot read mapped bytes");
}

arrow::Result<bool> CollapseMapped(int fd, uint8_t* data, uint64_t offset) {
  if (!HaveHugePages()) return false;
  const std::optional<bool> is_huge = IsHuge(data);
  if (is_huge.value_or(false) || ::madvise(data, kHugePage, MADV_COLLAPSE) == 0) return true;
  // Whether reading again was of use could not be seen, and it is not done in vain.
  if (!is_huge) return false;
  ARROW_RETURN_NOT_OK(ReadAgain(fd, data, offset));
  return IsHuge(data).value_or(false);
}

}  // namespace fewter::disk
