#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include <arrow/io/file.h>
#include <arrow/util/io_util.h>

#include "fewter/lance/coalesce_internal.h"
#include "fewter/lance/redaction_internal.h"
#include "fewter/lance/stored_file_internal.h"
#include "fewter/util/bytes.h"
#include "fewter/util/side_by_side.h"
#include "fewter/util/trace.h"

namespace fewter::lance {
namespace {

/// What Arrow's file systems can hold; larger offsets would turn negative.
constexpr uint64_t kMaxFileSize = std::numeric_limits<int64_t>::max();

void Describe(const IoEvent& event, TracedSpan* span) {
  span->Set("fewter.request.what", std::string(event.what));
  span->Set("fewter.request.kind", std::string(ToString(event.kind)));
  span->Set("fewter.request.path", std::string(event.path));
  if (event.range.length > 0) span->Set("fewter.request.offset", static_cast<int64_t>(event.range.offset));
  span->Set("fewter.request.bytes", static_cast<int64_t>(event.bytes));
  span->Set("fewter.request.round", static_cast<int64_t>(event.round));
  span->Set("fewter.request.attempt", int64_t{event.attempt});
  span->SetStatus(event.status);
}

/// Arrow believes that a store sends as many bytes as it was asked for, and leaves what did not come as the memory was.
/// So the end of the memory is marked with random bytes: if they are still there, they were not written. That the same
/// bytes came happens once in 2^31 times, and costs a repetition; fewer than four missing bytes are not found this way.
class EndMark {
 public:
  EndMark(uint8_t* bytes, uint64_t length) {
    if (length < sizeof(mark_)) return;
    // Not one with a large state: a library that Python loads has little room for what each thread has of its own.
    static thread_local std::minstd_rand random{std::random_device{}()};
    mark_ = static_cast<uint32_t>(random());
    end_ = bytes + length - sizeof(mark_);
    std::memcpy(end_, &mark_, sizeof(mark_));
  }
  bool IsUntouched() const { return end_ != nullptr && std::memcmp(end_, &mark_, sizeof(mark_)) == 0; }

 private:
  uint32_t mark_ = 0;
  uint8_t* end_ = nullptr;
};

/// Reads a range if all of it is in the page cache; of file systems that cannot tell, never.
bool ReadWithoutWaiting(int descriptor, ByteRange range, uint8_t* to) {
#ifdef RWF_NOWAIT
  iovec memory{to, range.length};
  return preadv2(descriptor, &memory, 1, static_cast<off_t>(range.offset), RWF_NOWAIT) ==
         static_cast<ssize_t>(range.length);
#else
  (void)descriptor, (void)range, (void)to;
  return false;
#endif
}

/// Bytes that are sure to differ from what a store sends, but for one in 256.
void FillAtRandom(arrow::MutableBuffer* bytes) {
  // Made anew, which costs nothing beside a request; each thread's own would be too large for a library that is loaded
  // late, as Python does it (see EndMark).
  std::mt19937_64 random{std::random_device{}()};
  uint8_t* at = bytes->mutable_data();
  for (int64_t left = bytes->size(); left > 0;) {
    const uint64_t word = random();
    const auto length = std::min<int64_t>(left, sizeof(word));
    std::memcpy(at, &word, static_cast<size_t>(length));
    at += length;
    left -= length;
  }
}

/// How many bytes there are before those at the end that are still as they were.
int64_t LengthWritten(const arrow::Buffer& bytes, const arrow::Buffer& before) {
  int64_t length = bytes.size();
  while (length > 0 && bytes[length - 1] == before[length - 1]) --length;
  return length;
}

class StoredFile final : public ReadableFile {
 public:
  StoredFile(std::shared_ptr<const StoreAccess> access, FileNames names, uint64_t size, IoKind kind)
      : access_(std::move(access)), names_(std::move(names)), kind_(kind), size_(size) {}

