/// Kills processes that write to a disk cache, and looks at what they leave.
///
///     disk_crash [KILLS] [SEED]
///
/// A child inserts, flushes, evicts and invalidates in a directory that goes on from child to child, and is killed: at
/// a named point of the code, or at any moment. It says through a pipe which keys were sealed, and which it was about
/// to invalidate. After each kill this process opens the directory and compares it with what a value must be, which its
/// key alone decides:
///  - opening never fails, and no damaged entry is found by a full check;
///  - a value that is found is the right one, to the last byte;
///  - without eviction, what was sealed and not invalidated is there.

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fewter/cache/cache.h"
#include "fewter/cache/disk/crash_point.h"
#include "fewter/cache/disk/disk_backend.h"
#include "fewter/cache/disk/inspect.h"
#include "fewter/cache/test_values_internal.h"

namespace {

using fewter::Cache;
using fewter::testing::Text;
using fewter::testing::TextKey;

constexpr uint64_t kKeys = 400;
constexpr uint64_t kSpaces = 4;
constexpr int kKillsPerDirectory = 40;

/// What the child tells the parent; small enough that the pipe takes it whole or not at all.
struct Message {
  enum Kind : uint32_t { kSealed = 1, kInvalidating = 2 };
  Kind kind = kSealed;
  /// A key, or a namespace.
  uint32_t number = 0;
};

/// How a child works, and how it ends.
struct Plan {
  uint32_t seed = 0;
  bool evicts = false;
  bool invalidates = false;
  /// Null: killed from outside, after a while.
  const char* point = nullptr;
  int occurrence = 1;
};

std::string ValueOf(uint64_t key) {
  std::mt19937_64 random(key * 2654435761U + 1);
  const size_t size = key % 10 == 0 ? 200'000 + random() % 100'000 : random() % 20'000;
  std::string value(size, '\0');
  for (size_t i = 0; i + 8 <= size; i += 8) {
    const uint64_t word = random();
    std::memcpy(value.data() + i, &word, 8);
  }
  return value;
}

Cache SpaceOf(const Cache& cache, uint64_t key) {
  return cache.Child("space " + std::to_string(key % kSpaces));
}

fewter::DiskBackendOptions OptionsFor(const std::string& directory, bool evicts) {
  fewter::DiskBackendOptions options;
  options.directory = directory;
  options.capacity_bytes = evicts ? 3'000'000 : int64_t{1} << 30;
  options.segment_bytes = 1 << 20;
  options.large_entry_bytes = 128 << 10;
  return options;
}

// ---- The child ----

const char* deadly_point = nullptr;
std::atomic<int> occurrences_left{0};

void DieHere(const char* name) {
  if (std::strcmp(name, deadly_point) == 0 && occurrences_left.fetch_sub(1) == 1) ::raise(SIGKILL);
}

void Tell(int pipe, Message message) {
  if (::write(pipe, &message, sizeof(message)) != sizeof(message)) std::_Exit(3);
}

/// Runs until it is killed, or for a few rounds if its point is never reached.
[[noreturn]] void RunChild(const std::string& directory, const Plan& plan, int pipe) {
  if (plan.point != nullptr) {
    deadly_point = plan.point;
    occurrences_left = plan.occurrence;
    fewter::disk::internal::crash_hook = DieHere;
  }
  std::mt19937 random(plan.seed);
  auto backend = fewter::MakeDiskBackend(OptionsFor(directory, plan.evicts)).ValueOrDie();
  const Cache cache(backend);
  for (int round = 0; round < 30; ++round) {
    std::vector<uint64_t> keys;
    for (uint32_t i = 0; i < 1 + random() % 12; ++i) keys.push_back(random() % kKeys);
    for (const uint64_t key : keys) {
      if (SpaceOf(cache, key).Get(TextKey{key}) == nullptr)
        SpaceOf(cache, key).Insert(TextKey{key}, Text::Make(ValueOf(key)));
    }
    backend->Flush();
    for (const uint64_t key : keys) Tell(pipe, {Message::kSealed, static_cast<uint32_t>(key)});
    if (plan.invalidates && random() % 8 == 0) {
      const uint32_t space = random() % kSpaces;
      Tell(pipe, {Message::kInvalidating, space});
      cache.Child("space " + std::to_string(space)).Invalidate();
    }
  }
  backend.reset();
  std::_Exit(0);
}

// ---- The parent ----

struct Outcome {
  bool killed = false;
  std::vector<Message> messages;
};

Outcome RunAndKill(const std::string& directory, const Plan& plan, std::mt19937* random) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    // A new image: threads and pools of the parent do not exist in it.
    const std::string pipe = std::to_string(ends[1]);
    const std::string seed = std::to_string(plan.seed);
    const std::string occurrence = std::to_string(plan.occurrence);
    const std::string flags = std::string(plan.evicts ? "e" : "-") + (plan.invalidates ? "i" : "-");
    ::execl("/proc/self/exe", "disk_crash", "--child", directory.c_str(), pipe.c_str(), seed.c_str(), flags.c_str(),
            plan.point == nullptr ? "" : plan.point, occurrence.c_str(), nullptr);
    std::_Exit(4);
  }
  ::close(ends[1]);
  std::thread killer;
  if (plan.point == nullptr) {
    const auto delay = std::chrono::microseconds((*random)() % 60'000);
    killer = std::thread([child, delay] {
      std::this_thread::sleep_for(delay);
      ::kill(child, SIGKILL);
    });
  }
  Outcome outcome;
  Message message;
  while (::read(ends[0], &message, sizeof(message)) == sizeof(message)) outcome.messages.push_back(message);
  ::close(ends[0]);
  if (killer.joinable()) killer.join();
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!outcome.killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
    std::fprintf(stderr, "the child ended by itself, with status %d\n", status);
    std::exit(1);
  }
  return outcome;
}

