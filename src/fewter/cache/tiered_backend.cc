#include "fewter/cache/tiered_backend.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "fewter/cache/query.h"

namespace fewter {
namespace {

/// The look-ups in lower tiers that are under way, at most one for each key. What is found may be nothing.
class Fetches {
 public:
  struct Ticket {
    arrow::Future<CacheEntry> entry;
    /// True for the one who must finish it.
    bool leads = false;
  };

  Ticket Join(const KeyDigest& digest) {
    std::lock_guard lock(mutex_);
    const auto [place, is_new] = under_way_.try_emplace(digest);
    if (is_new) place->second = arrow::Future<CacheEntry>::Make();
    return {place->second, is_new};
  }

  void Finish(const KeyDigest& digest, Ticket* ticket, CacheEntry entry) {
    {
      std::lock_guard lock(mutex_);
      under_way_.erase(digest);
    }
    ticket->entry.MarkFinished(std::move(entry));
  }

 private:
  std::mutex mutex_;
  std::unordered_map<KeyDigest, arrow::Future<CacheEntry>, KeyDigestHash> under_way_;
};

/// Some of a batch of keys: those that are still looked for.
struct Remaining {
  std::vector<size_t> places;
  std::vector<EncodedKey> keys;

  void Add(size_t place, const EncodedKey& key) {
    places.push_back(place);
    keys.push_back(key);
  }
  bool empty() const { return places.empty(); }
};

class TieredBackend final : public CacheBackend {
 public:
  explicit TieredBackend(std::vector<std::shared_ptr<CacheBackend>> tiers) : tiers_(std::move(tiers)) {
    for (size_t i = 0; i + 1 < tiers_.size(); ++i) {
      std::vector<std::shared_ptr<CacheBackend>> below(tiers_.begin() + static_cast<ptrdiff_t>(i) + 1, tiers_.end());
      tiers_[i]->TellEvictionsTo([below](const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) {
        Demote(below, key, codec, std::move(entry));
      });
    }
  }

  ~TieredBackend() override { PassOnUses(); }

  std::string_view kind() const override { return "tiered"; }

  std::string_view Locate(const EncodedKey& key) const override {
    for (const auto& tier : tiers_) {
      if (const auto where = tier->Locate(key); !where.empty()) return where;
    }
    return {};
  }

  std::vector<std::string_view> LocateAll(const EncodedKey& key) const override {
    std::vector<std::string_view> all;
    for (const auto& tier : tiers_) {
      for (const std::string_view where : tier->LocateAll(key)) all.push_back(where);
    }
    return all;
  }

  void Flush() override {
    PassOnUses();
    for (const auto& tier : tiers_) tier->Flush();
  }

  std::vector<EntryUse> Uses() const override { return tiers_.front()->Uses(); }
  std::vector<EntryUse> TakeUses() override { return tiers_.front()->TakeUses(); }
  void NoteUses(std::span<const EntryUse> uses) override {
    for (const auto& tier : tiers_) tier->NoteUses(uses);
  }

  std::vector<TierReport> Report() const override {
    std::vector<TierReport> reports = CacheBackend::Report();
    for (const auto& tier : tiers_) {
      for (auto& report : tier->Report()) reports.push_back(std::move(report));
    }
    return reports;
  }

 protected:
  CacheEntry Lookup(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    CacheEntry found = tiers_.front()->Get(key, codec, type);
    if (!found && codec) Fetch({&key, 1}, codec, type, {&found, 1});
    return found;
  }

  void LookupMany(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
                  std::span<CacheEntry> found) override {
    tiers_.front()->GetMany(keys, codec, type, found);
    // A warm batch ends here, without another allocation.
    const bool has_all = std::all_of(found.begin(), found.end(), [](const CacheEntry& entry) { return bool(entry); });
    if (codec && !has_all) Fetch(keys, codec, type, found);
  }

  CacheEntry LookupAgain(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) override {
    return FromFirstTier(key, codec, type);
  }

  void Store(const EncodedKey& key, const CacheCodec& codec, CacheEntry entry) override {
    counters().Insertion();
    for (const auto& tier : tiers_) tier->Insert(key, codec, entry);
    if (UsesAreDue()) PassOnUses();
  }

  void Invalidate(const CacheNamespace& name_space) override {
    // From the farthest to the nearest: what is promoted meanwhile goes, too.
    for (size_t i = tiers_.size(); i-- > 0;) tiers_[i]->InvalidatePrefix(name_space);
  }

  Contents Held() const override {
    const CacheStats first = tiers_.front()->Stats();
    return {.entries = first.entries,
            .bytes = first.bytes,
            .mapped_bytes = first.mapped_bytes,
            .pinned_bytes = first.pinned_bytes};
  }

 private:
  static constexpr std::chrono::seconds kUsesEvery{30};

  static void Demote(const std::vector<std::shared_ptr<CacheBackend>>& below, const EncodedKey& key,
                     const CacheCodec& codec, CacheEntry entry) {
    for (const auto& tier : below) {
      if (tier->is_remote()) continue;
      if (tier->Locate(key).empty()) tier->Insert(key, codec, std::move(entry));
      return;
    }
  }