  const std::string& path() const override { return names_.path; }
  IoKind kind() const override { return kind_; }
  bool is_remote() const override { return access_->is_remote; }

  arrow::Result<uint64_t> Size() override {
    std::lock_guard<std::mutex> lock(mutex_);
    RETURN_NOT_OK(LearnSize());
    return size_;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(ByteRange range) override {
    ARROW_ASSIGN_OR_RAISE(auto handle, Open());
    RETURN_NOT_OK(CheckInside(range));
    if (range.length == 0) return NoBytes();
    return Fetch(handle.get(), range);
  }

  arrow::Result<FileBytes> ReadMany(const std::vector<ByteRange>& ranges, size_t enough_requests) override {
    ARROW_ASSIGN_OR_RAISE(auto handle, Open());
    for (const ByteRange& range : ranges) RETURN_NOT_OK(CheckInside(range));
    const std::vector<RangeRequest> requests = Coalesce(ranges, {.gap = is_remote() ? kRemoteCoalesceGap : kCoalesceGap,
                                                                 .enough = enough_requests,
                                                                 .widest_gap = is_remote() ? kWidestRemoteGap : 0,
                                                                 .longest = kLongestJoined});
    std::vector<arrow::Result<std::shared_ptr<arrow::Buffer>>> fetched(requests.size());
    ARROW_ASSIGN_OR_RAISE(const size_t at_hand, FetchAtHand(handle.get(), requests, &fetched));
    RunSideBySide(access_->executor, requests.size() - at_hand,
                  [&](size_t i) { fetched[at_hand + i] = Fetch(handle.get(), requests[at_hand + i].range); });
    return SliceRequests(ranges, requests, fetched);
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadWhole(uint64_t at_most, const IsWhole& is_whole) override {
    if (!is_remote() || SizeIsKnown()) return ReadableFile::ReadWhole(at_most, is_whole);
    // Bytes that happen to be what the memory held before are taken for such as did not come.
    constexpr int64_t kOverlooked = 3;
    ARROW_ASSIGN_OR_RAISE(const auto came, FetchUpTo(at_most));
    const auto& [bytes, length] = came;
    for (int64_t whole = length; whole <= std::min(length + kOverlooked, bytes->size()); ++whole) {
      // What is kept must not keep the rest of the memory.
      ARROW_ASSIGN_OR_RAISE(auto copy, bytes->CopySlice(0, whole));
      if (is_whole(copy)) return copy;
    }
    return ReadableFile::ReadWhole(at_most, is_whole);
  }

 private:
  bool SizeIsKnown() {
    std::lock_guard<std::mutex> lock(mutex_);
    return size_ != 0 || size_asked_;
  }

  static arrow::Result<std::shared_ptr<arrow::Buffer>> NoBytes() {
    ARROW_ASSIGN_OR_RAISE(auto none, arrow::AllocateBuffer(0));
    return std::shared_ptr<arrow::Buffer>(std::move(none));
  }

  static arrow::Result<FileBytes> SliceRequests(
      const std::vector<ByteRange>& ranges, const std::vector<RangeRequest>& requests,
      const std::vector<arrow::Result<std::shared_ptr<arrow::Buffer>>>& fetched) {
    ARROW_ASSIGN_OR_RAISE(auto none, NoBytes());
    FileBytes slices(ranges.size(), none);
    for (size_t i = 0; i < requests.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(const auto bytes, fetched[i]);
      uint64_t wanted = 0;
      for (const size_t member : requests[i].members) wanted += ranges[member].length;
      for (const size_t member : requests[i].members) {
        const auto offset = static_cast<int64_t>(ranges[member].offset - requests[i].range.offset);
        const auto length = static_cast<int64_t>(ranges[member].length);
        slices[member] = arrow::SliceBuffer(bytes, offset, length);
        // What is kept must not keep gaps that are larger than itself.
        if (wanted >= requests[i].range.length / 2) continue;
        ARROW_ASSIGN_OR_RAISE(slices[member], bytes->CopySlice(offset, length));
      }
    }
    return slices;
  }

  /// Answers the first requests, as many as the operating system has the bytes of in memory: copying these takes less
  /// time than waking a thread. Returns how many.
  arrow::Result<size_t> FetchAtHand(arrow::io::RandomAccessFile* handle, const std::vector<RangeRequest>& requests,
                                    std::vector<arrow::Result<std::shared_ptr<arrow::Buffer>>>* fetched) const {
    const auto* file = is_remote() ? nullptr : dynamic_cast<const arrow::io::ReadableFile*>(handle);
    if (file == nullptr) return 0;
    std::vector<IoEvent> answered;
    const auto begin = IoEvent::Clock::now();
    for (const RangeRequest& request : requests) {
      const auto [offset, length] = request.range;
      ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bytes, arrow::AllocateBuffer(static_cast<int64_t>(length)));
      if (!ReadWithoutWaiting(file->file_descriptor(), request.range, bytes->mutable_data())) break;
      (*fetched)[answered.size()] = std::move(bytes);
      answered.push_back({.kind = kind_, .what = "read", .path = names_.path, .range = request.range, .bytes = length});
    }
    const size_t count = answered.size();
    for (IoEvent& event : answered) {
      event.begin = begin;
      event.end = IoEvent::Clock::now();
    }
    ARROW_RETURN_NOT_OK(access_->Note(std::move(answered)));
    return count;
  }

  /// Asks for the size if it is unknown. Requires the mutex.
  arrow::Status LearnSize() {
    if (size_ != 0 || size_asked_) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto info, access_->Ask(names_, kind_));
    if (info.type() == arrow::fs::FileType::NotFound) return NotFoundError(names_);
    if (!info.IsFile()) return arrow::Status::IOError(names_.in_full, ": is not a file");
    if (info.size() < 0) return arrow::Status::IOError(names_.in_full, ": its size cannot be found");
    size_ = static_cast<uint64_t>(info.size());
    size_asked_ = true;
    return arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> Open() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (handle_) return handle_;
    RETURN_NOT_OK(LearnSize());
    if (size_ > kMaxFileSize) {
      return arrow::Status::Invalid(names_.in_full, ": no file is as long as it is said to be, ", size_, " bytes");
    }
    ARROW_ASSIGN_OR_RAISE(auto opened, OpenAs(size_));
    ARROW_RETURN_NOT_OK(CheckSize(opened.get(), size_));
    handle_ = std::move(opened);
    return handle_;
  }

