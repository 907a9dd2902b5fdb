#pragma once

#include <cstddef>
#include <cstdint>

#include <arrow/result.h>
#include <arrow/status.h>

/// Files mapped in huge pages.
///
/// A search that reads megabytes of mapped entries waits for address translation, 3 to 12 % of its time, unless they
/// lie in huge pages as large blocks of the heap do. For that the page cache must hold a part of the file as one piece,
/// and the mapping must begin where a huge page may. The first is so when a file was written by whole huge pages while
/// free memory was not in small pieces; what was read since, as after a restart of the machine, is in pieces as small
/// as the reads were.
///
/// Kernels, file systems and processors that know nothing of this keep their small pages, and nothing else differs.

namespace fewter::disk {

/// In bytes. Where a page is not of 4 KiB huge pages have other sizes, and none is used.
inline constexpr size_t kHugePage = size_t{2} << 20;

/// How a mapping is read where the page cache lacks it.
enum class MappedReads {
  /// As the system does by default: what is asked for, and some of what lies around it.
  kAround,
  /// By whole huge pages, for what will be needed as a whole.
  kHugePages,
};

/// Maps [offset, offset + length) of a file, shared and for reading; from a multiple of kHugePage on if it is that
/// long, which not every file system sees to. `offset` is a multiple of the page size. Unmapped by munmap(data,
/// length). MAP_FAILED and errno if it cannot be.
void* MapFile(int fd, uint64_t offset, uint64_t length, MappedReads reads);

/// Brings mapped memory into memory. What cannot be read is an error here, where touching it would kill the process.
/// Kernels older than Linux 5.14 cannot do it; there it does nothing.
arrow::Status PopulateMapped(const uint8_t* data, uint64_t length);

/// Has [data, data + kHugePage), which maps `offset` of a file, lie in one huge page. `data` and `offset` are multiples
/// of kHugePage. True if it does afterwards; false if the system has none, or cannot tell.
///
/// The bytes stay what they are, and may be read meanwhile. Where the kernel cannot move them (MADV_COLLAPSE), it is
/// asked to let go of them and reads them again, which it does not if they are not on disk yet, or if another process
/// has mapped them. If they cannot be read again a copy takes their place, and that is an error.
arrow::Result<bool> CollapseMapped(int fd, uint8_t* data, uint64_t offset);

}  // namespace fewter::disk
