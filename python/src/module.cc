#include "bindings.h"
#include "fewter/version.h"

#include <arrow/util/config.h>

NB_MODULE(_core, module) {
  using namespace fewter::python;
  // A program that ends while it holds a table has not leaked anything that matters.
  nanobind::set_leak_warnings(false);
  // The package's public names are written in Python over these; see fewter/__init__.py.
  module.attr("VERSION") = fewter::kVersion;
  module.attr("ARROW_VERSION_MAJOR") = ARROW_VERSION_MAJOR;
  BindArrow(module);
  BindCache(module);
  BindSession(module);
  BindFilter(module);
  BindSearchRequest(module);
  BindDataset(module);
  BindLatestDataset(module);
}