  /// An object store believes the size, unless it is one that asks nevertheless.
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenAs(uint64_t size) const {
    arrow::fs::FileInfo info(names_.in_file_system, arrow::fs::FileType::File);
    info.set_size(static_cast<int64_t>(size));
    std::shared_ptr<arrow::io::RandomAccessFile> opened;
    const auto open = [&](uint64_t*) { return access_->fs->OpenInputFile(info).Value(&opened); };
    const arrow::Status status = access_->opening_asks
                                     ? access_->Send({.kind = kind_, .what = "open", .path = names_.path}, open)
                                     : WithoutSecrets(open(nullptr));
    if (!status.ok()) return Explain(status);
    return opened;
  }

  /// Free: a local file looks at its handle, an object store repeats the size that it was given or has asked for.
  arrow::Status CheckSize(arrow::io::RandomAccessFile* handle, uint64_t size) const {
    ARROW_ASSIGN_OR_RAISE(const int64_t actual, handle->GetSize());
    if (static_cast<uint64_t>(actual) >= size) return arrow::Status::OK();
    return arrow::Status::Invalid(names_.in_full, ": is cut off, it should have ", size, " bytes and has ", actual);
  }

  /// Requires that Open has succeeded, after which size_ does not change.
  arrow::Status CheckInside(ByteRange range) const {
    if (RangeIsInside(range.offset, range.length, size_)) return arrow::Status::OK();
    return arrow::Status::IOError(names_.in_full, ": bytes ", range.offset, " + ", range.length, " lie outside its ",
                                  size_, " bytes");
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Fetch(arrow::io::RandomAccessFile* handle, ByteRange range) const {
    ARROW_ASSIGN_OR_RAISE(auto bytes, arrow::AllocateBuffer(static_cast<int64_t>(range.length)));
    const arrow::Status status =
        access_->Send({.kind = kind_, .what = "read", .path = names_.path, .range = range},
                      [&](uint64_t* got) { return FetchOnce(handle, range, bytes->mutable_data(), got); });
    if (!status.ok()) return Explain(status);
    return std::shared_ptr<arrow::Buffer>(std::move(bytes));
  }

  /// Memory for `at_most` bytes, and how many of them came.
  arrow::Result<std::pair<std::shared_ptr<arrow::Buffer>, int64_t>> FetchUpTo(uint64_t at_most) const {
    auto most = static_cast<int64_t>(std::min(at_most, kReadWhole));
    ARROW_ASSIGN_OR_RAISE(auto handle, OpenAs(static_cast<uint64_t>(most)));
    ARROW_ASSIGN_OR_RAISE(const int64_t known, handle->GetSize());
    most = std::min(most, known);
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> before, arrow::AllocateBuffer(most));
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> bytes, arrow::AllocateBuffer(most));
    FillAtRandom(static_cast<arrow::MutableBuffer*>(before.get()));
    int64_t length = 0;
    const IoEvent request{
        .kind = kind_, .what = "read", .path = names_.path, .range = {0, static_cast<uint64_t>(most)}};
    const arrow::Status status = access_->Send(request, [&](uint64_t* got) {
      std::memcpy(bytes->mutable_data(), before->data(), static_cast<size_t>(most));
      ARROW_ASSIGN_OR_RAISE(length, handle->ReadAt(0, most, bytes->mutable_data()));
      if (length == most) length = LengthWritten(*bytes, *before);
      *got = static_cast<uint64_t>(length);
      return arrow::Status::OK();
    });
    if (!status.ok()) return Explain(status);
    return std::pair{std::move(bytes), length};
  }

