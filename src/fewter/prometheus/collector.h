#pragma once

#include <memory>
#include <string>

#include <prometheus/collectable.h>

#include "fewter/dataset/session.h"

/// What a session counts, for Prometheus. A library of its own, fewter::prometheus, so that libfewter needs nothing of
/// it; docs/metrics.md lists the metrics.
///
///     prometheus::Exposer exposer("127.0.0.1:9464");
///     const auto collector = fewter::MakePrometheusCollector(session);
///     exposer.RegisterCollectable(collector);

namespace fewter {

/// What prometheus-cpp asks at each scrape. Taking the counts costs some microseconds and waits for nobody. Thread
/// safe.
std::shared_ptr<prometheus::Collectable> MakePrometheusCollector(std::shared_ptr<const Session> session);

/// The same in Prometheus' text format, for a server or a file of one's own.
std::string PrometheusText(const Session& session);

}  // namespace fewter