  /// An entry that was not there a moment ago; not counted as a miss of that tier again.
  CacheEntry FromFirstTier(const EncodedKey& key, const CacheCodec& codec, const std::type_info& type) {
    return tiers_.front()->Locate(key).empty() ? CacheEntry() : tiers_.front()->Get(key, codec, type);
  }

  /// An entry that a lower tier had, for those above it.
  struct Promotion {
    size_t place;
    size_t tier;
  };

  /// Finishes the fetches that this thread leads, also when a tier throws: others wait for them.
  class Leads {
   public:
    Leads(Fetches* fetches, std::span<const EncodedKey> keys, std::vector<Fetches::Ticket>* tickets)
        : fetches_(fetches), keys_(keys), tickets_(tickets) {}
    Leads(const Leads&) = delete;
    Leads& operator=(const Leads&) = delete;
    ~Leads() {
      for (size_t i = 0; i < keys_.size(); ++i) Finish(i, CacheEntry());
    }

    void Finish(size_t place, CacheEntry entry) {
      Fetches::Ticket& ticket = (*tickets_)[place];
      if (!std::exchange(ticket.leads, false)) return;
      fetches_->Finish(keys_[place].digest(), &ticket, std::move(entry));
      ticket = Fetches::Ticket();
    }

   private:
    Fetches* const fetches_;
    const std::span<const EncodedKey> keys_;
    std::vector<Fetches::Ticket>* const tickets_;
  };

  /// Looks in the tiers below the first for what is not found yet.
  void Fetch(std::span<const EncodedKey> keys, const CacheCodec& codec, const std::type_info& type,
             std::span<CacheEntry> found) {
    std::vector<Fetches::Ticket> tickets(keys.size());
    std::vector<Promotion> promotions;
    {
      Leads leads(&fetches_, keys, &tickets);
      Remaining mine;
      for (size_t i = 0; i < keys.size(); ++i) {
        if (found[i]) continue;
        tickets[i] = fetches_.Join(keys[i].digest());
        if (!tickets[i].leads) continue;
        // Another fetch may have landed in between.
        found[i] = FromFirstTier(keys[i], codec, type);
        if (found[i]) {
          leads.Finish(i, found[i]);
        } else {
          mine.Add(i, keys[i]);
        }
      }
      promotions = AskBelow(std::move(mine), codec, type, found);
      // First all that others may wait for, then what may run their destructors, and what this waits for.
      for (const Promotion& promotion : promotions) leads.Finish(promotion.place, found[promotion.place]);
    }
    for (const Promotion& promotion : promotions) {
      for (size_t above = 0; above < promotion.tier; ++above) {
        tiers_[above]->Insert(keys[promotion.place], codec, found[promotion.place]);
      }
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!found[i] && tickets[i].entry.is_valid()) found[i] = WaitFor(tickets[i].entry);
    }
  }

  /// What another caller is fetching, or nothing if that takes longer than this query may wait for remote tiers.
  static CacheEntry WaitFor(const arrow::Future<CacheEntry>& entry) {
    using std::chrono::steady_clock;
    CacheQuery* const query = CacheQuery::Current();
    const std::chrono::duration<double> allowance =
        query == nullptr ? CacheQuery::kRemoteAllowance : query->remote_left();
    const auto start = steady_clock::now();
    const bool is_done = entry.Wait(allowance.count());
    if (query != nullptr) query->SpendRemote(steady_clock::now() - start);
    return is_done ? *entry.result() : CacheEntry();
  }

  std::vector<Promotion> AskBelow(Remaining wanted, const CacheCodec& codec, const std::type_info& type,
                                  std::span<CacheEntry> found) {
    std::vector<Promotion> promotions;
    std::vector<CacheEntry> entries;
    for (size_t tier = 1; tier < tiers_.size() && !wanted.empty(); ++tier) {
      entries.assign(wanted.keys.size(), {});
      tiers_[tier]->GetMany(wanted.keys, codec, type, entries);
      Remaining rest;
      for (size_t i = 0; i < entries.size(); ++i) {
        if (entries[i]) {
          promotions.push_back({wanted.places[i], tier});
          found[wanted.places[i]] = std::move(entries[i]);
        } else {
          rest.Add(wanted.places[i], wanted.keys[i]);
        }
      }
      wanted = std::move(rest);
    }
    return promotions;
  }

  bool UsesAreDue() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    auto due = uses_due_.load(std::memory_order_relaxed);
    const auto next = now + std::chrono::steady_clock::duration(kUsesEvery).count();
    return now >= due && uses_due_.compare_exchange_strong(due, next, std::memory_order_relaxed) && due != 0;
  }

  void PassOnUses() {
    if (tiers_.size() < 2) return;
    const std::vector<EntryUse> uses = tiers_.front()->TakeUses();
    if (uses.empty()) return;
    for (size_t i = 1; i < tiers_.size(); ++i) tiers_[i]->NoteUses(uses);
  }

  const std::vector<std::shared_ptr<CacheBackend>> tiers_;
  Fetches fetches_;
  std::atomic<std::chrono::steady_clock::rep> uses_due_{0};
};

}  // namespace

std::shared_ptr<CacheBackend> MakeTieredBackend(std::vector<std::shared_ptr<CacheBackend>> tiers) {
  return std::make_shared<TieredBackend>(std::move(tiers));
}

}  // namespace fewter