  arrow::Status FetchOnce(arrow::io::RandomAccessFile* handle, ByteRange range, uint8_t* to, uint64_t* got) const {
    std::optional<EndMark> mark;
    if (is_remote()) mark.emplace(to, range.length);
    ARROW_ASSIGN_OR_RAISE(const int64_t read,
                          handle->ReadAt(static_cast<int64_t>(range.offset), static_cast<int64_t>(range.length), to));
    *got = static_cast<uint64_t>(read);
    if (*got != range.length) {
      return arrow::Status::IOError(kShortAnswer, ": wanted ", range.length, " at ", range.offset, ", got ", *got);
    }
    if (!mark || !mark->IsUntouched()) return arrow::Status::OK();
    return arrow::Status::IOError(kShortAnswer, ": wanted ", range.length, " at ", range.offset);
  }

  /// Object stores report an absent file in their own words, and only when it is read. S3's are known; in others one
  /// more look tells it from other failures.
  arrow::Status Explain(const arrow::Status& failure) const {
    const auto says = [&](const char* words) { return failure.message().find(words) != std::string::npos; };
    if (IsNotFound(failure) || says("AWS Error NO_SUCH_KEY") || says("AWS Error RESOURCE_NOT_FOUND")) {
      return NotFoundError(names_);
    }
    if (!failure.IsCancelled() && !IsTransient(failure) && !says("AWS Error")) {
      const auto info = access_->Ask(names_, kind_);
      if (info.ok() && info->type() == arrow::fs::FileType::NotFound) return NotFoundError(names_);
    }
    return InFull(failure);
  }

