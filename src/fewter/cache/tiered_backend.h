#pragma once

#include <memory>
#include <vector>

#include "fewter/cache/backend.h"

namespace fewter {

/// Several backends as one, nearest first: memory, then disk, then a remote one, or any others in any order.
///
///  - An entry is looked for from the nearest tier to the farthest. Callers who want the same entry at the same time
///  ask
///    the tiers below the first one once between them; a batch asks each tier once for all that the nearer ones lacked.
///  - Found in a lower tier, it is given to those above (promotion), with its bytes, so that none encodes it again.
///  - What is inserted is offered to every tier. Tiers below memory write behind: the caller does not wait for them.
///  - What a tier evicts for room is offered to the next one below that is not remote, if that does not hold it
///    (demotion). An entry without a codec stays where live values are kept, and goes when it goes from there.
///  - How often entries were used above is told to the tiers below from time to time, and on Flush, since what is hot
///  is
///    seldom asked of them.
///
/// Counts: its own hits and misses are those of its callers; each tier has its own, of what came as far as that tier.
/// Stats() says what the first tier holds; Report() has an entry for the whole and one for each tier.
///
/// Requires at least one tier, and that no other backend is made of the same tiers.
std::shared_ptr<CacheBackend> MakeTieredBackend(std::vector<std::shared_ptr<CacheBackend>> tiers);

}  // namespace fewter