[[noreturn]] void Fail(const Plan& plan, const std::string& what) {
  std::fprintf(stderr, "FAILED: %s (seed %u, %s, point %s, occurrence %d)\n", what.c_str(), plan.seed,
               plan.evicts ? "evicting" : "not evicting", plan.point == nullptr ? "none" : plan.point, plan.occurrence);
  std::exit(1);
}

/// Which keys a directory must hold.
class Oracle {
 public:
  void Note(const std::vector<Message>& messages) {
    for (const Message& message : messages) {
      if (message.kind == Message::kSealed) {
        sealed_.insert(message.number);
      } else {
        std::erase_if(sealed_, [&](uint64_t key) { return key % kSpaces == message.number; });
      }
    }
  }

  void Check(const std::string& directory, const Plan& plan, uint64_t* found) const {
    auto backend = fewter::MakeDiskBackend(OptionsFor(directory, plan.evicts));
    if (!backend.ok()) Fail(plan, "opening: " + backend.status().ToString());
    const Cache cache(*backend);
    for (uint64_t key = 0; key < kKeys; ++key) {
      const auto value = SpaceOf(cache, key).Get(TextKey{key});
      if (value != nullptr) {
        ++*found;
        if (value->ToString() != ValueOf(key)) Fail(plan, "wrong bytes for key " + std::to_string(key));
      } else if (!plan.evicts && sealed_.contains(key)) {
        Fail(plan, "key " + std::to_string(key) + " was sealed and is gone");
      }
    }
    const fewter::CacheStats stats = (*backend)->Stats();
    for (const uint64_t rejected : stats.rejected) {
      if (rejected > 0) Fail(plan, "an entry was refused: " + stats.ToString());
    }
    const auto verified = fewter::VerifyDiskCache(directory);
    if (!verified.ok()) Fail(plan, "verifying: " + verified.status().ToString());
    if (!verified->problems.empty()) Fail(plan, "damaged: " + verified->problems.front().what);
  }

 private:
  std::set<uint64_t> sealed_;
};

constexpr std::array kPoints = {"before-write", "mid-write",     "before-sync",  "after-sync",  "before-rename",
                                "after-rename", "before-unlink", "after-unlink", "heat-written"};

Plan PlanOf(int number, bool evicts, bool invalidates, std::mt19937* random) {
  Plan plan{.seed = static_cast<uint32_t>((*random)()), .evicts = evicts, .invalidates = invalidates};
  // One in three at any moment.
  if (number % 3 != 0) {
    plan.point = kPoints[(*random)() % kPoints.size()];
    plan.occurrence = 1 + static_cast<int>((*random)() % 6);
  }
  return plan;
}

int RunParent(int kills, uint32_t seed) {
  std::mt19937 random(seed);
  std::map<std::string, int> killed_at;
  uint64_t found = 0;
  int killed = 0;
  for (int directories = 0; killed < kills; ++directories) {
    std::string directory = (std::filesystem::temp_directory_path() / "fewter_crash_XXXXXX").string();
    if (::mkdtemp(directory.data()) == nullptr) std::abort();
    const bool evicts = directories % 2 == 1;
    const bool invalidates = directories % 4 >= 2;
    Oracle oracle;
    for (int i = 0; i < kKillsPerDirectory && killed < kills; ++i) {
      const Plan plan = PlanOf(i, evicts, invalidates, &random);
      const Outcome outcome = RunAndKill(directory, plan, &random);
      oracle.Note(outcome.messages);
      if (outcome.killed) {
        ++killed;
        ++killed_at[plan.point == nullptr ? "any moment" : plan.point];
      }
      oracle.Check(directory, plan, &found);
    }
    std::filesystem::remove_all(directory);
  }
  std::printf("%d children killed, %llu values found afterwards, all of them right\n", killed,
              static_cast<unsigned long long>(found));
  for (const auto& [point, count] : killed_at) std::printf("%6d at %s\n", count, point.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 8 && std::strcmp(argv[1], "--child") == 0) {
    const Plan plan{.seed = static_cast<uint32_t>(std::strtoul(argv[4], nullptr, 10)),
                    .evicts = argv[5][0] == 'e',
                    .invalidates = argv[5][1] == 'i',
                    .point = argv[6][0] == '\0' ? nullptr : argv[6],
                    .occurrence = std::atoi(argv[7])};
    RunChild(argv[2], plan, std::atoi(argv[3]));
  }
  const int kills = argc > 1 ? std::atoi(argv[1]) : 1000;
  return RunParent(kills, argc > 2 ? static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)) : 1);
}