  arrow::Status InFull(const arrow::Status& failure) const {
    return failure.WithMessage(names_.in_full, ": ", failure.message());
  }

  const std::shared_ptr<const StoreAccess> access_;
  const FileNames names_;
  const IoKind kind_;

  std::mutex mutex_;
  uint64_t size_;
  bool size_asked_ = false;
  std::shared_ptr<arrow::io::RandomAccessFile> handle_;
};

}  // namespace

arrow::Result<std::shared_ptr<arrow::Buffer>> ReadableFile::ReadWhole(uint64_t /*at_most*/,
                                                                      const IsWhole& /*is_whole*/) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t size, Size());
  return Read({0, size});
}

arrow::Status NotFoundError(const FileNames& file) {
  return arrow::internal::IOErrorFromErrno(ENOENT, file.in_full, ": No such file or directory", file.note_if_missing);
}

arrow::Status StoreAccess::Send(const IoEvent& request,
                                const std::function<arrow::Status(uint64_t* bytes)>& attempt) const {
  IoQuery* const query = IoQuery::Current();
  for (Retries retries(retry);;) {
    if (query != nullptr) ARROW_RETURN_NOT_OK(query->Check());
    IoEvent event = request;
    event.attempt = retries.attempt();
    SendOnce(attempt, query, &event);
    if (event.status.ok()) return event.status;
    if (retries.WaitForNext(event.status)) continue;
    if (query != nullptr && query->limits().stop_token.IsStopRequested()) return query->Check();
    return retries.Explained(event.status);
  }
}

void StoreAccess::SendOnce(const std::function<arrow::Status(uint64_t* bytes)>& attempt, IoQuery* query,
                           IoEvent* event) const {
  TracedSpan span("fewter.request");
  const auto ticket = counter->Begin();
  const auto query_ticket = query == nullptr ? IoCounter::Ticket() : query->counter().Begin();
  event->round = query == nullptr ? ticket.round : query_ticket.round;
  event->begin = IoEvent::Clock::now();
  event->status = WithoutSecrets(attempt(&event->bytes));
  event->end = IoEvent::Clock::now();
  counter->End(ticket, *event);
  if (query != nullptr) query->counter().End(query_ticket, *event);
  if (tracer) tracer(*event);
  if (span.is_traced()) Describe(*event, &span);
}

arrow::Status StoreAccess::Note(std::vector<IoEvent> answered) const {
  if (answered.empty()) return arrow::Status::OK();
  IoQuery* const query = IoQuery::Current();
  if (query != nullptr) ARROW_RETURN_NOT_OK(query->Check());
  for (IoCounter* const one : {counter.get(), query == nullptr ? nullptr : &query->counter()}) {
    if (one == nullptr) continue;
    std::vector<IoCounter::Ticket> tickets;
    for (IoEvent& event : answered) event.round = tickets.emplace_back(one->Begin()).round;
    for (size_t i = 0; i < answered.size(); ++i) one->End(tickets[i], answered[i]);
  }
  for (const IoEvent& event : answered) {
    TracedSpan span("fewter.request");
    if (tracer) tracer(event);
    if (span.is_traced()) Describe(event, &span);
  }
  return arrow::Status::OK();
}

arrow::Result<arrow::fs::FileInfo> StoreAccess::Ask(const FileNames& file, IoKind kind) const {
  arrow::fs::FileInfo info;
  ARROW_RETURN_NOT_OK(Send({.kind = kind, .what = "size", .path = file.path},
                           [&](uint64_t*) { return fs->GetFileInfo(file.in_file_system).Value(&info); }));
  return info;
}

std::shared_ptr<ReadableFile> MakeStoredFile(std::shared_ptr<const StoreAccess> access, FileNames names, uint64_t size,
                                             IoKind kind) {
  return std::make_shared<StoredFile>(std::move(access), std::move(names), size, kind);
}

}  // namespace fewter::lance
